"""Whether the broker takes messages. While it is short of memory or disk (an *alarm*) it reads nothing more from a connection
that publishes: neither confirms nor acknowledgements come through until the alarm is over.

It says so (`connection.blocked`) only to a connection that publishes meanwhile. One that only consumes is served as ever, and
must stay so, since consuming is what makes room: only who publishes anyway may try whether messages are taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faststream.rabbit import RabbitBroker

LOOK_SECONDS = 0.05
ALARM = "the broker takes no messages: it is short of memory or disk (an alarm)"


def is_blocked(broker: RabbitBroker) -> bool:
    """Whether the broker has said that it reads nothing from our connection."""
    connection = broker._connection  # noqa: SLF001 - FastStream has no public way to it
    transport = connection.transport if connection is not None else None
    if transport is None or transport.connection.is_closed:
        return False
    ready = transport.connection.ready()  # of an open connection it waits for nothing but this
    try:
        ready.send(None)
    except StopIteration:
        return False
    finally:
        ready.close()
    return True


class AlarmWatch:
    """Cuts waits for confirms short when an alarm begins: they would not come before it ends."""

    def __init__(self, broker: RabbitBroker) -> None:
        self._broker = broker
        self._limits: set[asyncio.Timeout] = set()
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def over(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Within, the limit is over as soon as there is an alarm."""
        self._limits.add(limit)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._limits.discard(limit)

    async def _look(self) -> None:
        while self._limits:
            if is_blocked(self._broker):
                limits, self._limits = self._limits, set()
                for limit in limits:
                    if not limit.expired():
                        limit.reschedule(0)
            await asyncio.sleep(LOOK_SECONDS)
