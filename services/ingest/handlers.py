"""The AMQP door.

Queue `ingest.sis` (exchange `sis.events`, any routing key): one CloudEvent a message, as publishers send it. What is accepted
goes out to exchange `events` under the student's pseudonym; what is refused is kept among the rejected, where its publisher
finds it, and acknowledged. A message is acknowledged when its event is archived and published.

Who may say what: a message whose `user_id` (which the broker verifies) is an authority's code speaks for that authority alone;
any other user that the broker lets publish to `sis.events` may speak for every authority that has a publisher's token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from services.ingest.arrivals import Arrival, Door, Receiver
from shared.messaging.batching import Batcher, Outcomes
from shared.messaging.forwarding import user_of
from shared.waiting import through_outages

if TYPE_CHECKING:
    from faststream.rabbit.message import RabbitMessage


@dataclass(frozen=True, slots=True)
class Publishers:
    """The authorities that may publish."""

    authorities: frozenset[str]

    def arrival(self, text: bytes, user_id: str | None) -> Arrival:
        """An item from a user of the broker."""
        if user_id in self.authorities:
            return Arrival(text, frozenset({user_id}), user_id)
        return Arrival(text, self.authorities, None)

    async def decode(self, message: RabbitMessage) -> Arrival:
        """A message as an item, whatever it holds: it is read, and refused where that cannot be, when its turn comes."""
        return self.arrival(message.body, user_of(message.raw_message))


class SisHandler:
    """Takes events from `ingest.sis`, many at once."""

    def __init__(self, intake: Receiver, clock: Callable[[], datetime], *, max_size: int, max_wait: float) -> None:
        """`max_size`: items of a batch; `max_wait`: seconds that the first of them waits for company."""
        self._intake = intake
        self._clock = clock
        self.batcher: Batcher[Arrival] = Batcher(self._process, max_size=max_size, max_wait=max_wait)

    async def event_published(self, arrival: Arrival) -> None:
        """Returns when the item is accepted and sure, or refused and kept."""
        await self.batcher.submit(arrival)

    async def _process(self, arrivals: Sequence[Arrival]) -> Outcomes:
        now = self._clock()
        await through_outages(lambda: self._intake.receive(arrivals, door=Door.AMQP, now=now), service="ingest")
        return [None] * len(arrivals)
