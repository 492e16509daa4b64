"""Thousands of messages of one authority that no service can work on, straight into the services' own exchanges; properties that
no client can read; archived events that cannot be published. The other authority's events go on, and what is bad waits.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aio_pika
import httpx
import orjson

from shared.messaging import topology
from shared.messaging.parking import Desk, operating
from tests import raw_message as raw
from tests.attacks.attack import Attack, Finding, Stage

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel

    from shared import mongo

KEYS = (
    (topology.EVENTS, "s00.attendance.recorded"),
    (topology.EVENTS, "s01.grade.recorded"),
    (topology.EVENTS, "s02.enrolment.changed"),
    (topology.EVENTS, "climate.reported"),
    (topology.EVENTS, "staff.changed"),
    (topology.RISK, topology.SCORED_KEY),
    (topology.RISK, topology.LEVEL_CHANGED_KEY),
)
READERS = {"scoring": 4, "reporting": 3, "notify": 3}
"""How many of these keys each service reads."""
MESSAGES = 1_000
"""For each key."""
TOGETHER = 200
UNREADABLE = 100
"""Messages with properties that no client can read, for each exchange."""
UNPUBLISHABLE = 150
"""Archived events; more than the sweeper takes at once."""
BUDGET = 100
TRIAL_SECONDS = 45.0
SWEEP_SECONDS = 60.0


def _bad(authority: str, number: int) -> bytes:
    kinds: list[dict[str, Any]] = [
        {"type": []},
        {"type": "kvar.attendance.recorded.v1"},
        {"type": "kvar.climate.reported.v1", "data": {"answers": 2**63}},
        {"type": "kvar.enrolment.changed.v1", "data": [number]},
        {"type": "kvar.risk.scored.v1", "specversion": None, "subject": {"a": number}},
        {"type": "nothing that there is"},
    ]
    return orjson.dumps({**kinds[number % len(kinds)], "authority": authority, "id": f"bad-{number}"})


async def _flood(channel: AbstractChannel, authority: str) -> None:
    for exchange_name, key in KEYS:
        exchange = await channel.get_exchange(exchange_name, ensure=False)
        for start in range(0, MESSAGES, TOGETHER):
            bodies = [_bad(authority, number) for number in range(start, start + TOGETHER)]
            await asyncio.gather(*(exchange.publish(aio_pika.Message(body, delivery_mode=2), key) for body in bodies))


async def _unreadable(url: str, authority: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection, connection.channel(publisher_confirms=False) as channel:
        for number in range(UNREADABLE):
            for exchange, key in ((topology.EVENTS, b"s03.attendance.recorded"), (topology.SIS_EVENTS, b"\xe5")):
                flags, properties = (
                    (raw.MESSAGE_ID, raw.short(b"\xe5")),
                    (raw.TIMESTAMP, b"\xff" * 8),
                    (raw.HEADERS, raw.nested(5_000)),
                )[number % 3]
                body = _bad(authority, number)
                await raw.publish_raw(channel, exchange, key, body, flags=flags, properties=properties)


async def _spoil_archive(database: mongo.Database, authority: str) -> None:
    """As a version of Kvar that reads contracts otherwise may find them, the oldest first."""
    opened = datetime.now(UTC) - timedelta(minutes=10)
    for number in range(UNPUBLISHABLE):
        key = f"/authorities/{authority}/systems/attack unpublishable-{number}"
        event = {"_id": key, "authority": authority, "type": "kvar.attendance.recorded.v1", "event": "{}"}
        note = {"_id": f"unpublishable-{number}", "opened_at": opened + timedelta(seconds=number), "keys": [key]}
        await database["events_archive"].insert_one({**event, "batch": note["_id"]})
        await database["events_unpublished"].insert_one(note)


async def _leave_unpublished(database: mongo.Database, authority: str) -> bool:
    """As a crash leaves an event between archive and publishing, behind all that cannot be published."""
    found = await database["events_archive"].find_one({"authority": authority})
    if found is None:
        return False
    opened = datetime.now(UTC) - timedelta(minutes=1)
    await database["events_unpublished"].insert_one(
        {"_id": found["batch"], "opened_at": opened, "keys": [found["_id"]]}
    )

    async def is_published() -> bool:
        return await database["events_unpublished"].count_documents({"_id": found["batch"]}) == 0

    return await _comes(is_published, SWEEP_SECONDS)


async def _comes(look: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not await look():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.25)
    return True


async def _waiting(desk: Desk, service: str, *, held: bool) -> int:
    async with desk.round(service, held=held) as walk:
        return await walk.waiting()


async def _settled(stage: Stage) -> dict[str, tuple[int, int]]:
    """Parked and held messages of each service, when all others have been worked on."""
    await stage.worked()
    async with operating(stage.amqp_url) as desk:
        return {
            service: (await _waiting(desk, service, held=False), await _waiting(desk, service, held=True))
            for service in READERS
        }


async def _ready(stage: Stage) -> bool:
    answers = [await stage.http.get(f"{stage.url(service)}/health/ready", timeout=30.0) for service in READERS]
    return all(answer.status_code == httpx.codes.OK for answer in answers)


async def _works_again(stage: Stage) -> float:
    """How long it takes until a good event of the authority that was held has been scored."""
    began, students = time.monotonic(), 0
    async with stage.database() as database:
        while time.monotonic() - began < TRIAL_SECONDS:
            await stage.post(stage.hostile, [stage.lesson(stage.hostile, f"mended-{students}")])
            students += 1
            if await database["scoring_students"].count_documents({"state": {"$regex": f'"{stage.hostile}"'}}):
                return time.monotonic() - began
            await asyncio.sleep(1.0)
    return math.inf


async def _replayed(url: str) -> int:
    """Sends all that is held again; returns how many could not be sent."""
    stayed = 0
    async with operating(url) as desk:
        for service in READERS:
            async with desk.round(service, held=True) as walk:
                async for portion in walk.each(await walk.waiting()):
                    stayed += sum(problem is not None for _, problem in await walk.replay(portion))
    return stayed


async def _run(stage: Stage) -> list[Finding]:
    is_ready = True
    async with stage.database() as database:
        async with stage.watching() as watch:
            await _spoil_archive(database, stage.hostile)
            connection = await aio_pika.connect(stage.amqp_url)
            async with connection, connection.channel() as channel:
                await _flood(channel, stage.hostile)
                is_ready = is_ready and await _ready(stage)
            await _unreadable(stage.amqp_url, stage.hostile)
            counts = await _settled(stage)
            is_ready = is_ready and await _ready(stage)
            scored = await stage.scored(stage.other, 1)
            swept = await _leave_unpublished(database, stage.other)
        unpublishable = await stage.metric("ingest", "kvar_ingest_unpublishable_events")
    rows = []
    for service, keys in READERS.items():
        sent = keys * MESSAGES + (UNREADABLE if service == "scoring" else 0)
        parked, held = counts[service]
        measured, aim = f"{parked} parked, {held} held", f"{BUDGET} parked, the rest of {sent} held"
        rows.append(Finding(f"bad messages of {service}", measured, aim, (parked, held) == (BUDGET, sent - BUDGET)))
    stayed = await _replayed(stage.amqp_url)
    again = await _settled(stage)
    more = sum(map(sum, again.values())) - sum(map(sum, counts.values()))
    mended = await _works_again(stage)
    return [
        *rows,
        Finding("all services ready", str(is_ready), "True", is_ready),
        Finding("the other authority scored", f"{scored:.1f} s", "scored", math.isfinite(scored)),
        Finding(
            "sent again while nothing is mended",
            f"{more} more wait, {stayed} not sent",
            "0 more, 0",
            more >= 0 == stayed,
        ),
        Finding(
            "first good event of its own scored after", f"{mended:.0f} s", f"≤ {TRIAL_SECONDS:.0f} s", mended < math.inf
        ),
        Finding("an event behind unpublishable ones published", str(swept), "True", swept),
        Finding(
            "archived events that cannot be published",
            f"{unpublishable:.0f} counted",
            f"{UNPUBLISHABLE}",
            unpublishable == UNPUBLISHABLE,
        ),
        *watch.findings(),
    ]


ATTACK = Attack(
    name="bad-messages",
    about=f"{MESSAGES * len(KEYS)} messages that nobody can work on, past the door; events that cannot be published",
    run=_run,
    seconds=300,
)
