"""The database is full, read-only, between two primaries, out of locks and so on, each for some seconds while events flow: the
services say so and wait, and afterwards everything is scored.
"""

from __future__ import annotations

import asyncio
import math
import time

import aio_pika
import httpx
import orjson

from deploy.demo.events import Event
from deploy.local.layout import SERVICES
from shared.messaging.topology import SIS_EVENTS
from tests.attacks.attack import LOOK_SECONDS, Attack, Finding, Stage
from tests.mongo_proxy import EVERYTHING, PLANTED, WRITES, Fault, concern_failed, failed, write_failed

KINDS = {
    "OutOfDiskSpace": Fault(failed(14031), WRITES),
    "OutOfDiskSpace of single writes": Fault(write_failed(14031), WRITES),
    "UserWritesBlocked": Fault(failed(371), WRITES),
    "NotWritablePrimary": Fault(failed(10107, ["RetryableWriteError"])),
    "InterruptedAtShutdown": Fault(failed(11600)),
    "LockTimeout of reads": Fault(failed(24), EVERYTHING - WRITES),
    "TooManyFilesOpen": Fault(failed(264)),
    "WriteConcernTimeout, but done": Fault(concern_failed(64), WRITES, is_done=True),
    "Unauthorized": Fault(failed(13)),
    "InternalError, as of a storage engine that has given up": Fault(failed(1)),
    "a code that nobody knows": Fault(failed(424242)),
}
SICK_SECONDS = 8.0
SEND_SECONDS = 0.5
READY_SECONDS = 60.0
READY_AIM_SECONDS = 30.0


async def _run(stage: Stage) -> list[Finding]:
    findings: list[Finding] = []
    refused: list[Event] = []
    students = 0
    async with stage.watching() as watch:
        connection = await aio_pika.connect(stage.amqp_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(SIS_EVENTS, ensure=False)
            for name, fault in KINDS.items():
                statuses: set[int] = set()
                for service in SERVICES:
                    stage.world.of(service)[0].to_database.faults[:] = [fault]
                until = time.monotonic() + SICK_SECONDS
                while time.monotonic() < until:
                    over_http, over_amqp = (
                        stage.lesson(stage.hostile, f"{door}-{students}") for door in ("http", "amqp")
                    )
                    students += 1
                    await exchange.publish(aio_pika.Message(orjson.dumps(over_amqp), delivery_mode=2), "any")
                    statuses.add((await stage.post(stage.hostile, [over_http])).status_code)
                    refused.append(over_http)
                    await asyncio.sleep(SEND_SECONDS)
                unready = [
                    service
                    for service in SERVICES
                    if await _readiness(stage, service) == httpx.codes.SERVICE_UNAVAILABLE
                ]
                seconds = await _healed(stage)
                findings.append(_finding(name, statuses, unready, seconds))
        # Refused is refused: nobody knows what was done of it, so all is sent again.
        again = await stage.post(stage.hostile, refused)
        scored = await stage.scored(stage.hostile, 2 * students)
        worked = await stage.worked()
    parked = sum([await stage.metric(service, "kvar_parked_total") for service in SERVICES])
    retried = sum([await stage.metric(service, "kvar_retried_total") for service in SERVICES])
    quoting = [service for service in SERVICES if PLANTED in stage.log(service).read_text(encoding="utf-8")]
    return [
        *findings,
        Finding(
            "what was refused, sent again", f"{again.status_code}", "202", again.status_code == httpx.codes.ACCEPTED
        ),
        Finding(f"all {2 * students} students scored and shown", f"{scored:.1f} s", "all", math.isfinite(scored)),
        Finding("nothing left to do", f"{worked:.1f} s", "nothing", math.isfinite(worked)),
        Finding("messages parked, sent down the ladder", f"{parked:.0f}, {retried:.0f}", "0, 0", not parked + retried),
        Finding("logs that quote the database", ", ".join(quoting) or "none", "none", not quoting),
        # While the database is sick, the other authority's events are refused as well.
        *(finding for finding in watch.findings() if "another authority" not in finding.what),
    ]


async def _readiness(stage: Stage, service: str) -> int:
    return (await stage.http.get(f"{stage.url(service)}/health/ready", timeout=READY_SECONDS)).status_code


async def _healed(stage: Stage) -> float:
    """Seconds until all services are ready again, inf: too long."""
    began = time.monotonic()
    for service in SERVICES:
        stage.world.of(service)[0].to_database.faults.clear()
    for service in SERVICES:
        while await _readiness(stage, service) != httpx.codes.OK:
            if time.monotonic() - began > READY_SECONDS:
                return math.inf
            await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def _finding(name: str, statuses: set[int], unready: list[str], seconds: float) -> Finding:
    measured = f"{'/'.join(map(str, sorted(statuses)))}; {len(unready)} of {len(SERVICES)} not ready; again after {seconds:.1f} s"
    aim = f"503; those not ready that use it; again within {READY_AIM_SECONDS:.0f} s"
    # Only who reads or writes meanwhile can know.
    is_held = statuses == {httpx.codes.SERVICE_UNAVAILABLE} and bool(unready) and seconds <= READY_AIM_SECONDS
    return Finding(name, measured, aim, is_held)


ATTACK = Attack(
    name="sick-database",
    about=f"the database fails in {len(KINDS)} ways, for {SICK_SECONDS:.0f} s each",
    run=_run,
    seconds=500,
)
