"""The two baselines that scoring is measured against, as one would write them.

*naive*: per event one find, one update, one publish, one ack. *floor*: the least that any consumer which stores what it
read can do: raw consume, parse, one find, one bulk write and one bulk insert per 500 events, one multiple ack. The floor
scores nothing, publishes nothing and survives no crash.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared import mongo

BATCH = 500
Progress = Callable[[int], None]


async def naive(
    channel: AbstractChannel, queue_name: str, database: mongo.Database, total: int, progress: Progress
) -> float:
    """Seconds from the first message to the last ack."""
    await channel.set_qos(prefetch_count=BATCH)
    queue = await channel.get_queue(queue_name)
    risk = await channel.get_exchange("risk")
    students = database["naive_students"]
    started: float | None = None
    async with queue.iterator() as messages:
        done = 0
        async for message in messages:
            started = started or time.perf_counter()
            event = orjson.loads(message.body)
            student = await students.find_one({"_id": event["subject"]}) or {"absent": 0}
            absent = student["absent"] + event["data"]["unexcused_minutes"]
            await students.update_one({"_id": event["subject"]}, {"$set": {"absent": absent}}, upsert=True)
            scored = aio_pika.Message(orjson.dumps({"absent": absent}), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await risk.publish(scored, "risk.scored")
            await message.ack()
            done += 1
            progress(done)
            if done == total:
                break
    return time.perf_counter() - (started or 0.0)


async def floor(
    channel: AbstractChannel, queue_name: str, database: mongo.Database, total: int, progress: Progress
) -> float:
    """Seconds from the first message to the last ack."""
    await channel.set_qos(prefetch_count=2 * BATCH)
    queue = await channel.get_queue(queue_name)
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue(2 * BATCH)
    tag = await queue.consume(arrived.put)
    first = await arrived.get()
    started = time.perf_counter()
    batch, done = [first], 0
    while done < total:
        while len(batch) < min(BATCH, total - done):
            batch.append(await arrived.get())
        await _store(batch, database)
        await batch[-1].ack(multiple=True)
        done += len(batch)
        progress(done)
        batch = []
    elapsed = time.perf_counter() - started
    await queue.cancel(tag)
    return elapsed


async def _store(batch: list[AbstractIncomingMessage], database: mongo.Database) -> None:
    events: list[dict[str, Any]] = [orjson.loads(message.body) for message in batch]
    latest = {event["subject"]: event for event in events}
    await database["floor_students"].find({"_id": {"$in": list(latest)}}, batch_size=BATCH + 1).to_list(None)
    await mongo.bulk_write(
        database["floor_students"],
        [
            mongo.UpdateOne({"_id": key}, {"$set": {"last": event["data"]}}, upsert=True)
            for key, event in latest.items()
        ],
    )
    await mongo.bulk_write(
        database["floor_events"], [mongo.InsertOne({"_id": event["id"], **event}) for event in events]
    )
