"""Work on many, one of which may be bad: what fails by itself is skipped for a while, and those behind it have their turn.

A round that finds the same elements first each time (the oldest, the longest due) would else stop at the same one each time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared import metrics
from shared.error_text import named, traced
from shared.errors import Outage

FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 600.0
MOST_SKIPPED = 10_000
TRACE_LENGTH = 2_000

logger = logging.getLogger(__name__)

KeyT = TypeVar("KeyT", bound=Hashable)


@dataclass(slots=True)
class _Failed:
    """How often in a row, and until when it is skipped."""

    times: int
    until: float


class Skipping(Generic[KeyT]):
    """Works on elements by their keys, and remembers in this process which have failed.

    An `Outage` is no element's fault: it ends the work and is raised. Any other error is that element's; it is logged with
    the key, which must hold no personal data. An element is tried again after a minute, then after longer and longer pauses,
    and for as long it costs nobody anything. The work must be safe to repeat.
    """

    def __init__(
        self,
        service: str,
        work: str,
        *,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`work`: names what is done, for log and metric."""
        self._service = service
        self._work = work
        self._longest_pause_seconds = longest_pause_seconds
        self._clock = clock
        self._failed: dict[KeyT, _Failed] = {}
        metrics.SKIPPED.labels(service, work)

    def __len__(self) -> int:
        """How many have failed lately. Who asks for a limited number of elements asks for so many more."""
        return len(self._failed)

    def in_turn(self, keys: Iterable[KeyT]) -> list[KeyT]:
        """Those of the keys that are not skipped now."""
        now = self._clock()
        return [key for key in keys if key not in self._failed or self._failed[key].until <= now]

    async def attempt(self, key: KeyT, work: Callable[[KeyT], Awaitable[object]]) -> None:
        """Does the work for one, even if it is skipped now.

        Raises:
            Outage: it has to wait.
        """
        await self._try([key], lambda alone: work(alone[0]))

    async def one_by_one(self, keys: Iterable[KeyT], work: Callable[[KeyT], Awaitable[object]]) -> None:
        """Does the work for each that is not skipped, one after the other.

        Raises:
            Outage: the rest has to wait.
        """
        for key in self.in_turn(keys):
            await self.attempt(key, work)

    async def together(self, keys: Iterable[KeyT], work: Callable[[Sequence[KeyT]], Awaitable[object]]) -> None:
        """Does the work for all that are not skipped at once; when it fails, for each half, down to the one at fault.

        Raises:
            Outage: the rest has to wait.
        """
        if keys := self.in_turn(keys):
            await self._try(keys, work)

    async def _try(self, keys: Sequence[KeyT], work: Callable[[Sequence[KeyT]], Awaitable[object]]) -> None:
        try:
            await work(keys)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - it is told, and the others go on
            if len(keys) == 1:
                self._skip(keys[0], error)
                return
        else:
            for key in keys:
                self._failed.pop(key, None)
            return
        middle = len(keys) // 2
        await self._try(keys[:middle], work)
        await self._try(keys[middle:], work)

    def _skip(self, key: KeyT, error: Exception) -> None:
        before = self._failed.pop(key, None)
        times = before.times + 1 if before else 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(times - 1, 10), self._longest_pause_seconds)
        if len(self._failed) >= MOST_SKIPPED:
            del self._failed[next(iter(self._failed))]
        self._failed[key] = _Failed(times, self._clock() + pause)
        metrics.SKIPPED.labels(self._service, self._work).inc()
        told = {"work": self._work, "key": str(key), "error": named(error), "trace": traced(error, TRACE_LENGTH)}
        logger.error("skipped for a while, as it failed by itself", extra=told)
