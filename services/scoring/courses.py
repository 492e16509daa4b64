"""How a student's courses stand, day by day: a step function that changes only on days on which marks were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.scoring.bounds import compared
from services.scoring.facts import Mark

FAILING = frozenset({"F", "-"})

Marks = Mapping[tuple[str, str], Mapping[int, Mark]]
"""The valid version of each mark, by (course, kind), then by the day number on which it was recorded."""


class Courses(NamedTuple):
    """How the courses stand."""

    failed: int = 0
    """Courses whose grade, or else term mark, is F or -."""
    warned: int = 0
    """Courses with an open warning and neither a grade nor a failed term mark."""
    failed_credits: int = 0
    """Credits of the courses whose grade is F or -: a term mark has lost no credits yet."""
    critical: int = 0
    """Of the failed courses those that the diploma needs."""


NONE = Courses()

Timeline = list[tuple[int, Courses]]
"""(day number, how the courses stand from that day on), in order of days."""


class _Held(NamedTuple):
    """A mark that holds, and since when."""

    recorded_on: int
    mark: Mark

    @property
    def is_passed(self) -> bool:
        return self.mark.value not in FAILING


@dataclass(slots=True)
class _Standing:
    """How all courses stand on a day, and what changes when a mark is recorded. Courses are named as they are `compared`."""

    total: Courses = NONE
    shares: dict[str, Courses] = field(default_factory=dict)
    """What each course adds."""
    _held: dict[str, dict[str, _Held]] = field(default_factory=dict)
    _levels: dict[str, set[str]] = field(default_factory=dict)
    """Courses with a grade, by subject of Gy25."""
    _passed: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of these the passed ones, with the day on which the grade was recorded."""
    _last_passed: dict[str, int] = field(default_factory=dict)
    """The newest of these days."""
    _replaced: dict[str, set[str]] = field(default_factory=dict)
    """Courses that are made up for, with the passed courses that name them."""

    def record(self, course: str, kind: str, held: _Held) -> None:
        """The mark holds from now on, in the place of the one before it."""
        of_course = self._held.setdefault(course, {})
        before = of_course.get(kind)
        of_course[kind] = held
        touched = {course}
        if kind == "final":
            touched |= self._replace(course, before, held) | self._level(course, before, held)
        for one in touched:
            share, old = self._share(one), self.shares.get(one, NONE)
            if share != old:
                self.shares[one] = share
                self.total = Courses(
                    *[sum_ + new - gone for sum_, new, gone in zip(self.total, share, old, strict=True)]
                )

    def _replace(self, course: str, before: _Held | None, held: _Held) -> set[str]:
        """Notes which courses a grade makes up for; returns those for which that may have changed."""
        named = set(before.mark.replaces) if before else set()
        for other in named:
            self._replaced.get(other, set()).discard(course)
        if held.is_passed:
            for other in set(held.mark.replaces) - {course}:
                self._replaced.setdefault(other, set()).add(course)
        return named | set(held.mark.replaces)

    def _level(self, course: str, before: _Held | None, held: _Held) -> set[str]:
        """Notes which level of its subject a grade passes; returns the levels that it may make up for."""
        if before:
            self._levels.get(before.mark.subject, set()).discard(course)
            self._passed.get(before.mark.subject, {}).pop(course, None)
        if held.mark.subject:
            self._levels.setdefault(held.mark.subject, set()).add(course)
            if held.is_passed:
                self._passed.setdefault(held.mark.subject, {})[course] = held.recorded_on
        subjects = {held.mark.subject, before.mark.subject if before else ""} - {""}
        for subject in subjects:
            self._last_passed[subject] = max(self._passed.get(subject, {}).values(), default=0)
        return set().union(*(self._levels[subject] for subject in subjects))

    def _share(self, course: str) -> Courses:
        """What a course adds."""
        held = self._held.get(course, {})
        if not held or self._replaced.get(course):
            return NONE
        final, warning = held.get("final"), held.get("warning")
        counted = final or held.get("term")
        if counted is not None and not counted.is_passed:
            if final is not None and self._is_made_up_for(final):
                return NONE
            return Courses(1, 0, counted.mark.credits if final else 0, int(counted.mark.critical))
        is_warned = final is None and warning is not None and warning.mark.value == "open"
        return Courses(0, 1, 0, 0) if is_warned else NONE

    def _is_made_up_for(self, failed: _Held) -> bool:
        """Whether a level of the same subject has been passed since."""
        return self._last_passed.get(failed.mark.subject, 0) >= failed.recorded_on


def timeline(marks: Marks) -> Timeline:
    """From the valid versions of all marks: of a course and kind the one recorded last until a day holds on it.

    Of the levels of a Gy25 subject the last passed grade counts: it makes up for an F or - at another level before it. A passed
    grade makes up for the courses that it replaces while it holds.
    """
    standing = _Standing()
    found: Timeline = []
    for day, course, kind, mark in _recorded(marks):
        standing.record(compared(course), kind, _Held(day, mark))
        if found and found[-1][0] == day:
            found.pop()
        found.append((day, standing.total))
    return found


def failing(marks: Marks) -> frozenset[str]:
    """The courses that count against the student at the end, as they are `compared`: failed or warned, and not made up for."""
    standing = _Standing()
    for day, course, kind, mark in _recorded(marks):
        standing.record(compared(course), kind, _Held(day, mark))
    return frozenset(course for course, share in standing.shares.items() if share != NONE)


def _recorded(marks: Marks) -> list[tuple[int, str, str, Mark]]:
    """All marks that hold or have held, in the order of the days on which they were recorded."""
    return sorted(
        (recorded_on, course, kind, mark)
        for (course, kind), versions in marks.items()
        for recorded_on, mark in versions.items()
        if mark.value is not None
    )
