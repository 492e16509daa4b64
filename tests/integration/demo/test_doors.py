"""The AMQP door against a real broker: what arrives, and what happens when nobody could receive it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import aio_pika
import orjson
import pytest

from deploy.demo.doors import EXCHANGE, AmqpDoor, DoorError
from deploy.demo.events import Event

pytestmark = pytest.mark.integration


@pytest.fixture
async def channel(new_vhost: Callable[[], str]) -> AsyncIterator[tuple[str, aio_pika.abc.AbstractChannel]]:
    """An empty virtual host: its address, and a channel to look behind the exchange with."""
    url = new_vhost()
    async with await aio_pika.connect(url) as connection:
        yield url, await connection.channel()


async def bound_queue(channel: aio_pika.abc.AbstractChannel) -> aio_pika.abc.AbstractQueue:
    exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    queue = await channel.declare_queue("behind")
    await queue.bind(exchange, "2480.#")
    return queue


def event(number: int) -> Event:
    return {"id": f"event-{number}", "authority": "2480", "type": "kvar.attendance.recorded.v1"}


async def test_events_arrive_persistent_and_named(channel: tuple[str, aio_pika.abc.AbstractChannel]) -> None:
    url, behind = channel
    queue = await bound_queue(behind)
    async with AmqpDoor(url, patience_seconds=10) as door:
        answer = await door.publish([event(number) for number in range(600)])
    assert answer.unanswered == 600
    message = await queue.get(no_ack=True)
    assert message is not None
    assert message.message_id == orjson.loads(message.body)["id"] == "event-0"
    assert message.content_type == "application/cloudevents+json"
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert message.routing_key == "2480.attendance.recorded"
    assert (await behind.declare_queue("behind", passive=True)).declaration_result.message_count == 599


async def test_without_the_exchange_it_says_so(channel: tuple[str, aio_pika.abc.AbstractChannel]) -> None:
    url, _ = channel
    async with AmqpDoor(url, patience_seconds=0.5) as door:
        with pytest.raises(DoorError, match=r"no exchange sis\.events: is ingest running"):
            await door.publish([event(1)])


async def test_without_a_queue_nothing_counts_as_delivered(channel: tuple[str, aio_pika.abc.AbstractChannel]) -> None:
    url, behind = channel
    await behind.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    async with AmqpDoor(url, patience_seconds=0.5) as door:
        with pytest.raises(DoorError, match=r"nothing is bound to sis\.events"):
            await door.publish([event(1)])


async def test_it_goes_on_when_the_exchange_appears(channel: tuple[str, aio_pika.abc.AbstractChannel]) -> None:
    url, behind = channel
    async with AmqpDoor(url, patience_seconds=0.5) as door:
        with pytest.raises(DoorError):
            await door.publish([event(1)])
        queue = await bound_queue(behind)
        await door.publish([event(2)])
    assert queue.name == "behind"
    message = await queue.get(no_ack=True)
    assert message is not None
    assert message.message_id == "event-2"


async def test_without_a_broker_it_says_so() -> None:
    async with AmqpDoor("amqp://127.0.0.1:1/", patience_seconds=0.5) as door:
        with pytest.raises(DoorError, match="the broker does not answer"):
            await door.publish([event(1)])
