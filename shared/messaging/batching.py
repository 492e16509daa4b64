"""Batches in front of a store, for a framework that hands over single messages. Knows nothing of the transport."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.error_text import without_frames

ItemT = TypeVar("ItemT")

logger = logging.getLogger(__name__)

Outcomes = Sequence[Exception | None]
"""One entry for each item of a batch, in order: what was wrong with it, or nothing."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[ItemT]):
    """An item, when it came by the loop's clock, and what its submitter waits for."""

    item: ItemT
    came_at: float
    done: asyncio.Future[None]


class Batcher(Generic[ItemT]):
    """Collects items and hands them over together: when `max_size` are there or the oldest has waited `max_wait` seconds.

    One batch is in work at a time; what arrives meanwhile forms the next, and its wait has begun. `submit` returns when the
    item's batch is done and raises what the batch says of the item. A batch for which `process` raises is taken again in
    halves, down to the single item, so `process` must be safe to repeat. How many may wait is bounded by the caller (a
    queue's prefetch).
    """

    def __init__(
        self, process: Callable[[list[ItemT]], Awaitable[Outcomes]], *, max_size: int, max_wait: float
    ) -> None:
        self._process = process
        self._max_size = max_size
        self._max_wait = max_wait
        self._waiting: list[_Entry[ItemT]] = []
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Batcher[ItemT]:
        """Starts the worker. After an end it may be started again."""
        self._worker = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Ends the worker; items still waiting are cancelled, so their messages stay unacknowledged."""
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        for entry in self._waiting:
            entry.done.cancel()
        self._waiting.clear()
        self._arrived.clear()
        self._full.clear()

    async def submit(self, item: ItemT) -> None:
        """Waits until the item's batch is done.

        Raises:
            Exception: what `process` said of this item, or raised for it alone.
        """
        loop = asyncio.get_running_loop()
        entry = _Entry(item, loop.time(), loop.create_future())
        self._waiting.append(entry)
        self._arrived.set()
        if len(self._waiting) >= self._max_size:
            self._full.set()
        await entry.done

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if len(self._waiting) < self._max_size and self._max_wait > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._waiting[0].came_at + self._max_wait):
                        await self._full.wait()
            batch, self._waiting = self._waiting[: self._max_size], self._waiting[self._max_size :]
            self._full.clear()
            if len(self._waiting) >= self._max_size:
                self._full.set()
            if not self._waiting:
                self._arrived.clear()
            # What its submitter has given up is another's work by now.
            if wanted := [entry for entry in batch if not entry.done.done()]:
                await self._hand_over(wanted)

    async def _hand_over(self, batch: list[_Entry[ItemT]]) -> None:
        try:
            outcomes = await self._outcomes([entry.item for entry in batch])
        except asyncio.CancelledError:
            for entry in batch:
                entry.done.cancel()
            raise
        for entry, outcome in zip(batch, outcomes, strict=True):
            if entry.done.done():
                continue
            if outcome is None:
                entry.done.set_result(None)
            else:
                entry.done.set_exception(outcome)

    async def _outcomes(self, items: list[ItemT], *, is_part: bool = False) -> Outcomes:
        """What `process` says; when it raises, each half by itself, so that a fault finds the one item that brings it.

        The error of a half is let go before its own halves are tried, and that of an item keeps nothing of the batch: as
        many as there are items may be waiting to be told.
        """
        try:
            return await self._process(items)
        except Exception as error:
            without_frames(error)
            if len(items) == 1:
                return [error]
            if not is_part:
                logger.exception("a batch failed; its halves are taken by themselves", extra={"items": len(items)})
        middle = len(items) // 2
        return [
            *await self._outcomes(items[:middle], is_part=True),
            *await self._outcomes(items[middle:], is_part=True),
        ]
