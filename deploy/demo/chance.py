"""Chance that repeats itself: the same key gives the same stream on every machine and every version of Python.

Python promises this for `random.random()` only, not for `choice`, `shuffle`, `gauss` and their like; so everything
here is made from `random()`, without functions of the platform's mathematics library.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")


class Chance:
    """One stream of chance for one purpose, named by its key.

    Give each student and each purpose a stream of its own: then a new purpose leaves all others as they were.
    """

    def __init__(self, *key: object) -> None:
        digest = hashlib.sha256("\x1f".join(str(part) for part in key).encode()).digest()
        # Reproducible by intention: nothing here is a secret.
        self._draw = Random(int.from_bytes(digest[:8], "big")).random  # noqa: S311

    def share(self) -> float:
        """A number from 0 up to but not including 1."""
        return self._draw()

    def happens(self, probability: float) -> bool:
        """True with this probability. Always takes one draw, so that the stream does not depend on the probability."""
        return self._draw() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._draw() * (high - low + 1))

    def bell(self) -> float:
        """A number from 0 to 1, mostly near 0.5: the mean of three draws (standard deviation 1/6)."""
        return (self._draw() + self._draw() + self._draw()) / 3

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[int(self._draw() * len(items))]

    def weighted(self, items: Sequence[tuple[T, float]]) -> T:
        """One of the items, each as likely as its weight."""
        left = self._draw() * sum(weight for _, weight in items)
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][0]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """The items in another order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.between(0, last)
            order[last], order[other] = order[other], order[last]
        return order
