"""Events per second through the broker: scoring with its replicas, beside two baselines over the same events."""

from __future__ import annotations

import secrets

import aio_pika

from shared import mongo
from tests.bench import baselines
from tests.bench.load import events
from tests.bench.stage import Scoring, Servers, channel_to, progress_of, publish_all, scoring

_QUEUE = "bench"


async def measure_baseline(
    name: str, servers: Servers, students: int, total: int, progress: baselines.Progress
) -> float:
    """Events per second of one baseline."""
    url = servers.vhost()
    async with channel_to(url) as channel:
        await channel.declare_queue(_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        await publish_all(channel.default_exchange, events(students, total), key=_QUEUE)
    database = mongo.connect(servers.mongo_url, f"bench_{secrets.token_hex(4)}", service="bench")
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        run = baselines.floor if name == "floor" else baselines.naive
        seconds = await run(channel, _QUEUE, database, total, progress)
    database.client.close()
    return total / seconds


async def measure_scoring(
    servers: Servers, students: int, total: int, replicas: int, progress: baselines.Progress
) -> float:
    """Events per second through real scoring processes, from the first batch seen to the last event scored and told."""
    url = servers.vhost()
    async with channel_to(url) as channel:
        await publish_all(await channel.get_exchange("events"), events(students, total))
    with scoring(url, servers, replicas) as running:
        return await per_second(running, total, progress)


async def per_second(running: list[Scoring], total: int, progress: baselines.Progress) -> float:
    """Events per second that wait for these processes, from the first batch seen to the last event scored and told."""
    first_count, first_time = 0, 0.0
    async with progress_of(running) as looks:
        async for now, count in looks:
            if count and not first_count:
                first_count, first_time = count, now
            progress(count)
            if count >= total:
                return (count - first_count) / (now - first_time)
    raise AssertionError("looks end with all events or a TimeoutError")
