"""Publishing what is archived: with confirm, many at once, and again when it could not be confirmed.

What keeps one event from going out is that event's alone. One that no attempt gets out, since no contract fits it any more or
the broker takes it nowhere, is set aside: it stays noted, is tried again every ten minutes (a new version may mend it), and
nothing waits behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.ingest.store import Archived, EventArchive, UnpublishedBatch
from shared import metrics
from shared.background import Rounds
from shared.error_text import named
from shared.errors import Outage
from shared.events import read_event
from shared.messaging.broker import Unroutable
from shared.messaging.topology import routing_key

if TYPE_CHECKING:
    from shared.messaging.broker import Publish

UNCONFIRMED_AT_ONCE = 500
SWEEP_EVERY_SECONDS = 10.0
SWEEP_AFTER = timedelta(seconds=30)
SET_ASIDE_FOR = timedelta(minutes=10)
GIVEN_UP_AFTER = timedelta(hours=1)
"""When a noted event that is not in the archive was never written: its writer has long run into its deadline."""
SWEEP_BATCHES = 100
MOST_TOLD = 5

logger = logging.getLogger(__name__)


class Publishing:
    """Publishes archived events. What goes out is made from the archive alone, so it is the same each time."""

    def __init__(self, publish: Publish, shards: int) -> None:
        self._publish = publish
        self._shards = shards
        self._slots = asyncio.Semaphore(UNCONFIRMED_AT_ONCE)

    async def publish_all(self, events: Sequence[Archived]) -> dict[str, Exception]:
        """Publishes concurrently, each event by itself; returns what kept events from going out, by key.

        After the first that finds the broker away, those that have not begun are not tried. See `outage_of`.
        """
        problems: dict[str, Exception] = {}
        away: Outage | None = None

        async def publish_one(event: Archived) -> None:
            nonlocal away
            async with self._slots:
                if away is not None:
                    problems[event.key] = away
                    return
                try:
                    await self._publish_event(event)
                except Outage as outage:
                    if not isinstance(outage, Unroutable):
                        away = outage
                    problems[event.key] = outage
                except Exception as error:  # noqa: BLE001 - handed to the caller
                    problems[event.key] = error

        await asyncio.gather(*(publish_one(event) for event in events))
        if away is not None:
            logger.warning("not confirmed", extra={"outage": str(away), "events": len(problems)})
        return problems

    async def _publish_event(self, event: Archived) -> None:
        message = read_event(event.event.encode())
        await self._publish(
            message.encode(),
            routing_key=routing_key(event.type, event.subject, self._shards),
            message_id=message.id,
        )


def outage_of(problems: Mapping[str, Exception]) -> Outage | None:
    """The outage that kept events from going out, if there is one; all other problems are the events' own."""
    return next(
        (each for each in problems.values() if isinstance(each, Outage) and not isinstance(each, Unroutable)), None
    )


@dataclass(slots=True)
class _SetAside:
    """What a sweep could not get out, to be told in one line."""

    events: int = 0
    kinds: set[str] = field(default_factory=set)
    batches: list[str] = field(default_factory=list)

    def add(self, batch: UnpublishedBatch, kinds: Sequence[str]) -> None:
        self.events += len(kinds)
        self.kinds |= set(kinds)
        self.batches.append(batch.batch)

    def tell(self) -> None:
        if self.events:
            told = {"kinds": sorted(self.kinds)[:MOST_TOLD], "batches": self.batches[:MOST_TOLD]}
            logger.error("archived events cannot be published", extra={"events": self.events, **told})


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
        """Publishes all that has waited for more than 30 seconds, and some of what has been set aside for long enough.

        Raises:
            Outage: the rest has to wait.
        """
        oldest = await self._archive.oldest_unpublished()
        metrics.UNPUBLISHED_AGE.set(max((now - oldest).total_seconds(), 0.0) if oldest else 0.0)
        aside = _SetAside()
        try:
            waiting = 0
            while batches := await self._archive.unpublished_batches(now - SWEEP_AFTER, SWEEP_BATCHES, skip=waiting):
                for batch in batches:
                    waiting += await self._sweep_batch(batch, now, aside)
            for batch in await self._archive.batches_set_aside(now - SET_ASIDE_FOR, SWEEP_BATCHES):
                await self._sweep_batch(batch, now, aside)
        finally:
            aside.tell()
        metrics.UNPUBLISHABLE.set(await self._archive.events_set_aside())

    async def _sweep_batch(self, batch: UnpublishedBatch, now: datetime, aside: _SetAside) -> bool:
        """Publishes a batch, as far as its events can be; says whether it goes on waiting as it was."""
        found = await self._archive.find(batch.keys)
        problems = await self._publishing.publish_all(list(found.values()))
        to_come = [key for key in batch.keys if key not in found] if batch.opened_at > now - GIVEN_UP_AFTER else []
        outage = outage_of(problems)
        is_set_aside = bool(problems) and outage is None and not to_come
        await self._archive.note_published(
            batch.batch, [*problems, *to_come], set_aside_at=now if is_set_aside else None
        )
        if outage is not None:
            raise outage
        if problems:
            aside.add(batch, [f"{found[key].type}: {named(problem)}" for key, problem in problems.items()])
        return bool(to_come)
