"""Everything known of one student that scoring needs at hand, and how new facts change it.

The state holds the days that the windows look at, the single lessons of the newest days, all marks and places, the
standing after each of the last days (`trail`) and that after all days before (`base`). New facts are folded from the
earliest day that they change. What is older stays in the store of facts; `needs` tells when it must be fetched. The level
is a pure fold over the facts: no order, repetition or delay of them changes where it ends.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from services.scoring.courses import Timeline, timeline
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
    sum_day,
)
from services.scoring.indicators import Found, History, Model, score_of
from services.scoring.level import Standing, step
from services.scoring.rules import LONGEST_WINDOW
from shared.events import Level

OPEN_DAYS = 3
"""School days whose single lessons are at hand: most registers and corrections come within these."""
TRAIL_DAYS = 20
"""Days that can change without reading the store; the trail grows to twice that, then `base` moves on."""
SIGNAL_DAYS = 60
"""School days kept at least: what the signals of groups look at."""
UNCHANGED = 2**31
"""Day number after all days: nothing has changed."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Facts that must be read from the store before new ones can be applied."""

    everything: bool = False
    days: frozenset[int] = frozenset()


NOTHING = Needs()
EVERYTHING = Needs(everything=True)


class Assessment(NamedTuple):
    """What the facts say. `as_of` and `fresh_until` are day numbers.

    `wrong`: alerts (by number) whose level the student has, by these facts, not stood at since the day they were raised on.
    """

    score: int = 0
    level: Level = Level.UNIVERSAL
    reasons: tuple[Found, ...] = ()
    as_of: int | None = None
    fresh_until: int | None = None
    wrong: tuple[int, ...] = ()


@dataclass(slots=True)
class Raised:
    """A rise that was announced: by alert `n`, on a day, to a rank. `is_right`: the days up to `base_day` bear it out."""

    n: int
    day: int
    rank: int
    is_right: bool = False


@dataclass(slots=True)
class Student:
    """The state of one student. Mutable: it belongs to one batch."""

    days: dict[int, Day] = field(default_factory=dict)
    open: dict[int, dict[str, Lesson]] = field(default_factory=dict)
    marks: dict[tuple[str, str], list[Mark]] = field(default_factory=dict)
    places: dict[tuple[str, int], Place] = field(default_factory=dict)
    courses: Timeline = field(default_factory=list)
    """How the courses stood since `base_day`, from all marks."""
    base: Standing = field(default_factory=Standing)
    base_day: int = 0
    """Last day folded into `base`; 0 for none."""
    trail: dict[int, Standing] = field(default_factory=dict)
    """Standing after each day with facts since `base_day`, in order."""
    raised: list[Raised] = field(default_factory=list)
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
                    return EVERYTHING
                if fact.day not in self.open and fact.day <= self.newest:
                    days.add(fact.day)
            elif isinstance(fact, MarkFact) and fact.version.recorded_on <= self.base_day and self._is_news(fact):
                return EVERYTHING
        return Needs(days=frozenset(days)) if days else NOTHING

    def apply(self, facts: Iterable[Fact]) -> list[Fact]:
        """Merges facts, in any order; what `needs` named must be among them. Returns those that were news."""
        changed: set[int] = set()
        news: list[Fact] = []
        marks_changed = False
        for fact in facts:
            if isinstance(fact, LessonFact):
                if self._merge_lesson(fact):
                    changed.add(fact.day)
                    news.append(fact)
            elif isinstance(fact, MarkFact):
                if self._is_news(fact):
                    marks_changed = True
                    news.append(fact)
                    self.marks.setdefault((fact.course, fact.kind), []).append(fact.version)
                    self.changed_from = min(self.changed_from, fact.version.recorded_on)
            elif self._merge_place(fact):
                news.append(fact)
        if changed:
            self.changed_from = min(self.changed_from, *changed)
            self._sum(changed)
        if marks_changed:
            self.courses = timeline(self.marks)
        return news

    def _merge_lesson(self, fact: LessonFact) -> bool:
        lessons = self.open.get(fact.day)
        if lessons is None:
            lessons = self.open[fact.day] = {}
        known = lessons.get(fact.lesson)
        if known is not None and known[:2] >= fact.version[:2]:
            return False
        lessons[fact.lesson] = fact.version
        return True

    def _merge_place(self, fact: PlaceFact) -> bool:
        key = (fact.school_unit, fact.starts_on)
        known = self.places.get(key)
        if known is not None and known[:2] >= fact.version[:2]:
            return False
        self.places[key] = fact.version
        return True

    def assess(self, model: Model) -> Assessment:
        """Folds the changed days and explains the newest one; moves `base` on when many days have gathered."""
        days = sorted(self.days)
        first = bisect_left(days, min(self.changed_from, next(reversed(self.trail), self.base_day)))
        history = History([self.days[day] for day in days[max(0, first - model.window) :]], self.courses)
        found = self._refold(history, model)
        wrong = tuple([raised.n for raised in self.raised if not self._is_right(raised)])
        self._settle(days)
        newest = next(reversed(self.trail), 0) or self.base_day
        standing = self.trail.get(newest, self.base)
        return Assessment(
            score=int(standing.score),
            level=standing.level,
            reasons=tuple(found),
            as_of=newest or None,
            fresh_until=self.fresh_until or None,
            wrong=wrong,
        )

    def _refold(self, history: History, model: Model) -> list[Found]:
        """The trail anew from the first changed day on; tells what brings points on the newest day, most first.

        Its days are school days and days on which a mark was recorded.
        """
        kept = {day: standing for day, standing in self.trail.items() if day < self.changed_from}
        last = next(reversed(kept), self.base_day)
        standing = kept.get(last, self.base)
        days, rule = history.days, model.stability
        end = bisect_right(days, last)
        fact_days = days[end:]
        if history.courses_from and history.courses_from[-1] > last:
            fact_days = sorted({*fact_days, *(day for day in history.courses_from if day > last)})
        for day in fact_days[:-1]:
            while end < len(days) and days[end] <= day:
                end += 1
            standing = kept[day] = step(standing, model.score(history, end, day), rule)
        newest = fact_days[-1] if fact_days else last
        found = model.found(history, bisect_right(days, newest), newest)
        if fact_days:
            kept[newest] = step(standing, score_of(found), rule)
        self.trail = kept
        self.changed_from = UNCHANGED
        return found

    def _is_right(self, raised: Raised) -> bool:
        """Whether the student has stood at the announced level on any day since; what holds on `day` may be from before it."""
        if raised.is_right:
            return True
        held = self.base if self.base_day <= raised.day else None
        for day, standing in self.trail.items():
            if day <= raised.day:
                held = standing
            elif standing.rank >= raised.rank:
                return True
        return held is not None and held.rank >= raised.rank

    def _settle(self, days: list[int]) -> None:
        if len(self.trail) > 2 * TRAIL_DAYS:
            self._move_base(list(self.trail)[-TRAIL_DAYS - 1])
        if len(self.open) > OPEN_DAYS:
            for day in sorted(self.open)[:-OPEN_DAYS]:
                del self.open[day]
        if len(self.courses) > 1 and self.courses[1][0] <= self.base_day:
            settled = bisect_right([day for day, _ in self.courses], self.base_day)
            self.courses = self.courses[settled - 1 :]
        dispensable = min(bisect_right(days, self.base_day) - LONGEST_WINDOW, len(days) - SIGNAL_DAYS)
        for day in days[: max(0, dispensable)]:
            del self.days[day]

    def _move_base(self, until: int) -> None:
        for raised in self.raised:
            settled = {day: standing for day, standing in self.trail.items() if day <= until}
            held = self.base if self.base_day <= raised.day else Standing()
            for day, standing in settled.items():
                if day <= raised.day:
                    held = standing
                else:
                    raised.is_right |= standing.rank >= raised.rank
            raised.is_right |= raised.day <= until and held.rank >= raised.rank
        self.base_day, self.base = until, self.trail[until]
        self.trail = {day: standing for day, standing in self.trail.items() if day > until}

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

    def _sum(self, changed: Iterable[int]) -> None:
        for day in changed:
            total = sum_day(day, self.open[day].values())
            self.newest = max(self.newest, day)
            if total is None:
                self.days.pop(day, None)
            else:
                self.days[day] = total
            if total is not None and total.scheduled:
                self.fresh_until = max(self.fresh_until, day)
            elif day == self.fresh_until:
                # The register was taken back; what lies before the days at hand cannot have changed.
                self.fresh_until = max((n for n, known in self.days.items() if known.scheduled), default=0)


def from_facts(facts: Iterable[Fact]) -> Student:
    """A student's state from all facts, from scratch; not yet assessed."""
    student = Student()
    student.apply(facts)
    return student
