"""Many thousands of good events of one authority at once, over AMQP: the others must not wait behind them at the HTTP door."""

from __future__ import annotations

import asyncio
import math

import aio_pika
import orjson

from shared.messaging.topology import SIS_EVENTS
from tests.attacks.attack import Attack, Finding, Stage

STUDENTS = 200
EVENTS = 20_000
TOGETHER = 1000


async def _run(stage: Stage) -> list[Finding]:
    async with stage.watching() as watch:
        connection = await aio_pika.connect(stage.amqp_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(SIS_EVENTS, ensure=False)
            for start in range(0, EVENTS, TOGETHER):
                events = [
                    stage.lesson(stage.hostile, f"flood-{number % STUDENTS}")
                    for number in range(start, start + TOGETHER)
                ]
                await asyncio.gather(*(exchange.publish(aio_pika.Message(orjson.dumps(one)), "any") for one in events))
        worked = await stage.worked()
    scored = await stage.metric("scoring", "kvar_batch_size_messages_sum", service="scoring")
    return [
        Finding("all events worked after the last was sent", f"{worked:.1f} s", "worked", math.isfinite(worked)),
        Finding("events scored", f"{scored:.0f}", f"≥ {EVENTS}", scored >= EVENTS),
        *watch.findings(),
    ]


ATTACK = Attack(
    name="queued-flood", about=f"{EVENTS} good events of one authority at once, over AMQP", run=_run, seconds=240
)
