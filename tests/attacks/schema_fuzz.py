"""Everything that the published schemas and OpenAPI documents allow, and all that they just forbid, at all four services."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import Counter

import aio_pika
import orjson

from deploy.local.layout import SERVICES
from shared.events import DOOR_TYPES
from shared.messaging.topology import parking_queue
from tests.attacks.attack import Attack, Finding, Stage
from tests.extremes import Contract, Event, bases
from tests.interfaces import credentials, fuzz

EXAMPLES = 100
SECONDS = {"ingest": 330.0, "scoring": 30.0, "notify": 60.0, "reporting": 90.0}


async def _run(stage: Stage) -> list[Finding]:
    seed = secrets.randbits(32)
    known = credentials(
        publisher=stage.token(stage.hostile),
        service=stage.world.secrets.service_token,
        password=stage.world.secrets.viewer_password,
    )
    findings = []
    async with stage.watching() as watch:
        findings += await _send_extremes(stage)
        for service in SERVICES:
            folder = stage.world.folder / "schemathesis" / service
            found = await asyncio.to_thread(
                fuzz, stage.url(service), folder, known, examples=EXAMPLES, seconds=SECONDS[service], seed=seed
            )
            (folder / "report.txt").write_text(found.report, encoding="utf-8")
            told = f"{found.mismatches} in {found.cases} requests (seed {seed})"
            findings.append(
                Finding(f"{service} does otherwise than its document says", told, "0", found.mismatches == 0)
            )
        worked = await stage.worked()
    findings.append(Finding("all of it worked off", f"{worked:.1f} s", "worked", math.isfinite(worked)))
    return [*findings, *await _parked(stage), *watch.findings()]


async def _send_extremes(stage: Stage) -> list[Finding]:
    """Every value of every field that is just allowed or just forbidden, and strange ones in all of them."""
    outcomes: Counter[str] = Counter()
    for kind, base in bases(stage.hostile).items():
        contract = Contract(DOOR_TYPES[kind].model_json_schema(), base)
        events = [one.put(_own(base, number)) for number, one in enumerate(contract.extremes())]
        answer = await stage.post(stage.hostile, events)
        receipt = answer.json()
        outcomes.update({name: receipt.get(name, 0) for name in ("accepted", "duplicate", "rejected")})
        outcomes["not answered"] += len(events) - sum(receipt.get(name, 0) for name in outcomes)
    told = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    return [Finding("extreme values of every field", told, "0 not answered", outcomes["not answered"] == 0)]


def _own(base: Event, number: int) -> Event:
    return {**base, "id": f"{base['type']}-{number}", "subject": f"{base['subject']}-{number}"}


async def _parked(stage: Stage) -> list[Finding]:
    async with await aio_pika.connect(stage.amqp_url) as connection, connection.channel() as channel:
        queues = [await channel.declare_queue(parking_queue(service), passive=True) for service in SERVICES]
    count = sum(queue.declaration_result.message_count or 0 for queue in queues)
    errors = sum(
        orjson.loads(line).get("level") == "ERROR"
        for service in SERVICES
        for line in stage.log(service).read_bytes().splitlines()
        if line.startswith(b"{")
    )
    return [
        Finding("messages parked", str(count), "0", count == 0),
        Finding("errors in logs", str(errors), "0", errors == 0),
    ]


ATTACK = Attack(
    name="schema-fuzz",
    about="all that schemas allow and all that they just forbid, at all four services",
    run=_run,
    seconds=600,
)
