"""How many shard queues there really are: more than `KVAR_SHARDS` where that number was larger once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aio_pika.exceptions import ChannelNotFoundEntity

from shared.errors import Outage
from shared.messaging import topology

if TYPE_CHECKING:
    from faststream.rabbit import RabbitBroker


async def shards_there(broker: RabbitBroker, shards: int) -> int:
    """The number of scoring's queues, `shards` at least. They are always declared without gaps. The broker must be connected.

    Raises:
        Outage: the broker is away.
    """
    while await _exists(broker, topology.scoring_queue(shards)):
        shards += 1
    return shards


async def _exists(broker: RabbitBroker, queue: str) -> bool:
    connection = broker._connection  # noqa: SLF001 - FastStream has no public way to a spare channel
    if connection is None:
        raise Outage("the broker: not connected")
    channel = await connection.channel()
    try:
        await channel.get_queue(queue, ensure=True)
    except ChannelNotFoundEntity:
        return False
    finally:
        await channel.close()
    return True
