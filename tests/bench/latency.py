"""From an event to the alert it raises, while scoring is half busy, beside a bare message through the same broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage

from shared.events import AnyEvent
from shared.messaging import topology
from tests.bench.load import alerting, events
from tests.bench.stage import Servers, channel_to, key_of, message_of, progress_of, scoring

ALERT_EVERY = 20
"""One event of so many brings a new student to a higher level by itself."""
_TICK_SECONDS = 0.01
_PATIENCE_SECONDS = 60.0
_BARE = "bench.bare"


class Offer(NamedTuple):
    """Events a second, for how many seconds, of how many students."""

    rate: float
    seconds: float
    students: int

    @property
    def total(self) -> int:
        """How many events that are."""
        return int(self.rate * self.seconds)


class Latency(NamedTuple):
    """Milliseconds from publishing to arrival; how many were measured; events a second that were really offered."""

    p50: float
    p99: float
    measured: int
    offered: float


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least that share of all reaches."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def mixed(students: int, total: int) -> Iterator[tuple[AnyEvent, bool]]:
    """Ordinary lessons, and every so often an event that raises an alert (true)."""
    ordinary = events(students, total)
    for number in range(total):
        if number % ALERT_EVERY == ALERT_EVERY - 1:
            yield alerting(number, datetime.now(UTC)), True
        else:
            yield next(ordinary), False


class Arrivals:
    """When what is waited for was sent and came."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.milliseconds: dict[str, float] = {}

    def came(self, key: str) -> None:
        """Something has come; only the first time counts, and only what was sent to be measured."""
        if key in self.sent and key not in self.milliseconds:
            self.milliseconds[key] = (time.perf_counter() - self.sent[key]) * 1000

    async def all_here(self) -> None:
        """Waits for what is under way.

        Raises:
            TimeoutError: something did not come.
        """
        deadline = time.perf_counter() + _PATIENCE_SECONDS
        while len(self.milliseconds) < len(self.sent):
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{len(self.sent) - len(self.milliseconds)} of {len(self.sent)} never came")
            await asyncio.sleep(_TICK_SECONDS)

    def summary(self, offered: float) -> Latency:
        """The percentiles."""
        values = list(self.milliseconds.values())
        return Latency(percentile(values, 0.5), percentile(values, 0.99), len(values), offered)


async def paced(total: int, rate: float) -> AsyncIterator[int]:
    """Numbers at a steady pace: what is due, every hundredth of a second."""
    started, made = time.perf_counter(), 0
    while made < total:
        due = min(total, int((time.perf_counter() - started) * rate) + 1)
        for number in range(made, due):
            yield number
        made = due
        await asyncio.sleep(_TICK_SECONDS)


async def measure_bare(servers: Servers, offer: Offer, progress: Callable[[int], None]) -> Latency:
    """The same messages at the same pace, straight from an exchange through a queue to a consumer."""
    async with channel_to(servers.vhost(), confirms=False) as channel:
        exchange = await channel.declare_exchange(_BARE, ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(_BARE, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange, "#")
        arrivals = Arrivals()

        async def on_message(message: AbstractIncomingMessage) -> None:
            arrivals.came(message.message_id or "")
            await message.ack()

        await channel.set_qos(prefetch_count=500)
        await queue.consume(on_message)
        return await _send(exchange, arrivals, offer, progress, by=lambda event: event.id)


async def measure_alerts(servers: Servers, offer: Offer, progress: Callable[[int], None]) -> Latency:
    """From publishing the event to the arrival of `level.changed`."""
    url = servers.vhost()
    async with channel_to(url, confirms=False) as channel:
        with scoring(url, servers) as running:
            exchange = await channel.get_exchange(topology.EVENTS)
            await exchange.publish(message_of(warm := alerting(0, datetime.now(UTC))), key_of(warm))
            async with progress_of(running) as looks:
                async for _, count in looks:
                    if count:
                        break
            arrivals = Arrivals()
            await _listen(channel, arrivals)
            return await _send(exchange, arrivals, offer, progress, by=lambda event: event.subject)


async def _listen(channel: AbstractChannel, arrivals: Arrivals) -> None:
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(topology.RISK, topology.LEVEL_CHANGED_KEY)

    async def on_message(message: AbstractIncomingMessage) -> None:
        arrivals.came((message.message_id or "").rpartition(":")[0])

    await queue.consume(on_message, no_ack=True)


async def _send(
    exchange: AbstractExchange,
    arrivals: Arrivals,
    offer: Offer,
    progress: Callable[[int], None],
    *,
    by: Callable[[AnyEvent], str],
) -> Latency:
    load = mixed(offer.students, offer.total)
    started = time.perf_counter()
    async for number in paced(offer.total, offer.rate):
        event, is_measured = next(load)
        message = message_of(event)
        if is_measured:
            arrivals.sent[by(event)] = time.perf_counter()
        await exchange.publish(message, key_of(event))
        progress(number + 1)
    offered = offer.total / (time.perf_counter() - started)
    await arrivals.all_here()
    return arrivals.summary(offered)
