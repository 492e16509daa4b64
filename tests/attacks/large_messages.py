"""Messages far larger than any event, over AMQP: the broker refuses the largest, ingest the others, without reading them."""

from __future__ import annotations

import asyncio
import math
import time

import aio_pika
from aio_pika.exceptions import AMQPError

from shared.messaging.topology import SIS_EVENTS
from tests.attacks.attack import Attack, Finding, Stage

LARGEST, LARGEST_BYTES = 12, 20 << 20
LARGE, LARGE_BYTES = 600, 1_000_000
KEPT_SECONDS = 60.0


async def _run(stage: Stage) -> list[Finding]:
    async with stage.watching() as watch:
        connection = await aio_pika.connect(stage.amqp_url)
        async with connection:
            refused = [await _is_refused(connection, LARGEST_BYTES) for _ in range(LARGEST)]
            async with connection.channel() as channel:
                exchange = await channel.get_exchange(SIS_EVENTS, ensure=False)
                body = b'{"authority":"0180","pad":"' + b"x" * (LARGE_BYTES - 29) + b'"}'
                for start in range(0, LARGE, 20):
                    await asyncio.gather(
                        *(
                            exchange.publish(aio_pika.Message(body[:-10] + b"%08d" % number + b'"}'), "any")
                            for number in range(start, start + 20)
                        )
                    )
        worked = await stage.worked()
        refusals = await _refusals(stage)
    return [
        Finding(
            f"messages of {LARGEST_BYTES >> 20} MiB that the broker refused",
            f"{sum(refused)} of {LARGEST}",
            "all",
            all(refused),
        ),
        Finding("all worked", f"{worked:.1f} s after the last was sent", "worked", math.isfinite(worked)),
        Finding("refused by ingest", f"{refusals:.0f}", f"≥ {LARGE}", refusals >= LARGE),
        *watch.findings(),
    ]


async def _is_refused(connection: aio_pika.abc.AbstractConnection, size: int) -> bool:
    try:
        async with connection.channel() as channel:
            exchange = await channel.get_exchange(SIS_EVENTS, ensure=False)
            await exchange.publish(aio_pika.Message(b"[" + b"0," * (size // 2) + b"0]"), "any")
    except (AMQPError, RuntimeError):
        return True
    return False


async def _refusals(stage: Stage) -> float:
    began = time.monotonic()
    while (count := await stage.metric("ingest", "kvar_ingest_events_total", outcome="rejected")) < LARGE:
        if time.monotonic() - began > KEPT_SECONDS:
            break
        await asyncio.sleep(0.5)
    return count


ATTACK = Attack(
    name="large-messages",
    about=f"{LARGEST} messages of {LARGEST_BYTES >> 20} MiB and {LARGE} of {LARGE_BYTES} bytes over AMQP",
    run=_run,
    seconds=240,
)
