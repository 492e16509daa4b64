"""What is read of one student's stored facts, folded while it comes: what it takes does not grow with what is stored. Pure.

Of each fact the version counts that ranks highest, of a day or course beyond its bound no more than shows that it is, of places
the latest begun. Everything else is surplus: no state that is made from the facts can depend on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

from services.scoring import bounds
from services.scoring.facts import Fact, LessonFact, MarkFact, PlaceFact, rank
from services.scoring.records import KeptFact
from shared.events.places import MOST_PLACES, Begun, latest_begun

MOST_VERSIONS = 100
"""Versions of one fact that the store keeps, for `kvar explain --at`."""
MOST_SURPLUS = 10_000
"""Noted of one reading; what is more is read, and noted, another time."""

Key = tuple[object, ...]
ItemT = TypeVar("ItemT")


class _Bounded(Generic[ItemT]):
    """What is kept by the key of a fact, and by what bounds how many keys there may be: a day, a course, the places."""

    def __init__(self) -> None:
        self._lessons: dict[int, dict[Key, ItemT]] = {}
        self._marks: dict[str, dict[Key, ItemT]] = {}
        self._places: dict[Key, ItemT] = {}

    def _beside(self, fact: Fact) -> dict[Key, ItemT]:
        """What is kept of the same day or course, or of places."""
        match fact:
            case LessonFact():
                return self._lessons.setdefault(fact.day, {})
            case MarkFact():
                return self._marks.setdefault(fact.course, {})
            case PlaceFact():
                return self._places

    def _has_room(self, fact: Fact) -> bool:
        """Whether one more key may be kept. One beyond the bound shows what is beyond it."""
        most = bounds.MOST_LESSONS + 1 if isinstance(fact, LessonFact) else bounds.MOST_MARKS_OF_COURSE + 1
        return isinstance(fact, PlaceFact) or len(self._beside(fact)) < most

    def _early_places(self, begun: Callable[[ItemT], Begun]) -> list[ItemT]:
        """Places that do not count, taken out when there are many of them."""
        if len(self._places) <= 2 * MOST_PLACES:
            return []
        latest = latest_begun(self._places.items(), lambda one: begun(one[1]))
        early = self._places.keys() - dict(latest).keys()
        return [self._places.pop(key) for key in early]

    def _items(self) -> Iterator[ItemT]:
        for known in (*self._lessons.values(), *self._marks.values(), self._places):
            yield from known.values()


class Valid(_Bounded[Fact]):
    """The valid versions of facts."""

    def add(self, fact: Fact, key: Key) -> list[Fact]:
        """Takes a version in; returns what no longer counts because of it. `key`: the fact's."""
        known = self._beside(fact)
        held = known.get(key)
        if held is None and not self._has_room(fact):
            return [fact]
        if held is None or rank(fact) > rank(held):
            known[key] = fact
            return [held] if held is not None else self._early_places(_begun)
        return [fact]

    def get(self, fact: Fact) -> Fact | None:
        """The version that is valid of what a fact speaks of."""
        return self._beside(fact).get(fact.key)

    def facts(self, without: Collection[Key] = ()) -> list[Fact]:
        """All of them but those of some keys."""
        return [fact for fact in self._items() if not without or fact.key not in without]


class Versions(_Bounded[list[KeptFact]]):
    """The versions of facts, of each the first `MOST_VERSIONS` that are read."""

    def add(self, kept: KeptFact) -> None:
        """Takes a stored fact in."""
        known = self._beside(kept.fact)
        if kept.fact.key in known or self._has_room(kept.fact):
            of_fact = known.setdefault(kept.fact.key, [])
            if len(of_fact) < MOST_VERSIONS:
                of_fact.append(kept)
            self._early_places(lambda versions: _begun(versions[0].fact))

    def facts(self) -> list[KeptFact]:
        """All of them."""
        return [kept for versions in self._items() for kept in versions]


def _begun(fact: Fact) -> Begun:
    return fact.version.begun if isinstance(fact, PlaceFact) else (0, "")


class Gathered:
    """The stored facts of a student of a batch. `surplus`: those that need not be stored.

    What has come with the batch is told apart from what had been known *before* by the time of receipt.
    """

    def __init__(self, came: Iterable[KeptFact] = ()) -> None:
        self.surplus: list[Fact] = []
        self._valid, self._before = Valid(), Valid()
        self._lost: Counter[Key] = Counter()
        self._came: dict[Fact, datetime] = {}
        self._came_keys: set[Key] = set()
        for kept in came:
            self._came[kept.fact] = min(kept.recorded_time, self._came.get(kept.fact, kept.recorded_time))
            self._came_keys.add(kept.fact.key)

    def add(self, kept: KeptFact) -> None:
        """Takes a stored fact in."""
        fact, key = kept.fact, kept.fact.key
        if key in self._came_keys and (fact not in self._came or kept.recorded_time < self._came[fact]):
            self._before.add(fact, key)
        for lost in self._valid.add(fact, key):
            if self._valid.get(lost) is None:
                self._note(lost)
            else:
                self._lost[lost.key] += 1
                if self._lost[lost.key] >= MOST_VERSIONS:
                    self._note(lost)

    def _note(self, fact: Fact) -> None:
        if len(self.surplus) < MOST_SURPLUS:
            self.surplus.append(fact)

    def valid(self) -> list[Fact]:
        """The valid versions of all."""
        return self._valid.facts()

    def valid_before(self) -> list[Fact]:
        """The valid versions without what has come."""
        return [*self._valid.facts(without=self._came_keys), *self._before.facts()]

    def known_before(self, came: Fact) -> Fact | None:
        """What was valid in the place of a fact that has come."""
        return self._before.get(came)
