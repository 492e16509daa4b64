"""Waiting for what will come back: in place, with growing pauses, without giving up; and telling what is waited for."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from shared import metrics
from shared.errors import Outage, Retry, Unclear

ResultT = TypeVar("ResultT")

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
PROBE_SECONDS = 5.0
WORTH_TELLING_SECONDS = 5.0
"""A shorter wait is a hiccup, which readiness need not tell."""
LOG_SECONDS = 10.0
"""Hundreds of messages may wait for the same: one line in this time tells of all."""

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Waits:
    """All waiting of one service. `probe` proves that the database works; it raises `Outage` when not."""

    probe: Callable[[], Awaitable[None]]
    _now: dict[object, tuple[float, str]] = field(default_factory=dict)
    _logged_at: float | None = None

    def reason(self) -> str | None:
        """What keeps work waiting for long, if anything does."""
        if not self._now:
            return None
        since, outage = min(self._now.values())
        seconds = asyncio.get_running_loop().time() - since
        return f"work has been waiting for {seconds:.0f} s: {outage}" if seconds >= WORTH_TELLING_SECONDS else None

    async def is_well(self) -> bool:
        """Whether the database works, as far as one write can tell."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self.probe()
        except (Outage, TimeoutError):
            return False
        return True

    def begin(self, wait: object, outage: Outage) -> None:
        """Some work waits, or goes on waiting."""
        now = asyncio.get_running_loop().time()
        since, _ = self._now.get(wait, (now, ""))
        self._now[wait] = since, str(outage)
        if self._logged_at is None or now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            logger.warning("waiting for an outage to end", extra={"outage": str(outage), "waiting": len(self._now)})

    def end(self, wait: object) -> None:
        """It has been done, or given up."""
        self._now.pop(wait, None)


@dataclass(slots=True)
class Stopwatch:
    """How much of a time was spent waiting, in seconds."""

    waited: float = 0.0


_waits: ContextVar[Waits | None] = ContextVar("waits", default=None)
_stopwatch: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


def report_to(waits: Waits) -> None:
    """From here on, work of this task and of the tasks it starts tells there what it waits for."""
    _waits.set(waits)


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Counts how much of the time within is spent waiting for outages to end, attempts that failed by them included."""
    watch = Stopwatch()
    token = _stopwatch.set(watch)
    try:
        yield watch
    finally:
        _stopwatch.reset(token)


async def through_outages(work: Callable[[], Awaitable[ResultT]], *, service: str) -> ResultT:
    """Does the work, again after each `Outage`, for as long as it takes (until cancelled). Jitter keeps replicas apart.

    Raises:
        Retry: it is unclear whether there is an outage, and the database works otherwise.
    """
    clock, waits, watch = asyncio.get_running_loop().time, _waits.get(), _stopwatch.get()
    began, counted, wait = clock(), watch.waited if watch is not None else 0.0, object()
    pause = FIRST_PAUSE_SECONDS
    try:
        while True:
            try:
                return await work()
            except Outage as outage:
                if isinstance(outage, Unclear) and waits is not None and await waits.is_well():
                    raise Retry(str(outage)) from outage
                metrics.OUTAGES.labels(service).inc()
                if waits is not None:
                    waits.begin(wait, outage)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            if watch is not None:
                watch.waited = counted + clock() - began
    finally:
        if waits is not None:
            waits.end(wait)
