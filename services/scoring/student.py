"""Everything known of one student that scoring needs at hand, and how new facts change it.

The state holds the days that the windows look at, the single lessons of the newest days, all marks and places, the
standing after each of the last days (`trail`) and that after all days before (`base`). New facts are folded from the
earliest day that they change. What is older stays in the store of facts; `needs` tells when it must be fetched. The level
is a pure fold over the facts: no order, repetition or delay of them changes where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.scoring.facts import (
    Day,
    Fact,
    Lesson,
    LessonFact,
    Mark,
    MarkFact,
    Place,
    PlaceFact,
    current_place,
    is_newer,
    sum_day,
)
from services.scoring.indicators import History, reasons_on, score_on
from services.scoring.level import Standing, step
from shared.events import Level, Reason

OPEN_DAYS = 3
"""School days whose single lessons are at hand: most registers and corrections come within these."""
TRAIL_DAYS = 20
"""Days that can change without reading the store; the trail grows to twice that, then `base` moves on."""
WINDOW_DAYS = 40
"""Days kept before those: 30 school days and 30 calendar days, the longest windows, never need more."""
UNCHANGED = 2**31
"""Day number after all days: nothing has changed."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Facts that must be read from the store before new ones can be applied."""

    everything: bool = False
    days: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the facts say. `as_of` and `fresh_until` are day numbers."""

    score: int = 0
    level: Level = Level.UNIVERSAL
    reasons: tuple[Reason, ...] = ()
    as_of: int | None = None
    fresh_until: int | None = None


@dataclass(slots=True)
class Student:
    """The state of one student. Mutable: it belongs to one batch."""

    days: dict[int, Day] = field(default_factory=dict)
    open: dict[int, dict[str, Lesson]] = field(default_factory=dict)
    marks: dict[tuple[str, str], list[Mark]] = field(default_factory=dict)
    places: dict[tuple[str, int], Place] = field(default_factory=dict)
    base: Standing = field(default_factory=Standing)
    base_day: int = 0
    """Last day folded into `base`; 0 for none."""
    trail: dict[int, Standing] = field(default_factory=dict)
    """Standing after each day with facts since `base_day`, in order."""
    changed_from: int = UNCHANGED
    """Earliest day changed since the last assessment; not stored."""
    newest: int = 0
    """Newest day of any lesson seen."""
    fresh_until: int = 0
    """Newest day with a taken register."""

    def needs(self, facts: Iterable[Fact]) -> Needs:
        """What must be read first: a touched day that is not at hand, or everything when the change lies before `base`."""
        days: set[int] = set()
        for fact in facts:
            if isinstance(fact, LessonFact):
                if fact.day <= self.base_day:
                    return Needs(everything=True)
                if fact.day not in self.open and fact.day <= self.newest:
                    days.add(fact.day)
            elif isinstance(fact, MarkFact) and fact.version.recorded_on <= self.base_day and self._is_news(fact):
                return Needs(everything=True)
        return Needs(days=frozenset(days))

    def apply(self, facts: Iterable[Fact]) -> bool:
        """Merges facts, in any order; what `needs` named must be among them. Tells whether anything changed."""
        news = [fact for fact in facts if self._merge(fact)]
        for day in {fact.day for fact in news if isinstance(fact, LessonFact)}:
            self._sum(day)
        return bool(news)

    def _merge(self, fact: Fact) -> bool:
        match fact:
            case LessonFact():
                lessons = self.open.setdefault(fact.day, {})
                is_news = is_newer(fact.version, lessons.get(fact.lesson))
                if is_news:
                    lessons[fact.lesson] = fact.version
                    self.changed_from = min(self.changed_from, fact.day)
            case MarkFact():
                is_news = self._is_news(fact)
                if is_news:
                    self.marks.setdefault((fact.course, fact.kind), []).append(fact.version)
                    self.changed_from = min(self.changed_from, fact.version.recorded_on)
            case PlaceFact():
                key = (fact.school_unit, fact.starts_on)
                is_news = is_newer(fact.version, self.places.get(key))
                if is_news:
                    self.places[key] = fact.version
        return is_news

    def assess(self) -> Assessment:
        """Folds the changed days and explains the newest one; moves `base` on when many days have gathered."""
        history = History([self.days[day] for day in sorted(self.days)], self.marks)
        self._refold(history)
        self._settle()
        newest = next(reversed(self.trail), 0) or self.base_day
        standing = self.trail.get(newest, self.base)
        return Assessment(
            score=standing.score,
            level=standing.level,
            reasons=tuple(reasons_on(history, newest)) if newest else (),
            as_of=newest or None,
            fresh_until=self.fresh_until or None,
        )

    def _refold(self, history: History) -> None:
        self.trail = {day: standing for day, standing in self.trail.items() if day < self.changed_from}
        last = next(reversed(self.trail), self.base_day)
        standing = self.trail.get(last, self.base)
        for day in history.fact_days():
            if day > last:
                standing = step(standing, score_on(history, day))
                self.trail[day] = standing
        self.changed_from = UNCHANGED

    def _settle(self) -> None:
        if len(self.trail) > 2 * TRAIL_DAYS:
            for day in list(self.trail)[:-TRAIL_DAYS]:
                self.base_day, self.base = day, self.trail.pop(day)
        for day in sorted(self.open)[:-OPEN_DAYS]:
            del self.open[day]
        settled = sorted(day for day in self.days if day <= self.base_day)
        for day in settled[:-WINDOW_DAYS]:
            del self.days[day]

    def school_unit(self) -> str | None:
        """Where the student is now."""
        place = current_place(self.places)
        return place[0] if place else None

    def groups(self) -> list[str]:
        """The student's groups there."""
        place = current_place(self.places)
        return sorted(place[1].groups) if place else []

    def _is_news(self, fact: MarkFact) -> bool:
        return fact.version not in self.marks.get((fact.course, fact.kind), ())

    def _sum(self, day: int) -> None:
        total = sum_day(day, self.open[day].values())
        self.newest = max(self.newest, day)
        if total is None:
            self.days.pop(day, None)
        else:
            self.days[day] = total
        registered = max((n for n, known in self.days.items() if known.scheduled), default=0)
        earlier = self.fresh_until if self.fresh_until < min(self.days, default=self.base_day) else 0
        self.fresh_until = max(registered, earlier)


def from_facts(facts: Iterable[Fact]) -> Student:
    """A student's state from all facts, from scratch."""
    student = Student()
    student.apply(facts)
    return student
