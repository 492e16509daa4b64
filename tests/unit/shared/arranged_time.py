"""Time that goes straight to the next timer, so that hours of waiting take no time and what is measured is exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable


class _NoWaiting(selectors.DefaultSelector):
    """Looks without waiting, and notes how long it was to wait."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waited += timeout or 0.0
        return super().select(0)


class ArrangedTime(asyncio.SelectorEventLoop):
    """A loop whose time stands still while anything is done, and goes straight to the next timer when nothing is."""

    def __init__(self) -> None:
        self._selecting = _NoWaiting()
        super().__init__(self._selecting)

    def time(self) -> float:
        return self._selecting.waited


def in_arranged_time(scene: Callable[[], Awaitable[None]]) -> None:
    async def play() -> None:
        await scene()

    with asyncio.Runner(loop_factory=ArrangedTime) as runner:
        runner.run(play())
