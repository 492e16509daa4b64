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

MODEL_VERSION = "points-2"

ABSENCE_WINDOW_SCHOOL_DAYS = 20
ABSENCE_MIN_SCHOOL_DAYS = 10
UNEXCUSED_WINDOW_CALENDAR_DAYS = 30
TREND_RECENT_SCHOOL_DAYS = 10
TREND_EARLIER_SCHOOL_DAYS = 20
TREND_MIN_SHARE_REGISTERED = 0.5
"""Of either of the trend's windows this share of the days must have a register, or nothing is compared."""
TREND_PERCENTAGE_POINTS = 10
LATE_WINDOW_SCHOOL_DAYS = 20
STREAK_WINDOW_SCHOOL_DAYS = 20
"""A longer streak says no more, and needs no older days."""
FAILING = frozenset({"F", "-"})

Numbers = dict[str, int | float]
Marks = Mapping[tuple[str, str], Sequence[Mark]]
"""Versions of marks by (course, kind)."""


@dataclass(frozen=True, slots=True)
class Courses:
    """How the courses stand on a day."""

    failed: int = 0
    """Courses whose grade, or else term mark, is F or -."""
    warned: int = 0
    """Courses with an open warning and neither a grade nor a failed term mark."""
    failed_credits: int = 0
    """Credits of the courses whose grade is F or -: a term mark has lost no credits yet."""
    critical: int = 0
    """Of the failed courses those that the diploma needs."""


class History:
    """A student's school days in order with running totals, so that any window is two look-ups."""

    def __init__(self, days: Sequence[Day], marks: Marks) -> None:
        self.school_days = days
        self.days = [day.day for day in days]
        self.scheduled = [0, *accumulate(day.scheduled for day in days)]
        self.absent = [0, *accumulate(day.excused + day.unexcused for day in days)]
        self.unexcused = [0, *accumulate(day.unexcused for day in days)]
        self.late = [0, *accumulate(day.late for day in days)]
        self.registered = [0, *accumulate(1 if day.scheduled else 0 for day in days)]
        self.marks = marks
        self._mark_days = sorted({version.recorded_on for versions in marks.values() for version in versions})
        self._courses: dict[int, Courses] = {}

    def fact_days(self) -> list[int]:
        """Every day on which something is known, in order: school days and days on which marks were recorded."""
        return sorted({*self.days, *self._mark_days})

    def window(self, day: int, length: int) -> tuple[int, int]:
        """Positions (from, until) of the last `length` school days up to and including a day."""
        end = bisect_right(self.days, day)
        return max(0, end - length), end

    def courses(self, day: int) -> Courses:
        """How the courses stand, as known on a day."""
        position = bisect_right(self._mark_days, day)
        if position not in self._courses:
            self._courses[position] = _courses(self.marks, day)
        return self._courses[position]


def _courses(marks: Marks, day: int) -> Courses:
    failed = warned = failed_credits = critical = 0
    for course in {course for course, _ in marks}:
        final, term, warning = (valid_mark(marks.get((course, kind), ()), day) for kind in ("final", "term", "warning"))
        mark = final or term
        if mark is not None and mark.value in FAILING:
            failed += 1
            critical += mark.critical
            failed_credits += mark.credits if mark is final else 0
        elif final is None and warning is not None and warning.value == "open":
            warned += 1
    return Courses(failed, warned, failed_credits, critical)


@dataclass(frozen=True, slots=True)
class Indicator:
    """`measure` gives the numbers and the first day counted, or nothing when too little is known; `points` values them.

    Of the indicators that share a `group` only the one with most points counts.
    """

    name: str
    measure: Callable[[History, int], tuple[Numbers, int] | None]
    points: Callable[[Numbers], int]
    group: str = ""


def measure_total_absence(history: History, day: int) -> tuple[Numbers, int] | None:
    """Absent and scheduled minutes over the last 20 school days; needs 10 days with a register."""
    start, end = history.window(day, ABSENCE_WINDOW_SCHOOL_DAYS)
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
    start, end = bisect_left(history.days, first), bisect_right(history.days, day)
    if start >= end:
        return None
    minutes = history.unexcused[end] - history.unexcused[start]
    return {"unexcused_minutes": minutes, "calendar_days": UNEXCUSED_WINDOW_CALENDAR_DAYS}, first


def points_unexcused_absence(numbers: Numbers) -> int:
    """2 hours: 4, 4 hours: 10, 8 hours: 16."""
    return _reached(((120, 4), (240, 10), (480, 16)), numbers["unexcused_minutes"])


def measure_absence_streak(history: History, day: int) -> tuple[Numbers, int] | None:
    """Consecutive school days of full absence up to the latest one, among the last 20.

    A day without any register neither counts nor breaks.
    """
    start, end = history.window(day, STREAK_WINDOW_SCHOOL_DAYS)
    count, first = 0, day
    for known in reversed(history.school_days[start:end]):
        if not known.scheduled:
            continue
        if known.excused + known.unexcused < known.scheduled:
            break
        count, first = count + 1, known.day
    return ({"absent_school_days": count}, first) if count else None


def points_absence_streak(numbers: Numbers) -> int:
    """3 days: 6, 5: 12."""
    return _reached(((3, 6), (5, 12)), numbers["absent_school_days"])


def measure_absence_trend(history: History, day: int) -> tuple[Numbers, int] | None:
    """Absence over the last 10 school days beside that over the 20 before; half of either's days need a register."""
    middle, end = history.window(day, TREND_RECENT_SCHOOL_DAYS)
    start = max(0, middle - TREND_EARLIER_SCHOOL_DAYS)
    recent, earlier = (history.registered[b] - history.registered[a] for a, b in ((middle, end), (start, middle)))
    if (
        recent < TREND_MIN_SHARE_REGISTERED * TREND_RECENT_SCHOOL_DAYS
        or earlier < TREND_MIN_SHARE_REGISTERED * TREND_EARLIER_SCHOOL_DAYS
    ):
        return None
    numbers: Numbers = {
        "recent_absent_minutes": history.absent[end] - history.absent[middle],
        "recent_scheduled_minutes": history.scheduled[end] - history.scheduled[middle],
        "earlier_absent_minutes": history.absent[middle] - history.absent[start],
        "earlier_scheduled_minutes": history.scheduled[middle] - history.scheduled[start],
    }
    return numbers, history.days[start]


def points_absence_trend(numbers: Numbers) -> int:
    """10 percentage points more than before: 8. Compared in whole numbers, so that no rounding decides."""
    recent, earlier = numbers["recent_scheduled_minutes"], numbers["earlier_scheduled_minutes"]
    rise = numbers["recent_absent_minutes"] * earlier - numbers["earlier_absent_minutes"] * recent
    return 8 if 100 * rise >= TREND_PERCENTAGE_POINTS * recent * earlier else 0


def measure_late_arrivals(history: History, day: int) -> tuple[Numbers, int] | None:
    """Lessons begun late over the last 20 school days."""
    start, end = history.window(day, LATE_WINDOW_SCHOOL_DAYS)
    late = history.late[end] - history.late[start]
    return ({"late_arrivals": late, "school_days": end - start}, history.days[start]) if late else None


def points_late_arrivals(numbers: Numbers) -> int:
    """4 times: 3, 8 times: 6."""
    return _reached(((4, 3), (8, 6)), numbers["late_arrivals"])


def measure_failed_courses(history: History, day: int) -> tuple[Numbers, int] | None:
    """Courses whose mark is F or -, and courses with no grade but an open warning."""
    courses = history.courses(day)
    known = courses.failed or courses.warned
    return ({"failed": courses.failed, "open_warnings": courses.warned}, day) if known else None


def points_failed_courses(numbers: Numbers) -> int:
    """1 course: 6, 2: 14, 3: 18, 4 and more: 24; an open warning weighs half a course."""
    return _reached(((1, 6), (2, 14), (3, 18), (4, 24)), numbers["failed"] + numbers["open_warnings"] / 2)


def measure_credit_margin(history: History, day: int) -> tuple[Numbers, int] | None:
    """Credits graded F or -. A diploma of 2,500 credits leaves room for 250 that are not passed."""
    credits_failed = history.courses(day).failed_credits
    return ({"failed_credits": credits_failed}, day) if credits_failed else None


def points_credit_margin(numbers: Numbers) -> int:
    """100 credits: 10, 200: 18, more than 250: 24."""
    return _reached(((100, 10), (200, 18), (251, 24)), numbers["failed_credits"])


def measure_diploma_critical(history: History, day: int) -> tuple[Numbers, int] | None:
    """Failed courses without which there is no diploma, whatever the rest."""
    critical = history.courses(day).critical
    return ({"critical_courses": critical}, day) if critical else None


def points_diploma_critical(_numbers: Numbers) -> int:
    """8, however many."""
    return 8


def _reached(steps: Sequence[tuple[float, int]], value: float) -> int:
    return max((points for threshold, points in steps if value >= threshold), default=0)


INDICATORS = (
    Indicator("total_absence", measure_total_absence, points_total_absence),
    Indicator("unexcused_absence", measure_unexcused_absence, points_unexcused_absence),
    Indicator("absence_streak", measure_absence_streak, points_absence_streak),
    Indicator("absence_trend", measure_absence_trend, points_absence_trend),
    Indicator("late_arrivals", measure_late_arrivals, points_late_arrivals),
    Indicator("failed_courses", measure_failed_courses, points_failed_courses, group="courses"),
    Indicator("credit_margin", measure_credit_margin, points_credit_margin, group="courses"),
    Indicator("diploma_critical", measure_diploma_critical, points_diploma_critical),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """An indicator that brings points on a day."""

    indicator: Indicator
    points: int
    numbers: Numbers
    first_day: int


def measured_on(history: History, day: int) -> list[Measured]:
    """What brings points on a day, in the order of the indicators."""
    found: dict[str, Measured] = {}
    for indicator in INDICATORS:
        measured = indicator.measure(history, day)
        points = indicator.points(measured[0]) if measured is not None else 0
        key = indicator.group or indicator.name
        if measured is not None and points > (found[key].points if key in found else 0):
            found[key] = Measured(indicator, points, *measured)
    return list(found.values())


def score_on(history: History, day: int) -> int:
    """The sum of all points on a day, capped at 100."""
    return min(100, sum(measured.points for measured in measured_on(history, day)))


def reasons_on(history: History, day: int) -> list[Reason]:
    """What brought points on a day, most points first."""
    found = sorted(measured_on(history, day), key=lambda measured: (-measured.points, measured.indicator.name))
    return [
        Reason(
            indicator=measured.indicator.name,
            points=measured.points,
            numbers=measured.numbers,
            first_day=date.fromordinal(measured.first_day),
            last_day=date.fromordinal(day),
        )
        for measured in found
    ]
