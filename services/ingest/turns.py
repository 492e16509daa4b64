"""Whose work is next, when there is more than can be done at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Work of several publishers, each having a turn after the others, however much one of them brings."""

    def __init__(self, most: int, most_each: int) -> None:
        """`most`: turns taken at the same time; `most_each`: of these, by one publisher."""
        self._most = most
        self._most_each = most_each
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._turns = 0
        self._last: dict[str, int] = {}
        """Of each publisher the number of its last turn."""

    @asynccontextmanager
    async def turn(self, publisher: str) -> AsyncIterator[None]:
        """Waits for a turn and has it as long as the block lasts."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(publisher, deque()).append(place)
        self._hand_out()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._give_back(publisher)
            raise
        try:
            yield
        finally:
            self._give_back(publisher)

    def _hand_out(self) -> None:
        while self._taken.total() < self._most and (publisher := self._next()) is not None:
            place = self._waiting[publisher].popleft()
            if not self._waiting[publisher]:
                del self._waiting[publisher]
            if not place.cancelled():
                place.set_result(None)
                self._taken[publisher] += 1
                self._turns += 1
                self._last[publisher] = self._turns

    def _next(self) -> str | None:
        """Of those who wait and may have one more, the publisher who has had no turn for the longest."""
        may = [each for each in self._waiting if self._taken[each] < self._most_each]
        return min(may, key=lambda each: self._last.get(each, 0), default=None)

    def _give_back(self, publisher: str) -> None:
        self._taken[publisher] -= 1
        if not self._taken[publisher]:
            del self._taken[publisher]
        self._hand_out()
