"""Plays days of events into ingest like any publisher: day by day, in batches, a few at a time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy.demo.doors import DoorError, open_door

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from deploy.demo.doors import Answer, Door
    from deploy.demo.events import DayOfEvents, Event

BATCH_SIZE = 500
BATCHES_IN_FLIGHT = 4
PATIENCE_SECONDS = 60.0
DRAIN_SECONDS = 120.0
POLL_SECONDS = 0.05
KEPT_REJECTIONS = 100


class NotDrained(Exception):
    """What was published was not worked off in time; the message says on which day."""


@dataclass
class PlayResult:
    """What became of the events. `unanswered` ones went through the broker, where ingest's answer is not heard."""

    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    unanswered: int = 0
    rejections: list[dict[str, Any]] = field(default_factory=list)
    """The first rejected items, at most 100, as ingest describes them."""
    seconds: float = 0.0

    def add(self, answer: Answer) -> None:
        """Counts one more batch."""
        self.sent += answer.accepted + answer.duplicate + answer.rejected + answer.unanswered
        self.accepted += answer.accepted
        self.duplicate += answer.duplicate
        self.rejected += answer.rejected
        self.unanswered += answer.unanswered
        self.rejections += answer.rejections[: KEPT_REJECTIONS - len(self.rejections)]


async def play(
    days: Iterable[DayOfEvents],
    *,
    total_events: int,
    ingest_url: str,
    token: str,
    on_progress: Callable[[int, int], None],
    drained: Callable[[], Awaitable[bool]],
    patience_seconds: float = PATIENCE_SECONDS,
    drain_seconds: float = DRAIN_SECONDS,
) -> PlayResult:
    """Publishes all days; the next day begins when the one before is worked off, so that measured latencies are honest.

    Args:
        days: in order; each is published in batches of 500, up to four of them at a time, so that the order within a
            day is not kept.
        total_events: for `on_progress`.
        ingest_url: `http://…` is ingest's HTTP door, `amqp://…` the broker with the exchange `sis.events`.
        token: the publisher's, for HTTP.
        on_progress: called with (sent so far, `total_events`) after each batch.
        drained: whether everything published so far has been worked off; asked until it says yes.
        patience_seconds: how long to resend a batch that nobody takes.
        drain_seconds: how long a day may take to be worked off.

    Raises:
        DoorError: when events could not be delivered.
        NotDrained: when a day took too long.
    """
    result = PlayResult()
    began = time.monotonic()
    async with open_door(ingest_url, token, patience_seconds=patience_seconds) as door:
        for day in days:
            await publish_day(door, day, result, lambda: on_progress(result.sent, total_events))
            await _until_drained(drained, day, drain_seconds)
    result.seconds = time.monotonic() - began
    return result


async def publish_day(door: Door, day: DayOfEvents, result: PlayResult, progressed: Callable[[], None]) -> None:
    """Publishes one day, counting into `result`; `progressed` is called after each batch. Raises `DoorError`."""
    free = asyncio.Semaphore(BATCHES_IN_FLIGHT)

    async def publish(batch: list[Event]) -> None:
        async with free:
            result.add(await door.publish(batch))
        progressed()

    batches = [day.events[start : start + BATCH_SIZE] for start in range(0, len(day.events), BATCH_SIZE)]
    try:
        async with asyncio.TaskGroup() as group:
            for batch in batches:
                group.create_task(publish(batch))
    except* DoorError as errors:
        failure = errors.exceptions[0]
    else:
        return
    # One door, one story: the first failure says all that the others would.
    raise failure


async def _until_drained(drained: Callable[[], Awaitable[bool]], day: DayOfEvents, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not await drained():
        if time.monotonic() > until:
            raise NotDrained(f"the {len(day.events)} events of {day.day} were not worked off within {seconds:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
