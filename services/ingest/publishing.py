"""Publishing what is archived: with confirm, many at once, and again when it could not be confirmed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.ingest.store import Archived, EventArchive
from shared import metrics
from shared.background import Rounds
from shared.errors import Outage, Reject
from shared.events import read_event
from shared.messaging.topology import routing_key

if TYPE_CHECKING:
    from shared.messaging.broker import Publish

UNCONFIRMED_AT_ONCE = 500
SWEEP_EVERY_SECONDS = 10.0
SWEEP_AFTER = timedelta(seconds=30)
GIVEN_UP_AFTER = timedelta(hours=1)
"""When a noted event that is not in the archive was never written: its writer has long run into its deadline."""
SWEEP_BATCHES = 100

logger = logging.getLogger(__name__)


class Publishing:
    """Publishes archived events. What goes out is made from the archive alone, so it is the same each time."""

    def __init__(self, publish: Publish, shards: int) -> None:
        self._publish = publish
        self._shards = shards
        self._slots = asyncio.Semaphore(UNCONFIRMED_AT_ONCE)
        self.problem = ""
        """Why the last event that was not confirmed was not."""

    async def publish_all(self, events: Sequence[Archived]) -> list[str]:
        """Publishes concurrently; returns the keys that the broker did not confirm. After the first, the rest is not tried."""
        unconfirmed: list[str] = []

        async def publish_one(event: Archived) -> None:
            async with self._slots:
                if unconfirmed or not await self._is_confirmed(event):
                    unconfirmed.append(event.key)

        await asyncio.gather(*(publish_one(event) for event in events))
        if unconfirmed:
            logger.warning("not confirmed", extra={"outage": self.problem, "events": len(unconfirmed)})
        return unconfirmed

    async def _is_confirmed(self, event: Archived) -> bool:
        message = read_event(event.event.encode())
        try:
            await self._publish(
                message.encode(),
                routing_key=routing_key(event.type, event.subject, self._shards),
                message_id=message.id,
            )
        except Outage as outage:
            self.problem = str(outage)
            return False
        return True


class Sweeper:
    """Publishes what a crash or an outage left archived but unpublished. Several may do the same: readers know repetitions."""

    def __init__(self, archive: EventArchive, publishing: Publishing, clock: Callable[[], datetime]) -> None:
        self._archive = archive
        self._publishing = publishing
        self._clock = clock

    def rounds(self) -> Rounds:
        """Sweeps again and again."""
        return Rounds("sweeping", lambda: self.sweep(self._clock()), SWEEP_EVERY_SECONDS)

    async def sweep(self, now: datetime) -> None:
        """Publishes every batch that has waited for more than 30 seconds.

        Raises:
            Outage: the rest has to wait.
        """
        batches = await self._archive.oldest_unpublished(SWEEP_BATCHES)
        age = (now - batches[0].opened_at).total_seconds() if batches else 0.0
        metrics.UNPUBLISHED_AGE.set(max(age, 0.0))
        for batch in batches:
            if batch.opened_at > now - SWEEP_AFTER:
                break
            found = await self._archive.find(batch.keys)
            left = await self._publish_valid(list(found.values()))
            if batch.opened_at > now - GIVEN_UP_AFTER:
                left += [key for key in batch.keys if key not in found]
            await self._archive.note_published(batch.batch, left)

    async def _publish_valid(self, events: list[Archived]) -> list[str]:
        """Publishes; returns the keys of events that no contract fits any more, which would hold up all others."""
        valid, invalid = [], []
        for event in events:
            try:
                read_event(event.event.encode())
            except Reject:
                logger.exception("an archived event obeys no contract", extra={"event_type": event.type})
                invalid.append(event.key)
            else:
                valid.append(event)
        if unconfirmed := await self._publishing.publish_all(valid):
            raise Outage(f"{len(unconfirmed)} archived events are not confirmed: {self._publishing.problem}")
        return invalid
