"""What an operator does with messages that are parked or held: look at them, send them to their service again, drop them.

AMQP cannot look without taking. A `Round` therefore takes messages without acknowledging them, and what it does not remove
goes back when its channel closes, also when that is because this process died. Two things keep the order:

- one consumer takes many, and further consumers' tags sort behind it: the broker gives back by consumer, then by age. Single
  gets, or nacks, come back shuffled [tried on 3.10];
- what goes back waits behind all else that has ever gone back, before what was never taken. So a round ends only at the
  first message that nobody has taken before.

One operator at a time: the connection owns an exclusive queue, which is gone when the connection is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import aio_pika
import aiormq
from aio_pika.exceptions import AMQPError

from shared.error_text import named
from shared.errors import KvarError, Outage
from shared.messaging import topology
from shared.messaging.forwarding import OWN_HEADERS, REPLAYED_HEADER, forward, lasting_headers
from shared.messaging.parked import Parked
from shared.messaging.properties import read_whatever_comes

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

LOCK_QUEUE = "kvar.parking.operator"
FIRST_TAKE = 100
LARGEST_TAKE = 1_000
"""Messages in memory at a time."""
PATIENCE_SECONDS = 10.0
IN_FLIGHT = 200
"""Copies that wait for their confirm at a time: of 10,000 together, a busy broker did not confirm all in 10 s."""


class ParkingError(KvarError):
    """The parking queues cannot be worked on now; the message says why. Reaction: tell the operator."""


class Round:
    """One walk through a queue of a service's parked or held messages, from its oldest message on."""

    def __init__(self, channel: AbstractChannel, service: str, queue: str) -> None:
        self.service = service
        self._channel = channel
        self._queue = queue
        self._takes = 0
        self._at_fresh = False
        self._has_removed = False

    async def waiting(self) -> int:
        """Messages that this walk has not reached yet.

        Raises:
            Outage: the broker is away.
        """
        async with _broker_errors():
            queue = await self._channel.declare_queue(self._queue, passive=True)
        return queue.declaration_result.message_count or 0

    async def take(self, size: int) -> list[AbstractIncomingMessage]:
        """The next messages, `size` at most; none at the end. Those not acknowledged go back when the walk ends.

        Raises:
            Outage: the broker is away.
        """
        expected = min(size, await self.waiting())
        if not expected:
            return []
        async with _broker_errors():
            taken = await self._consume(expected)
        self._at_fresh = not taken or not taken[-1].redelivered
        return taken

    async def each(self, limit: int) -> AsyncIterator[list[AbstractIncomingMessage]]:
        """The next `limit` messages, in growing portions."""
        seen = 0
        while seen < limit:
            portion = await self.take(min(limit - seen, max(FIRST_TAKE, min(seen, LARGEST_TAKE))))
            if not portion:
                return
            seen += len(portion)
            yield portion

    async def replay(self, messages: Iterable[AbstractIncomingMessage]) -> list[tuple[Parked, str | None]]:
        """Sends messages to their service again, by their old routing key and with a new count of attempts. They are tried
        even if their authority is held.

        A message is removed when the broker has confirmed its copy: a crash between leaves both. Returned with each: what kept
        it from leaving, or nothing.
        """
        done: list[tuple[Parked, str | None]] = []
        waiting = list(messages)
        while waiting:
            together, repeated = _first_of_each_id(waiting[:IN_FLIGHT])
            waiting = repeated + waiting[IN_FLIGHT:]
            done += await asyncio.gather(*(self._replay(message) for message in together))
        return done

    async def remove(self, message: AbstractIncomingMessage) -> None:
        """Removes a message for good; sure when the walk has ended."""
        await message.ack()
        self._has_removed = True

    async def end(self) -> None:
        """Makes sure of what was removed, and reads on to the first message that was never taken, so that all go back in their
        old order.
        """
        if self._has_removed:
            await self._await_removal()
        while self._takes and not self._at_fresh:
            if not await self.take(LARGEST_TAKE):
                return

    async def _await_removal(self) -> None:
        """The broker does not answer acknowledgements. Of many, it holds back all but 32 while its journal is slow, and forgets
        them when the channel closes: up to 417 of 450 were back [tried on 3.10 and 4.0]. Consuming and cancelling go through
        the same journal and are answered: the first when those 32 are done, the second when the others are.
        """
        async with _broker_errors():
            taken = await self._consume(1, wait=False)
        self._at_fresh = not taken or not taken[-1].redelivered

    async def _consume(self, size: int, *, wait: bool = True) -> list[AbstractIncomingMessage]:
        """Takes `size` messages; without `wait` only what comes by itself, at most as many."""
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

        async def keep(message: aiormq.abc.DeliveredMessage) -> None:
            arrived.put_nowait(aio_pika.IncomingMessage(message))

        await self._channel.set_qos(prefetch_count=size)
        channel = cast("aiormq.Channel", await self._channel.get_underlay_channel())
        tag = f"kvar-{self._takes:06}"
        self._takes += 1
        await channel.basic_consume(self._queue, keep, consumer_tag=tag, timeout=PATIENCE_SECONDS)
        taken: list[AbstractIncomingMessage] = []
        while wait and len(taken) < size:
            async with asyncio.timeout(PATIENCE_SECONDS):
                taken.append(await arrived.get())
        await channel.basic_cancel(tag, timeout=PATIENCE_SECONDS)
        while not arrived.empty():
            taken.append(arrived.get_nowait())
        return taken

    async def _replay(self, message: AbstractIncomingMessage) -> tuple[Parked, str | None]:
        parked = Parked.of(self.service, message)
        headers = {name: value for name, value in lasting_headers(message).items() if name not in OWN_HEADERS}
        headers[REPLAYED_HEADER] = True
        try:
            await forward(message, topology.again_exchange(self.service), parked.routing_key, headers)
        except Outage as outage:
            return parked, str(outage)
        await self.remove(message)
        return parked, None


class Desk:
    """The queues of parked and held messages of one broker, as long as the connection lasts."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def round(self, service: str, *, held: bool = False) -> AsyncIterator[Round]:
        """A walk through one service's parked messages, or those held; at its end what was not removed is back in place.

        Raises:
            ParkingError: the service has no such queue.
            Outage: the broker is away.
        """
        async with _broker_errors():
            channel = await self._connection.channel()
        queue = topology.held_queue(service) if held else topology.parking_queue(service)
        walk = Round(channel, service, queue)
        try:
            yield walk
            await walk.end()
        finally:
            async with _broker_errors():
                await channel.close()


@asynccontextmanager
async def operating(amqp_url: str) -> AsyncIterator[Desk]:
    """Connects, as the only operator.

    Raises:
        Outage: the broker is away.
        ParkingError: another operator is at work.
    """
    read_whatever_comes()
    async with _broker_errors():
        connection = await aio_pika.connect(amqp_url, timeout=PATIENCE_SECONDS)
    try:
        await _lock(connection)
        yield Desk(connection)
    finally:
        await connection.close()


async def _lock(connection: AbstractConnection) -> None:
    try:
        async with _broker_errors():
            channel = await connection.channel()
            await channel.declare_queue(LOCK_QUEUE, exclusive=True, timeout=PATIENCE_SECONDS)
    except Outage as outage:
        if isinstance(outage.__cause__, aiormq.ChannelLockedResource):
            raise ParkingError("another `kvar parking` is at work; try again when it is done") from outage
        raise


@asynccontextmanager
async def _broker_errors() -> AsyncIterator[None]:
    try:
        yield
    except aiormq.ChannelNotFoundEntity as error:
        raise ParkingError("there is no such parking queue: no service has been started on this broker") from error
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise Outage(named(error)) from error


def _first_of_each_id(
    messages: list[AbstractIncomingMessage],
) -> tuple[list[AbstractIncomingMessage], list[AbstractIncomingMessage]]:
    """The first message of each id, and the others: the client tells returned copies apart by their ids alone."""
    seen: set[str | None] = set()
    first: list[AbstractIncomingMessage] = []
    others: list[AbstractIncomingMessage] = []
    for message in messages:
        (others if message.message_id in seen else first).append(message)
        if message.message_id is not None:
            seen.add(message.message_id)
    return first, others
