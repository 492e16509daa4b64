"""Who works on whose alerts when: a number of workers, woken by events at once and by a sweep for what was left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Self

from shared.error_text import named, traced
from shared.errors import Outage
from shared.skipping import FIRST_PAUSE_SECONDS, TRACE_LENGTH, Skipping

WORKERS = 32
QUEUE_LIMIT = 10_000
SWEEP_SECONDS = 2.0
SWEEP_LIMIT = 500
STOP_SECONDS = 12.0
CUT_OFF_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Dispatcher:
    """Calls `deliver(student)` for every student that somebody named, each in one worker at a time.

    `due(limit)` names students whose stored alerts are due; it is asked every `SWEEP_SECONDS`, which covers restarts,
    outages, leases of dead replicas and what did not fit into the queue. A student whose delivery fails for another reason
    than an outage is left out of that for a minute, else the longest due would be the same again and again.
    """

    def __init__(
        self,
        deliver: Callable[[str], Awaitable[None]],
        due: Callable[[int], Awaitable[list[str]]],
        *,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._deliver = deliver
        self._due = due
        self._sweep_seconds = sweep_seconds
        self._skipping = Skipping[str]("notify", "delivering", longest_pause_seconds=FIRST_PAUSE_SECONDS)
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LIMIT)
        self._waiting: set[str] = set()
        self._in_work: set[str] = set()
        self._again: set[str] = set()
        self._nudged = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Starts workers and sweep."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        self._tasks.append(asyncio.create_task(self._sweep()))
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Takes on nothing new and lets the mails in work finish; what is left stays due in the database."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def wake(self, student: str) -> None:
        """Has the student's alerts looked at soon. Does not wait; when the queue is full the sweep will find them."""
        if student in self._waiting or self._queue.full():
            return
        self._waiting.add(student)
        self._queue.put_nowait(student)

    def sweep_soon(self) -> None:
        """Has the database asked at once for what is due."""
        self._nudged.set()

    async def _work(self) -> None:
        while True:
            student = await self._queue.get()
            self._waiting.discard(student)
            if student in self._in_work:
                self._again.add(student)
                continue
            self._in_work.add(student)
            try:
                await _safely(lambda name=student: self._skipping.attempt(name, self._finish_once_begun))  # type: ignore[misc]
            finally:
                self._in_work.discard(student)
            if student in self._again:
                self._again.discard(student)
                self.wake(student)

    async def _finish_once_begun(self, student: str) -> None:
        """A stop does not cut off between mail and mark: what has begun goes on to its end, for `STOP_SECONDS` at most.

        A mail that is cut off then may be out; that was noted before.
        """
        work = asyncio.ensure_future(self._deliver(student))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work], timeout=STOP_SECONDS)
            work.cancel()
            await asyncio.wait([work], timeout=CUT_OFF_SECONDS)
            raise

    async def _sweep(self) -> None:
        while True:
            await _safely(self._wake_due)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._sweep_seconds):
                    await self._nudged.wait()
            self._nudged.clear()

    async def _wake_due(self) -> None:
        for student in self._skipping.in_turn(await self._due(SWEEP_LIMIT + len(self._skipping))):
            self.wake(student)


async def _safely(work: Callable[[], Awaitable[None]]) -> None:
    """Does the work; an error is logged and ends only this piece of it, since all is stored and tried again."""
    try:
        await work()
    except Outage as outage:
        logger.warning("alerts wait for an outage to end", extra={"outage": str(outage)})
    except Exception as error:  # noqa: BLE001 - workers and sweep must live on
        # Not by its text: that of an error made while writing a letter could quote the student's name.
        logger.error("alerts failed", extra={"error": named(error), "trace": traced(error, TRACE_LENGTH)})  # noqa: TRY400
