"""Everything known of one student that scoring needs at hand, and how new facts change it.

The state holds the days that the windows look at, the single lessons of the newest days, all marks and places, the
standing after each of the last days (`trail`) and that after all days before (`base`). New facts are folded from the
earliest day that they change. What is older stays in the store of facts; `needs` tells when it must be fetched. The level
is a pure fold over the facts: no order, repetition or delay of them changes where it ends. What is beyond a bound counts as if
nothing were known of it (`bounds`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from services.scoring import bounds
from services.scoring.bounds import Unusable, dates_of, unusable_marks
from services.scoring.courses import Timeline, timeline
from services.scoring.days import Day, sum_day
from services.scoring.facts import REGISTERED, UNREGISTERED, Fact, Lesson, LessonFact, Mark, MarkFact, PlaceFact
from services.scoring.indicators import Found, History, Model, score_of
from services.scoring.level import Standing, step
from services.scoring.news import Applied
from services.scoring.rules import LONGEST_WINDOW
from shared.events import Level
from shared.events.places import MOST_PLACES, Place, Spans, latest_begun, lesson_counts, spans, whereabouts

OPEN_DAYS = 3
"""School days whose single lessons are at hand: most registers and corrections come within these."""
TRAIL_DAYS = 20
"""Days that can change without reading the store; the trail grows to twice that, then `base` moves on."""
SIGNAL_DAYS = 60
"""School days kept at least: what the signals of groups look at."""
UNCHANGED = 2**31
"""Day number after all days: nothing has changed."""
ANY_UNIT = ""
"""Stands in `Student.registers` for more school units than are told apart."""


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


class Where(NamedTuple):
    """A school unit and the student's groups there; no unit where nothing names any."""

    school_unit: str | None = None
    groups: tuple[str, ...] = ()


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
    marks: dict[tuple[str, str], dict[int, Mark]] = field(default_factory=dict)
    """The valid version by (course, kind), then by the day number on which it was recorded."""
    unusable: Unusable = field(default_factory=Unusable)
    """Of this there are no lessons and marks here; a day of it is a school day without any register."""
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
    registers: dict[str, tuple[int, int]] = field(default_factory=dict)
    """At least the first and last day of the lessons at each school unit, those that do not count included."""
    fresh_until: int = 0
    """Newest day with a taken register."""

    def needs(self, facts: Iterable[Fact]) -> Needs:
        """What must be read first: a touched day that is not at hand, or everything when the change lies before `base`, changes
        which of the known lessons count, or makes marks unusable.
        """
        days: set[int] = set()
        places: dict[tuple[str, int], Place] = {}
        marks: list[MarkFact] = []
        for fact in facts:
            if self.unusable.holds(fact):
                continue
            if isinstance(fact, LessonFact):
                if fact.day <= self.base_day:
                    return EVERYTHING
                if fact.day not in self.open and fact.day <= self.newest:
                    days.add(fact.day)
            elif isinstance(fact, PlaceFact):
                key = fact.version.key
                if fact.version.supersedes(places.get(key, self.places.get(key))):
                    places[key] = fact.version
            elif fact.recorded_on <= self.base_day and self._changes_courses(fact):
                return EVERYTHING
            else:
                marks.append(fact)
        if (places and self._changes_lessons(places)) or (marks and self._gives_up(marks)):
            return EVERYTHING
        return Needs(days=frozenset(days)) if days else NOTHING

    def _gives_up(self, marks: Iterable[MarkFact]) -> bool:
        """Whether marks become unusable when these come to them; what they said lies anywhere in the past."""
        return bool(unusable_marks(dates_of(self.marks, marks), self.unusable).beyond(self.unusable))

    def _changes_courses(self, fact: MarkFact) -> bool:
        known = self.marks.get((fact.course, fact.kind), {}).get(fact.recorded_on)
        is_valid = known is None or known[:2] < fact.version[:2]
        return is_valid and fact.version.content != (known.content if known is not None else ())

    def counts_otherwise(self, places: Iterable[tuple[Place, Place | None]]) -> bool:
        """Whether other lessons would count if, of some places, the versions before them held instead (None: there was none)."""
        return self._changes_lessons(
            {place.key: before or place._replace(is_recorded=False) for place, before in places}
        )

    def _changes_lessons(self, news: dict[tuple[str, int], Place]) -> bool:
        """Whether other lessons count, of those seen, when these places are known."""
        known = latest_begun({**self.places, **news}.values(), lambda place: place.begun)
        before, after = spans(self.places.values()), spans(known)
        if ANY_UNIT in self.registers:
            return before != after
        for unit, (first, last) in self.registers.items():
            at_unit = chain(before.get(unit, ()), after.get(unit, ()))
            edges = {first, *chain.from_iterable((start, end + 1) for start, end in at_unit)}
            if any(
                lesson_counts(before, unit, day) != lesson_counts(after, unit, day)
                for day in edges
                if first <= day <= last
            ):
                return True
        return False

    def give_up(self, unusable: Unusable) -> None:
        """Of an empty state: takes over what is known to be unusable."""
        self.unusable = unusable
        self.open = {day: {} for day in unusable.days}
        self._sum(unusable.days)

    def apply(self, facts: Iterable[Fact], older: Iterable[Fact] = ()) -> Applied:
        """Merges facts, in any order. `older`: what was known already of the days that `needs` named."""
        reopened = self._reopen(older)
        applied = Applied()
        touched, marks_changed = self._merge_all(facts, applied)
        touched |= reopened
        self._keep_latest_places(applied)
        self._give_up_days(touched, applied)
        sums_changed = self._sum(touched)
        if self._give_up_marks(applied) or marks_changed:
            self.courses = timeline(self.marks)
        kept_open = set(sorted(self.open)[-OPEN_DAYS:])
        applied.changes = (
            sums_changed
            or bool(applied.unusable)
            or any(
                not isinstance(fact, LessonFact) or fact.day not in reopened or fact.day in kept_open
                for fact in applied.news
            )
        )
        return applied

    def _reopen(self, older: Iterable[Fact]) -> set[int]:
        reopened: set[int] = set()
        known = Applied()
        for fact in older:
            if isinstance(fact, LessonFact) and not self.unusable.holds(fact):
                reopened.add(fact.day)
                self._merge(self.open.setdefault(fact.day, {}), fact.lesson, fact, known)
                # Another replica may have kept it without having come to write the state.
                self._saw(fact)
        return reopened

    def _merge_all(self, facts: Iterable[Fact], applied: Applied) -> tuple[set[int], bool]:
        """Days with other lessons than before, and whether a mark says something else."""
        touched: set[int] = set()
        marks_changed = False
        for fact in sorted(facts, key=_places_first):
            if self.unusable.holds(fact):
                applied.beyond.append(fact)
            elif isinstance(fact, PlaceFact):
                self._merge_place(fact, applied)
            elif isinstance(fact, LessonFact):
                if self._merge(self.open.setdefault(fact.day, {}), fact.lesson, fact, applied):
                    touched.add(fact.day)
                    self._saw(fact)
            else:
                changes = self._changes_courses(fact)
                of_course = self.marks.setdefault((fact.course, fact.kind), {})
                self._merge(of_course, fact.recorded_on, fact, applied)
                if changes:
                    marks_changed = True
                    self.changed_from = min(self.changed_from, fact.recorded_on)
        return touched, marks_changed

    def _keep_latest_places(self, applied: Applied) -> None:
        if len(self.places) <= MOST_PLACES:
            return
        self.places = {place.key: place for place in latest_begun(self.places.values(), lambda place: place.begun)}
        applied.news = [fact for fact in applied.news if not isinstance(fact, PlaceFact) or self.holds(fact)]

    def _give_up_days(self, touched: Iterable[int], applied: Applied) -> None:
        for day in touched:
            known = self.open[day]
            if len(known) > bounds.MOST_LESSONS:
                applied.give_up(Unusable({day}))
                self.unusable.days.add(day)
                known.clear()

    def _give_up_marks(self, applied: Applied) -> bool:
        """Says whether there was anything to give up."""
        if not any(isinstance(fact, MarkFact) for fact in applied.news):
            return False
        unusable = unusable_marks(dates_of(self.marks), self.unusable)
        applied.give_up(unusable.beyond(self.unusable))
        self.unusable = unusable
        gone = [key for key in self.marks if unusable.marks or key[0] in unusable.courses]
        for key in gone:
            self.changed_from = min(self.changed_from, *self.marks.pop(key))
        return bool(gone)

    @staticmethod
    def _merge(known: dict[Any, Any], key: Any, fact: LessonFact | MarkFact, applied: Applied) -> bool:
        held = known.get(key)
        if held is not None and held[:2] >= fact.version[:2]:
            if held[:2] > fact.version[:2]:
                applied.outdated.append(fact)
            return False
        known[key] = fact.version
        applied.add(fact, held)
        return True

    def _merge_place(self, fact: PlaceFact, applied: Applied) -> None:
        key = fact.version.key
        known = self.places.get(key)
        if not fact.version.supersedes(known):
            if known is not None and known.precedence[:2] > fact.version.precedence[:2]:
                applied.outdated.append(fact)
            return
        self.places[key] = fact.version
        applied.news.append(fact)

    def _saw(self, fact: LessonFact) -> None:
        unit, day = fact.version.school_unit, fact.day
        known = self.registers.get(unit)
        if ANY_UNIT in self.registers or (known is None and len(self.registers) >= bounds.MOST_UNITS):
            days = [day, *chain.from_iterable(self.registers.values())]
            self.registers = {ANY_UNIT: (min(days), max(days))}
            return
        if known is None:
            self.registers[unit] = day, day
        elif not known[0] <= day <= known[1]:
            self.registers[unit] = min(known[0], day), max(known[1], day)

    def holds(self, fact: Fact) -> bool:
        """Whether this version is the valid one, as far as it is at hand."""
        match fact:
            case LessonFact():
                return self.open.get(fact.day, {}).get(fact.lesson) == fact.version
            case MarkFact():
                return self.marks.get((fact.course, fact.kind), {}).get(fact.recorded_on) == fact.version
            case PlaceFact():
                return self.places.get(fact.version.key) == fact.version

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
            score=score_of(found),
            level=standing.level,
            reasons=tuple(found),
            as_of=newest or None,
            fresh_until=self.fresh_until or None,
            wrong=wrong,
        )

    def _refold(self, history: History, model: Model) -> list[Found]:
        """The trail anew from the first changed day on; tells what brings points on the newest day, most first.

        Its days are school days and days on which a mark was recorded. A day of which nothing is known, without any register or
        mark, leaves the standing as it was.
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
            if history.is_known(day, end):
                standing = step(standing, model.score(history, end, day), rule)
            kept[day] = standing
        newest = fact_days[-1] if fact_days else last
        end = bisect_right(days, newest)
        found = model.found(history, end, newest) if newest else []
        if fact_days:
            kept[newest] = step(standing, score_of(found), rule) if history.is_known(newest, end) else standing
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

    def where(self, today: int) -> Where:
        """Where the student is today, was last, or will be first; without any known place, where the newest lesson was, or else
        where the newest mark was given.
        """
        found = whereabouts(self.places.values(), today)
        if found is not None:
            return Where(found.place.school_unit, tuple(sorted(found.place.groups)))
        lessons = [
            (day, lesson.starts_at, lesson.school_unit)
            for day, known in self.open.items()
            for lesson in known.values()
            if lesson.state in {REGISTERED, UNREGISTERED}
        ]
        marks = [
            (day, *course, mark.school_unit)
            for course, known in self.marks.items()
            for day, mark in known.items()
            if mark.value is not None and mark.school_unit
        ]
        found_at = max(lessons, default=None) or max(marks, default=None)
        return Where(found_at[-1]) if found_at else Where()

    def _sum(self, touched: Iterable[int]) -> bool:
        """Sums days up from their lessons; says whether any has changed."""
        places = spans(self.places.values())
        has_changed = False
        for day in touched:
            if day in self.unusable.days:
                total: Day | None = Day(day, 0, 0, 0, 0, 0)
            else:
                total = sum_day(day, _counted(places, day, self.open[day].values()))
            self.newest = max(self.newest, day)
            if total == self.days.get(day):
                continue
            has_changed = True
            self.changed_from = min(self.changed_from, day)
            if total is None:
                del self.days[day]
            else:
                self.days[day] = total
            if total is not None and total.scheduled:
                self.fresh_until = max(self.fresh_until, day)
            elif day == self.fresh_until:
                # The register was taken back; what lies before the days at hand cannot have changed.
                self.fresh_until = max((n for n, known in self.days.items() if known.scheduled), default=0)
        return has_changed


def _places_first(fact: Fact) -> bool:
    return not isinstance(fact, PlaceFact)


def _counted(places: Spans, day: int, lessons: Iterable[Lesson]) -> list[Lesson]:
    return [lesson for lesson in lessons if lesson_counts(places, lesson.school_unit, day)] if places else list(lessons)


def from_facts(facts: Iterable[Fact], unusable: Unusable | None = None) -> Student:
    """A student's state from all facts, from scratch; not yet assessed. `unusable`: what is known to be, whatever the facts."""
    student = Student()
    if unusable is not None:
        student.give_up(unusable)
    student.apply(facts)
    return student
