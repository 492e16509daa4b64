"""Work that a service does beside its messages, round after round: sweeping, counting, gauges."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.waiting import stopwatch, through_outages

LONGEST_PAUSE_SECONDS = 30.0
"""A round that took this long hung on a database that stood still, and is no measure of the work that it had."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Work done again and again, with at least `every_seconds` between rounds.

    `share`: the largest part of the time (0…1) that it may take, so that it leaves room when rounds are long. Waiting for an
    outage to end takes nothing.
    """

    name: str
    work: Callable[[], Awaitable[object]]
    every_seconds: float
    share: float = 1.0

    def pause_after(self, worked: float) -> float:
        """Seconds until the next round, after one with so many seconds of work."""
        return max(self.every_seconds, min(worked / self.share - worked, LONGEST_PAUSE_SECONDS))


@asynccontextmanager
async def background(service: str, *rounds: Rounds) -> AsyncIterator[None]:
    """Does all rounds until the context ends; a round under way is then cancelled, so it must be safe to cut off.

    An `Outage` is waited out. Any other error ends its round alone and is logged: the next may succeed, and a service
    whose sweeping stood still would tell nobody.
    """
    tasks = [asyncio.create_task(_go_round(service, one), name=one.name) for one in rounds]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _go_round(service: str, rounds: Rounds) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        with stopwatch() as watch:
            try:
                await through_outages(rounds.work, service=service)
            except Exception:
                logger.exception("a round of background work failed", extra={"work": rounds.name})
        await asyncio.sleep(rounds.pause_after(clock() - began - watch.waited))
