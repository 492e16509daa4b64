"""The indicators of the transparent score: what each measures, its points, and the numbers it shows.

About 9 points stand for a log likelihood ratio of 1, from the 110 published dropout flags in Bowers, Sprott and Taff
(2013). A new indicator is one `Indicator` in `INDICATORS`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from services.scoring.facts import Day, Mark, valid_mark
from shared.events import Reason

MODEL_VERSION = "points-1"

ABSENCE_WINDOW_SCHOOL_DAYS = 20
ABSENCE_MIN_SCHOOL_DAYS = 10
UNEXCUSED_WINDOW_CALENDAR_DAYS = 30
FAILING = frozenset({"F", "-"})

Numbers = dict[str, int | float]
Marks = Mapping[tuple[str, str], Sequence[Mark]]
"""Versions of marks by (course, kind)."""


class History:
    """A student's school days in order with running totals, so that any window is two look-ups."""

    def __init__(self, days: Sequence[Day], marks: Marks) -> None:
        self.days = [day.day for day in days]
        self.scheduled = [0, *accumulate(day.scheduled for day in days)]
        self.absent = [0, *accumulate(day.excused + day.unexcused for day in days)]
        self.unexcused = [0, *accumulate(day.unexcused for day in days)]
        self.registered = [0, *accumulate(1 if day.scheduled else 0 for day in days)]
        self.marks = marks
        self._mark_days = sorted({version.recorded_on for versions in marks.values() for version in versions})
        self._standing: dict[int, tuple[int, int]] = {}

    def fact_days(self) -> list[int]:
        """Every day on which something is known, in order: school days and days on which marks were recorded."""
        return sorted({*self.days, *self._mark_days})

    def school_days_until(self, day: int) -> int:
        """How many school days there are up to and including a day."""
        return bisect_right(self.days, day)

    def standing(self, day: int) -> tuple[int, int]:
        """Courses failed and courses with an open warning only, as known on a day."""
        position = bisect_right(self._mark_days, day)
        if position not in self._standing:
            self._standing[position] = _standing(self.marks, day)
        return self._standing[position]


def _standing(marks: Marks, day: int) -> tuple[int, int]:
    failed = warned = 0
    for course in {course for course, _ in marks}:
        valid = {kind: valid_mark(marks.get((course, kind), ()), day) for kind in ("final", "term", "warning")}
        mark = valid["final"] or valid["term"]
        if mark in FAILING:
            failed += 1
        elif valid["final"] is None and valid["warning"] == "open":
            warned += 1
    return failed, warned


@dataclass(frozen=True, slots=True)
class Indicator:
    """`measure` gives the numbers and the first day counted, or nothing when too little is known; `points` values them."""

    name: str
    measure: Callable[[History, int], tuple[Numbers, int] | None]
    points: Callable[[Numbers], int]


def measure_total_absence(history: History, day: int) -> tuple[Numbers, int] | None:
    """Absent and scheduled minutes over the last 20 school days; needs 10 days with a register."""
    end = history.school_days_until(day)
    start = max(0, end - ABSENCE_WINDOW_SCHOOL_DAYS)
    registered = history.registered[end] - history.registered[start]
    if registered < ABSENCE_MIN_SCHOOL_DAYS:
        return None
    numbers: Numbers = {
        "absent_minutes": history.absent[end] - history.absent[start],
        "scheduled_minutes": history.scheduled[end] - history.scheduled[start],
        "school_days": registered,
    }
    return numbers, history.days[start]


def points_total_absence(numbers: Numbers) -> int:
    """5 % of the scheduled minutes: 4, 10 %: 10, 15 %: 15, 20 %: 20."""
    share = 100 * numbers["absent_minutes"]
    scheduled = numbers["scheduled_minutes"]
    return _reached(((5 * scheduled, 4), (10 * scheduled, 10), (15 * scheduled, 15), (20 * scheduled, 20)), share)


def measure_unexcused_absence(history: History, day: int) -> tuple[Numbers, int] | None:
    """Unexcused minutes of the last 30 calendar days, lateness included."""
    first = day - UNEXCUSED_WINDOW_CALENDAR_DAYS + 1
    end = history.school_days_until(day)
    start = bisect_left(history.days, first)
    if start >= end:
        return None
    minutes = history.unexcused[end] - history.unexcused[start]
    return {"unexcused_minutes": minutes, "calendar_days": UNEXCUSED_WINDOW_CALENDAR_DAYS}, first


def points_unexcused_absence(numbers: Numbers) -> int:
    """2 hours: 4, 4 hours: 10, 8 hours: 16."""
    return _reached(((120, 4), (240, 10), (480, 16)), numbers["unexcused_minutes"])


def measure_failed_courses(history: History, day: int) -> tuple[Numbers, int] | None:
    """Courses whose mark is F or -, and courses with no grade but an open warning."""
    failed, warned = history.standing(day)
    return ({"failed": failed, "open_warnings": warned}, day) if failed or warned else None


def points_failed_courses(numbers: Numbers) -> int:
    """1 course: 6, 2: 14, 3: 18, 4 and more: 24; an open warning weighs half a course."""
    return _reached(((1, 6), (2, 14), (3, 18), (4, 24)), numbers["failed"] + numbers["open_warnings"] / 2)


def _reached(steps: Sequence[tuple[float, int]], value: float) -> int:
    return max((points for threshold, points in steps if value >= threshold), default=0)


INDICATORS = (
    Indicator("total_absence", measure_total_absence, points_total_absence),
    Indicator("unexcused_absence", measure_unexcused_absence, points_unexcused_absence),
    Indicator("failed_courses", measure_failed_courses, points_failed_courses),
)


def score_on(history: History, day: int) -> int:
    """The sum of all points on a day, capped at 100."""
    total = 0
    for indicator in INDICATORS:
        measured = indicator.measure(history, day)
        if measured is not None:
            total += indicator.points(measured[0])
    return min(total, 100)


def reasons_on(history: History, day: int) -> list[Reason]:
    """What brought points on a day, most points first."""
    reasons = []
    for indicator in INDICATORS:
        measured = indicator.measure(history, day)
        points = indicator.points(measured[0]) if measured is not None else 0
        if measured is not None and points:
            reasons.append(
                Reason(
                    indicator=indicator.name,
                    points=points,
                    numbers=measured[0],
                    first_day=date.fromordinal(measured[1]),
                    last_day=date.fromordinal(day),
                )
            )
    return sorted(reasons, key=lambda reason: (-reason.points, reason.indicator))
