"""What the broker's metrics say about queues, on the real broker; reading them is in tests/unit/local."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aio_pika
import pytest

from deploy.local.broker import COUNTS_SECONDS
from deploy.local.queues import Counts, Drain, QueueCounts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import BrokerServer

pytestmark = pytest.mark.integration


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + 10
    while not await condition():
        assert time.monotonic() < deadline, f"waited 10 s for {what}"
        await asyncio.sleep(0.02)


async def test_a_message_in_somebodys_hands_is_unfinished_work(
    broker_server: BrokerServer, module_amqp_url: str
) -> None:
    counts = QueueCounts(broker_server.metrics_url, vhost=module_amqp_url.rsplit("/", 1)[1])
    drain = Drain(counts, 2 * COUNTS_SECONDS)

    async def counted(expected: Counts) -> bool:
        return (await counts.read()).get("work") == expected

    async with await aio_pika.connect(module_amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("work", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"event"), routing_key="work")
        await eventually(lambda: counted(Counts(1, 0)), "the message to be counted as ready")
        message = await queue.get(timeout=10)
        await eventually(lambda: counted(Counts(0, 1)), "the message to be counted as unacknowledged")
        assert not await drain.is_done()
        await message.ack()
        await eventually(drain.is_done, "all work to be done")
    await counts.close()
