"""The servers that other tests rely on: they work, and each module's corner is empty."""

from __future__ import annotations

from typing import Any

import aio_pika
import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from tests.conftest import BrokerServer

pytestmark = pytest.mark.integration


async def test_a_message_goes_through_the_broker(module_amqp_url: str) -> None:
    async with await aio_pika.connect(module_amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), routing_key="q")
        message = await queue.get(timeout=10)
        assert message.body == b"hello"
        await message.ack()


async def test_a_document_is_kept_by_the_database(mongo_url: str, module_database: str) -> None:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongo_url)
    try:
        collection = client[module_database]["things"]
        await collection.insert_one({"_id": "a", "n": 1})
        assert await collection.find_one({"_id": "a"}) == {"_id": "a", "n": 1}
    finally:
        client.close()


def test_the_virtual_host_of_a_module_is_its_own(broker_server: BrokerServer, module_amqp_url: str) -> None:
    vhost = module_amqp_url.rsplit("/", 1)[1]
    assert broker_server.management.queue_names(vhost) == ["q"]
    assert broker_server.management.queue_names("/") == []
