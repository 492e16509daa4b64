"""The indicators of the transparent score: what each measures, its points, and the numbers it shows.

A new indicator is one function here, one part of `rules.Rules`, and one entry in `Model`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from operator import add
from typing import NamedTuple

from services.scoring import rules
from services.scoring.courses import NONE, Courses, Timeline
from services.scoring.days import Day

MAX_SCORE = 100


class History:
    """A student's school days in order with running totals, so that any window is two look-ups.

    `days` may begin `Model.window` school days before the first day that is asked for.
    """

    __slots__ = (
        "absent",
        "courses",
        "courses_from",
        "days",
        "late",
        "registered",
        "scheduled",
        "school_days",
        "unexcused",
    )

    def __init__(self, days: Sequence[Day], courses: Timeline) -> None:
        numbers, scheduled, excused, unexcused, late, _ = zip(*days, strict=True) if days else ((),) * 6
        self.school_days = days
        self.days: list[int] = list(numbers)
        self.scheduled = list(accumulate(scheduled, initial=0))
        self.absent = list(accumulate(map(add, excused, unexcused), initial=0))
        self.unexcused = list(accumulate(unexcused, initial=0))
        self.late = list(accumulate(late, initial=0))
        self.registered = list(accumulate(map(bool, scheduled), initial=0))
        self.courses = [NONE, *(standing for _, standing in courses)]
        self.courses_from = [day for day, _ in courses]

    def is_known(self, day: int, end: int) -> bool:
        """Whether a register or a mark tells of a day that is the last of the first `end` school days, or none of them."""
        if end and self.days[end - 1] == day and self.scheduled[end] > self.scheduled[end - 1]:
            return True
        position = bisect_left(self.courses_from, day)
        return position < len(self.courses_from) and self.courses_from[position] == day

    def courses_on(self, day: int) -> Courses:
        """How the courses stand on a day."""
        return self.courses[bisect_right(self.courses_from, day)]


Raw = tuple[int, ...]
"""Points, first day counted (day number), then the indicator's numbers in the order of their names."""


class Moment(NamedTuple):
    """A day on which a student is looked at. `start` and `end`: the positions of this school year's days in the history, up to
    the day itself; `day` and `year`: day numbers of the day and of the first day of the school year.
    """

    start: int
    end: int
    day: int
    year: int
    courses: Courses


Evaluate = Callable[[History, Moment], Raw | None]
"""What an indicator finds; nothing when it brings no points."""


class Indicator(NamedTuple):
    """An indicator as an authority has set it. `numbers`: names of what it shows, with their units."""

    name: str
    numbers: tuple[str, ...]
    evaluate: Evaluate


class Found(NamedTuple):
    """An indicator that brings points on a day."""

    indicator: Indicator
    raw: Raw

    @property
    def points(self) -> int:
        """What it adds to the score."""
        return self.raw[0]

    @property
    def first_day(self) -> int:
        """Day number of the first day counted."""
        return self.raw[1]

    @property
    def numbers(self) -> Mapping[str, int]:
        """What it counted, by name."""
        return dict(zip(self.indicator.numbers, self.raw[2:], strict=True))


class Model:
    """The score by one version of an authority's rules.

    Attributes:
        number: The version; 0 for the defaults.
        version: As scores name it.
        since: When the authority set it; nothing for the defaults.
        rules: The authority's numbers.
        stability: How levels are folded over it.
        window: How many school days back any indicator looks; a calendar day holds one at most.
    """

    def __init__(self, version: rules.RuleVersion = rules.DEFAULTS) -> None:
        self.number = version.version
        self.version = version.model_version
        self.since = version.since
        self.rules = version.rules
        self.stability = version.rules.levels.stability()
        self._alone = (
            total_absence(self.rules.total_absence),
            unexcused_absence(self.rules.unexcused_absence),
            absence_streak(self.rules.absence_streak),
            absence_trend(self.rules.absence_trend),
            late_arrivals(self.rules.late_arrivals),
            diploma_critical(self.rules.diploma_critical),
        )
        # A failed course shows in both: the larger counts, the first where they are alike.
        self._either = (failed_courses(self.rules.failed_courses), credit_margin(self.rules.credit_margin))
        self.window = _longest_window(self.rules)
        self._evaluate = [indicator.evaluate for indicator in self._alone]

    def score(self, history: History, end: int, day: int) -> int:
        """The sum of all points on a day, capped. `end`: how many of the history's school days are up to the day."""
        moment = self._moment(history, end, day)
        total = 0
        for evaluate in self._evaluate:
            raw = evaluate(history, moment)
            if raw is not None:
                total += raw[0]
        if moment.courses.failed or moment.courses.warned:
            found = [indicator.evaluate(history, moment) for indicator in self._either]
            total += max([raw[0] for raw in found if raw is not None], default=0)
        return min(MAX_SCORE, total)

    def _moment(self, history: History, end: int, day: int) -> Moment:
        year = self.rules.school_year.first_day(day)
        return Moment(bisect_left(history.days, year, 0, end), end, day, year, history.courses_on(day))

    def found(self, history: History, end: int, day: int) -> list[Found]:
        """What brings points on a day, most points first: `score` is their sum."""
        moment = self._moment(history, end, day)
        found = [
            Found(indicator, raw)
            for indicator in self._alone
            if (raw := indicator.evaluate(history, moment)) is not None
        ]
        if moment.courses.failed or moment.courses.warned:
            both = [(indicator, indicator.evaluate(history, moment)) for indicator in self._either]
            known = [Found(indicator, raw) for indicator, raw in both if raw is not None]
            found += [max(known, key=_points)] if known else []
        found.sort(key=_order)
        return found


def _points(found: Found) -> int:
    return found.raw[0]


def _order(found: Found) -> tuple[int, str]:
    return -found.raw[0], found.indicator.name


def score_of(found: Sequence[Found]) -> int:
    """The sum of all points on a day, capped."""
    return min(MAX_SCORE, sum([each.raw[0] for each in found]))


def _longest_window(rule: rules.Rules) -> int:
    return max(
        rule.total_absence.window_school_days,
        rule.unexcused_absence.window_calendar_days,
        rule.absence_streak.window_school_days,
        rule.absence_trend.recent_school_days + rule.absence_trend.earlier_school_days,
        rule.late_arrivals.window_school_days,
    )


def _reached(steps: Sequence[tuple[float, int]], value: float) -> int:
    points = 0
    for threshold, worth in steps:
        if value < threshold:
            break
        points = worth
    return points


def total_absence(rule: rules.TotalAbsence) -> Indicator:
    """Absent and scheduled minutes over the last school days; some of them must have a register."""
    steps, window, least = rule.steps, rule.window_school_days, rule.min_school_days
    lowest = steps[0][0] if steps else 101

    def evaluate(history: History, moment: Moment) -> Raw | None:
        end = moment.end
        start = max(moment.start, end - window)
        absent = history.absent[end] - history.absent[start]
        scheduled = history.scheduled[end] - history.scheduled[start]
        registered = history.registered[end] - history.registered[start]
        if registered < least or 100 * absent < lowest * scheduled:
            return None
        points = _reached([(percent * scheduled, worth) for percent, worth in steps], 100 * absent)
        return (points, history.days[start], absent, scheduled, registered) if points else None

    return Indicator("total_absence", ("absent_minutes", "scheduled_minutes", "school_days"), evaluate)


def unexcused_absence(rule: rules.UnexcusedAbsence) -> Indicator:
    """Unexcused minutes of the last calendar days, lateness included."""
    steps, window = rule.steps, rule.window_calendar_days

    def evaluate(history: History, moment: Moment) -> Raw | None:
        end, first = moment.end, max(moment.year, moment.day - window + 1)
        minutes = history.unexcused[end] - history.unexcused[bisect_left(history.days, first, moment.start, end)]
        points = _reached(steps, minutes)
        return (points, first, minutes, moment.day - first + 1) if points else None

    return Indicator("unexcused_absence", ("unexcused_minutes", "calendar_days"), evaluate)


def absence_streak(rule: rules.AbsenceStreak) -> Indicator:
    """Consecutive school days of full absence up to the latest one.

    A day neither counts nor breaks when all that is known of it is absence, but less than half of it is known.
    """
    steps, window = rule.steps, rule.window_school_days

    def evaluate(history: History, moment: Moment) -> Raw | None:
        count, first = 0, moment.day
        for position in range(moment.end - 1, max(moment.start, moment.end - window) - 1, -1):
            known = history.school_days[position]
            if known.is_fully_absent:
                count, first = count + 1, known.day
            elif known.excused + known.unexcused < known.scheduled:
                break
        points = _reached(steps, count)
        return (points, first, count) if points else None

    return Indicator("absence_streak", ("absent_school_days",), evaluate)


def absence_trend(rule: rules.AbsenceTrend) -> Indicator:
    """Absence over the last school days beside that over those before."""
    recent_days, earlier_days, points = rule.recent_school_days, rule.earlier_school_days, rule.points
    least_recent, least_earlier = (rule.min_share_registered * days for days in (recent_days, earlier_days))
    rise = rule.percentage_points

    def evaluate(history: History, moment: Moment) -> Raw | None:
        end = moment.end
        middle = max(moment.start, end - recent_days)
        start = max(moment.start, middle - earlier_days)
        absent, scheduled, registered = history.absent, history.scheduled, history.registered
        recent_absent, recent = absent[end] - absent[middle], scheduled[end] - scheduled[middle]
        # Compared in whole numbers, so that no rounding decides.
        if not points or 100 * recent_absent < rise * recent or registered[end] - registered[middle] < least_recent:
            return None
        earlier_absent, earlier = absent[middle] - absent[start], scheduled[middle] - scheduled[start]
        if (
            registered[middle] - registered[start] < least_earlier
            or 100 * (recent_absent * earlier - earlier_absent * recent) < rise * recent * earlier
        ):
            return None
        counted = (end - middle, middle - start)
        return points, history.days[start], recent_absent, recent, earlier_absent, earlier, *counted

    minutes = (
        "recent_absent_minutes",
        "recent_scheduled_minutes",
        "earlier_absent_minutes",
        "earlier_scheduled_minutes",
    )
    return Indicator("absence_trend", (*minutes, "recent_school_days", "earlier_school_days"), evaluate)


def late_arrivals(rule: rules.LateArrivals) -> Indicator:
    """Lessons begun late over the last school days."""
    steps, window = rule.steps, rule.window_school_days

    def evaluate(history: History, moment: Moment) -> Raw | None:
        end = moment.end
        start = max(moment.start, end - window)
        late = history.late[end] - history.late[start]
        points = _reached(steps, late)
        return (points, history.days[start], late, end - start) if points else None

    return Indicator("late_arrivals", ("late_arrivals", "school_days"), evaluate)


def failed_courses(rule: rules.FailedCourses) -> Indicator:
    """Courses whose mark is F or -, and courses with no grade but an open warning."""
    steps, weight = rule.steps, rule.warning_weight

    def evaluate(_history: History, moment: Moment) -> Raw | None:
        courses = moment.courses
        points = _reached(steps, courses.failed + courses.warned * weight)
        return (points, moment.day, courses.failed, courses.warned) if points else None

    return Indicator("failed_courses", ("failed", "open_warnings"), evaluate)


def credit_margin(rule: rules.CreditMargin) -> Indicator:
    """Credits graded F or -."""
    steps = rule.steps

    def evaluate(_history: History, moment: Moment) -> Raw | None:
        points = _reached(steps, moment.courses.failed_credits)
        return (points, moment.day, moment.courses.failed_credits) if points else None

    return Indicator("credit_margin", ("failed_credits",), evaluate)


def diploma_critical(rule: rules.DiplomaCritical) -> Indicator:
    """Failed courses without which there is no diploma, whatever the rest; the points are the same however many."""
    points = rule.points

    def evaluate(_history: History, moment: Moment) -> Raw | None:
        critical = moment.courses.critical
        return (points, moment.day, critical) if critical and points else None

    return Indicator("diploma_critical", ("critical_courses",), evaluate)
