"""Whatever a publisher may name is new each time: routing keys, authorities, types, fields, school units. The pages of metrics
must stay as small as they were.
"""

from __future__ import annotations

import asyncio
import math
import time

import aio_pika
import orjson

from deploy.demo.events import Event
from deploy.local.layout import SERVICES
from services.reporting.counting import MOST_SHOWN
from shared.messaging.topology import SIS_EVENTS
from tests.attacks.attack import LOOK_SECONDS, Attack, Finding, Stage

KEYS = 4000
REFUSED = 3000
UNITS = 1500
TOGETHER = 500
MOST_SERIES = 3000
MOST_BYTES = 512 * 1024
MOST_SECONDS = 0.5
LOOKS = 5
GAUGE_SECONDS = 150.0


async def _run(stage: Stage) -> list[Finding]:
    async with stage.watching() as watch:
        connection = await aio_pika.connect(stage.amqp_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(SIS_EVENTS, ensure=False)
            for start in range(0, KEYS, TOGETHER):
                await asyncio.gather(
                    *(
                        exchange.publish(aio_pika.Message(orjson.dumps(_hostile(stage, number))), f"key.{number}")
                        for number in range(start, start + TOGETHER)
                    )
                )
        for start in range(0, REFUSED, TOGETHER):
            await stage.post(stage.hostile, [_hostile(stage, KEYS + start + number) for number in range(TOGETHER)])
        for start in range(0, UNITS, TOGETHER):
            events = [event for number in range(start, start + TOGETHER) for event in _unit(stage, number)]
            await stage.post(stage.hostile, events)
        shown = await stage.scored(stage.hostile, UNITS)
        worked = await stage.worked()
    left_out = await _units_left_out(stage)
    rows = [await _page(stage, service) for service in SERVICES]
    return [
        Finding("all units shown, nothing left", f"{shown + worked:.1f} s", "all", math.isfinite(shown + worked)),
        Finding(
            "units that the gauge leaves out",
            f"{left_out:.0f}",
            f"{UNITS - MOST_SHOWN}",
            left_out == UNITS - MOST_SHOWN,
        ),
        *rows,
        *watch.findings(),
    ]


async def _units_left_out(stage: Stage) -> float:
    """When all units have been counted and the gauge has looked."""
    deadline = time.monotonic() + GAUGE_SECONDS
    left_out = 0.0
    while left_out < UNITS - MOST_SHOWN and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        left_out = await stage.metric("reporting", "kvar_units_without_freshness", authority=stage.hostile)
    return left_out


def _hostile(stage: Stage, number: int) -> Event:
    """Refused, and every name in it is new."""
    event = stage.lesson(stage.hostile, f"hostile-{number}", school_unit=f"refused-{number}")
    event["type"] = f"kvar.hostile-{number}.v1"
    event["authority"] = f"hostile-{number}"
    event["data"] |= {f"field_{number}": 1, "r" + "_" * (number % 200) + "eason": "x"}
    return event


def _unit(stage: Stage, number: int) -> tuple[Event, Event]:
    """A school unit of its own with one student."""
    student, unit = f"unit-{number}", f"hostile-unit-{number}"
    return stage.place(stage.hostile, student, school_unit=unit), stage.lesson(stage.hostile, student, school_unit=unit)


async def _page(stage: Stage, service: str) -> Finding:
    seconds = []
    for _ in range(LOOKS):
        began = time.monotonic()
        text = await stage.metrics(service)
        seconds.append(time.monotonic() - began)
    series = sum(not line.startswith("#") for line in text.splitlines())
    measured = f"{series} series, {len(text) // 1024} KiB, {min(seconds):.2f} s"
    aim = f"≤ {MOST_SERIES}, ≤ {MOST_BYTES // 1024} KiB, ≤ {MOST_SECONDS} s"
    is_held = series <= MOST_SERIES and len(text) <= MOST_BYTES and min(seconds) <= MOST_SECONDS
    return Finding(f"metrics of {service}", measured, aim, is_held)


ATTACK = Attack(
    name="hostile-labels",
    about=f"{KEYS} routing keys, {KEYS + REFUSED} authorities and types, {UNITS} school units",
    run=_run,
    seconds=400,
)
