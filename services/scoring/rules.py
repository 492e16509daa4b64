"""The numbers of the score that a school authority may change, with their defaults.

About 9 points stand for a log likelihood ratio of 1, from the 110 published dropout flags in Bowers, Sprott and Taff
(2013). What an authority sets is checked as a whole: unknown names, steps out of order and windows longer than what is kept
at hand are refused with the name of the field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.scoring.level import Stability
from shared.errors import Reject
from shared.events import field_errors

MODEL_VERSION = "points-3"
LONGEST_WINDOW = 40
"""School days, or calendar days, that any window may look back: what a student's state keeps before its trail."""


def _ascending(steps: Sequence[tuple[float, int]]) -> Sequence[tuple[float, int]]:
    if any(later[0] <= earlier[0] or later[1] < earlier[1] for earlier, later in pairwise(steps)):
        raise ValueError("steps rise: each threshold above the one before, never with fewer points")
    return steps


Points = Annotated[int, Field(ge=0, le=100)]
Steps = Annotated[tuple[tuple[Annotated[float, Field(gt=0)], Points], ...], AfterValidator(_ascending)]
"""(threshold, points) in rising order; the highest threshold reached counts. Empty: the indicator brings no points."""
Window = Annotated[int, Field(ge=1, le=LONGEST_WINDOW)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SchoolYear(_Part):
    """When a school year begins: no absence before that day counts after it. Month and day, `07-01`."""

    begins: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")] = "07-01"

    @model_validator(mode="after")
    def _is_in_every_year(self) -> Self:
        try:
            date.fromisoformat(f"2023-{self.begins}")
        except ValueError as error:
            raise ValueError("begins is a day that every year has") from error
        return self

    def first_day(self, day: int) -> int:
        """Day number of the first day of the school year that a day lies in."""
        return _first_day(day, self.begins)


@lru_cache(maxsize=4096)
def _first_day(day: int, begins: str) -> int:
    on = date.fromordinal(day)
    first = date.fromisoformat(f"{on.year}-{begins}")
    return (first if first <= on else first.replace(year=on.year - 1)).toordinal()


class TotalAbsence(_Part):
    """Percent of the scheduled minutes, over a window of school days of which some must have a register."""

    steps: Steps = ((5, 4), (10, 10), (15, 15), (20, 20))
    window_school_days: Window = 20
    min_school_days: Window = 10

    @model_validator(mode="after")
    def _window_can_be_filled(self) -> Self:
        if self.min_school_days > self.window_school_days:
            raise ValueError("min_school_days is at most window_school_days")
        return self


class UnexcusedAbsence(_Part):
    """Minutes, over a window of calendar days."""

    steps: Steps = ((120, 4), (240, 10), (480, 16))
    window_calendar_days: Window = 30


class AbsenceStreak(_Part):
    """Consecutive school days of full absence; a streak longer than the window says no more. What full absence is: `days.Day`."""

    steps: Steps = ((3, 6), (5, 12))
    window_school_days: Window = 20


class AbsenceTrend(_Part):
    """Absence over the last school days beside that over those before, in percentage points.

    Of either window `min_share_registered` of the days must have a register, or nothing is compared.
    """

    percentage_points: float = Field(default=10, gt=0, le=100)
    points: Points = 8
    recent_school_days: Window = 10
    earlier_school_days: Window = 20
    min_share_registered: float = Field(default=0.5, gt=0, le=1)

    @model_validator(mode="after")
    def _windows_are_at_hand(self) -> Self:
        if self.recent_school_days + self.earlier_school_days > LONGEST_WINDOW:
            raise ValueError(f"recent_school_days and earlier_school_days are {LONGEST_WINDOW} together at most")
        return self


class LateArrivals(_Part):
    """Lessons begun late, over a window of school days."""

    steps: Steps = ((4, 3), (8, 6))
    window_school_days: Window = 20


class FailedCourses(_Part):
    """Courses with F or -; an open warning counts as a part of one."""

    steps: Steps = ((1, 6), (2, 14), (3, 18), (4, 24))
    warning_weight: float = Field(default=0.5, ge=0, le=1)


class CreditMargin(_Part):
    """Credits graded F or -. A diploma of 2,500 credits leaves room for 250 that are not passed."""

    steps: Steps = ((100, 10), (200, 18), (251, 24))


class DiplomaCritical(_Part):
    """Whether a failed course is one without which there is no diploma."""

    points: Points = 8


class Levels(_Part):
    """From which score on a level begins, and how stable it is (see `level`)."""

    targeted: int = Field(default=25, ge=1, le=100)
    individual: int = Field(default=50, ge=2, le=100)
    rise_days: int = Field(default=2, ge=1, le=20)
    rise_at_once_points: int = Field(default=20, ge=1, le=100)
    fall_margin_points: int = Field(default=8, ge=0, le=100)
    fall_days: int = Field(default=10, ge=1, le=40)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.individual <= self.targeted:
            raise ValueError("individual begins above targeted")
        return self

    def stability(self) -> Stability:
        """As the fold takes it."""
        return Stability(
            thresholds=(self.targeted, self.individual),
            rise_days=self.rise_days,
            rise_at_once=self.rise_at_once_points,
            fall_margin=self.fall_margin_points,
            fall_days=self.fall_days,
        )


class GroupSignals(_Part):
    """When a whole group counts as worsening: by how much, beside its own past and beside the rest of its unit.

    Percentage points for the two of absence; late lessons per student in ten school days; open warnings per student; steps
    of the scale 1…5 for climate. At least `share_of_students` of the students, and never fewer than `min_students`, must have
    worsened themselves by `student_part` of the threshold, so that no single student makes a signal.

    A signal rises after `rise_days` school days of the group at the threshold, or at once when its strength leaps by
    `rise_at_once` thresholds; it falls after `fall_days` with a strength of at least `fall_margin` thresholds less than one.
    """

    absence: float = Field(default=5, gt=0)
    unexcused_absence: float = Field(default=3, gt=0)
    late_arrivals: float = Field(default=1, gt=0)
    warnings: float = Field(default=0.3, gt=0)
    climate: float = Field(default=0.5, gt=0)
    share_of_students: float = Field(default=0.5, ge=0, le=1)
    student_part: float = Field(default=0.5, gt=0, le=1)
    min_students: int = Field(default=5, ge=5)
    rise_days: int = Field(default=2, ge=1, le=10)
    rise_at_once: float = Field(default=2, ge=1)
    fall_margin: float = Field(default=0.5, ge=0, lt=1)
    fall_days: int = Field(default=10, ge=1, le=20)

    def stability(self, threshold: float) -> Stability:
        """As the fold takes it, for one indicator; `threshold` in the unit of the strengths."""
        return Stability(
            thresholds=(threshold,),
            rise_days=self.rise_days,
            rise_at_once=self.rise_at_once * threshold,
            fall_margin=self.fall_margin * threshold,
            fall_days=self.fall_days,
        )


class Stale(_Part):
    """After how many school days of the school unit without any register of the student a student is stale."""

    school_days: int = Field(default=10, ge=1, le=LONGEST_WINDOW)


class Rules(_Part):
    """Everything that an authority may set. What it leaves out stays at its default."""

    school_year: SchoolYear = SchoolYear()
    total_absence: TotalAbsence = TotalAbsence()
    unexcused_absence: UnexcusedAbsence = UnexcusedAbsence()
    absence_streak: AbsenceStreak = AbsenceStreak()
    absence_trend: AbsenceTrend = AbsenceTrend()
    late_arrivals: LateArrivals = LateArrivals()
    failed_courses: FailedCourses = FailedCourses()
    credit_margin: CreditMargin = CreditMargin()
    diploma_critical: DiplomaCritical = DiplomaCritical()
    levels: Levels = Levels()
    group_signals: GroupSignals = GroupSignals()
    stale: Stale = Stale()


DEFAULT = Rules()


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """An authority's rules from a time on. `version` 0: the defaults, nothing has been set."""

    version: int = 0
    rules: Rules = DEFAULT
    since: datetime | None = None

    @property
    def model_version(self) -> str:
        """What a score says it was made with: `points-3`, or `points-3+2` by the second version of the authority."""
        return MODEL_VERSION + (f"+{self.version}" if self.version else "")


DEFAULTS = RuleVersion()


def read_rules(content: bytes) -> Rules:
    """Rules from a TOML file.

    Raises:
        Reject: no TOML, or values that cannot be used, each with its path.
    """
    try:
        fields = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Reject(f"no TOML: {error}") from error
    return check_rules(fields)


def check_rules(fields: dict[str, Any]) -> Rules:
    """Rules from what an authority has set.

    Raises:
        Reject: values that cannot be used, each with its path.
    """
    try:
        return Rules.model_validate(fields)
    except ValidationError as error:
        raise Reject("these rules cannot be used", field_errors(error)) from error
