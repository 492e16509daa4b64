"""Which queue gets which message, on the real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError

from shared.errors import Outage
from shared.events import BEHIND_TYPES, DOOR_TYPES
from shared.messaging import topology
from shared.messaging.broker import build_broker, confirmed_publish, declare_topology
from tests.builders import pseudonym

pytestmark = pytest.mark.integration

SHARDS = 2
SHARD = 1
QUEUE = topology.scoring_queue(SHARD)
AGAIN = topology.again_exchange("scoring")
READ = ["s01.attendance.recorded", "s01.grade.recorded", "s01.enrolment.changed"]
NOT_READ = [
    "s01.behaviour.noted",
    "s01.attendance.recorded.more",
    "s01.attendance",
    "s00.grade.recorded",
    "staff.changed",
]


@pytest.fixture
async def channel(new_vhost: Callable[[], str]) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect(new_vhost())
    async with connection, connection.channel(on_return_raises=True) as opened:
        yield opened


async def publish(channel: AbstractChannel, exchange: str, *keys: str) -> None:
    """Raises for the first that no queue takes."""
    target = await channel.get_exchange(exchange)
    for key in keys:
        await target.publish(aio_pika.Message(b"{}", delivery_mode=2), key, mandatory=True)


async def taken(channel: AbstractChannel, name: str) -> list[str | None]:
    """Routing keys of all that lies in a queue."""
    queue = await channel.get_queue(name)
    found = []
    while message := await queue.get(no_ack=True, fail=False):
        found.append(message.routing_key)
    return found


async def with_wide_bindings(channel: AbstractChannel) -> None:
    """A broker whose shard queues are bound to everything of their shard, as before."""
    await topology.declare(channel, SHARDS)
    for shard in range(SHARDS):
        queue = await channel.get_queue(topology.scoring_queue(shard))
        for exchange in (topology.EVENTS, AGAIN):
            await queue.bind(exchange, f"s{shard:02d}.#")
    await publish(channel, AGAIN, "s01.behaviour.noted")
    assert await taken(channel, QUEUE) == ["s01.behaviour.noted"]


@pytest.mark.parametrize("exchange", [topology.EVENTS, AGAIN])
@pytest.mark.parametrize("known", [False, True], ids=["new broker", "broker with wide bindings"])
async def test_a_shard_gets_what_scoring_reads_once_and_nothing_else(
    channel: AbstractChannel, exchange: str, known: bool
) -> None:
    if known:
        await with_wide_bindings(channel)
    for _ in range(2):
        await topology.declare(channel, SHARDS)
    await publish(channel, exchange, *READ)
    others = await channel.declare_queue(exclusive=True)
    for key in NOT_READ:
        await others.bind(exchange, key)
    await publish(channel, exchange, *NOT_READ)
    assert await taken(channel, QUEUE) == READ


@pytest.mark.parametrize("exchange", [topology.EVENTS, AGAIN])
async def test_what_nobody_reads_comes_back_to_its_publisher(channel: AbstractChannel, exchange: str) -> None:
    await with_wide_bindings(channel)
    await topology.declare(channel, SHARDS)
    with pytest.raises(DeliveryError):
        await publish(channel, exchange, "s01.behaviour.noted")


async def test_for_a_service_what_nobody_reads_is_an_outage_not_silence(new_vhost: Callable[[], str]) -> None:
    broker = build_broker(new_vhost(), "ingest")
    await broker.connect()
    await declare_topology(broker, SHARDS)
    publish_surely = confirmed_publish(broker, topology.EVENTS)
    try:
        with pytest.raises(Outage, match="did not confirm"):
            await publish_surely(b"{}", routing_key="s01.behaviour.noted", message_id="1")
        await publish_surely(b"{}", routing_key=READ[0], message_id="2")
    finally:
        await broker.stop()


@pytest.mark.parametrize("kind", sorted(DOOR_TYPES))
async def test_whatever_the_door_takes_somebody_reads(channel: AbstractChannel, kind: str) -> None:
    await topology.declare(channel, SHARDS)
    await publish(channel, topology.EVENTS, topology.routing_key(kind, pseudonym("åsa"), SHARDS))
    assert kind in BEHIND_TYPES
