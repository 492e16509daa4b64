"""What scoring says of a student: `risk.scored.v1`, `risk.level_changed.v1` and `risk.alert_withdrawn.v1`; of a group:
`group.signal_changed.v1`.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from shared.events.envelope import Contract
from shared.events.values import MOST, AlertId, Code, Count, Day, Groups, Points, Quantities, Time, Word


class Level(StrEnum):
    """Level of prevention."""

    UNIVERSAL = "universal"
    TARGETED = "targeted"
    INDIVIDUAL = "individual"

    @property
    def rank(self) -> int:
        """0 for universal, rising with need."""
        return _RANKS[self]


MOST_REASONS = 600
"""A dozen of the student's own, and five of each of 100 groups."""
MOST_STUDENTS = 1_000_000

ModelVersion = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$", max_length=64)]
Number = Annotated[int, Field(ge=1, le=MOST)]
"""Of a message of its student or group, counted from 1."""

_RANKS = {Level.UNIVERSAL: 0, Level.TARGETED: 1, Level.INDIVIDUAL: 2}


class Reason(Contract):
    """One indicator's share of a score, with the raw numbers behind it, so that a person can recompute it by hand.

    Units stand in the names of `numbers` (`absent_minutes`, `scheduled_minutes`, `courses`). `from` and `to` are the
    first and last day counted. `group` is set on reasons that speak of the whole group (`group_absence` and so on): they have
    no points, and tell that the student's whole group worsens together.
    """

    model_config = ConfigDict(populate_by_name=True)

    indicator: Word
    points: Points
    numbers: Quantities
    first_day: Day = Field(alias="from")
    last_day: Day = Field(alias="to")
    group: Code | None = None


class RiskScored(Contract):
    """A student's risk as it stands. Guarded by `revision`: a reader keeps only a higher one than it has.

    `school_unit` and `groups`: where the student is today; where no place is known, the unit that the registers name. `as_of`
    is the newest day in the student's own facts; `fresh_until` the newest day with a taken register. `stale_since`: the first
    of the school unit's school days without any register of this student, `stale_school_days` of them by the authority's
    rules; both are there only for a stale student. Published by scoring, read by reporting.
    """

    school_unit: Code | None = None
    groups: Groups
    score: Points
    level: Level = Field(strict=False)
    reasons: list[Reason] = Field(max_length=MOST_REASONS)
    as_of: Day | None = None
    fresh_until: Day | None = None
    stale_since: Day | None = None
    stale_school_days: int | None = Field(default=None, ge=1, le=366)
    model_version: ModelVersion
    revision: Count


class RiskLevelChanged(Contract):
    """A change of level, once for each `n` of a student; the event's id is `{subject}:{n}`.

    `changes` tells the points each indicator gained (+) or lost (−) since the previous level. `received_at` is when the
    event that brought the change was received by ingest. `cause` is `rules` when the authority's rules changed.
    Published by scoring, read by notify.
    """

    model_config = ConfigDict(populate_by_name=True)

    n: Number
    from_level: Level = Field(alias="from", strict=False)
    to_level: Level = Field(alias="to", strict=False)
    score: Points
    reasons: list[Reason] = Field(max_length=MOST_REASONS)
    changes: dict[Word, Annotated[int, Field(ge=-100, le=100)]] = Field(max_length=20)
    school_unit: Code | None = None
    groups: Groups
    as_of: Day
    fresh_until: Day | None = None
    received_at: Time
    model_version: ModelVersion
    cause: Literal["facts", "rules"] = "facts"


class CorrectedFact(Contract):
    """What made an alert wrong: the newer version of a fact, or new rules of the authority.

    `key`: the lesson; the course and kind of mark; the school unit of a place; the model's version. `day`: the school day; the
    day on which the mark was recorded; the place's first day; the day since which the rules hold. `revision`: of the fact, or
    the number of the rules' version.
    """

    kind: Literal["attendance", "mark", "place", "rules"]
    key: Annotated[str, StringConstraints(min_length=1, max_length=160)]
    day: Day
    revision: Count

    @field_validator("kind", mode="before")
    @classmethod
    def _as_it_was_called(cls, value: object) -> object:
        # Messages under way and alerts stored by an older version of Kvar say `lesson`.
        return "attendance" if value == "lesson" else value


class AlertWithdrawn(Contract):
    """An alert was wrong: by the facts as they are known now, the student has not stood at its level on any day since the one
    it was raised on. The event's id is `{subject}:{n}`; `n` counts on with those of the level changes.

    `alert` is the id of the level change that is withdrawn, `alert_level` the level that it announced. `from` and `to`: the
    student's level before and now; they are the same where the level had fallen already. `cause`: a correction of facts, or a
    change of the authority's rules. `corrected`: what was corrected and nothing else, the newest day first, 20 at most.
    Published by scoring, read by notify.
    """

    model_config = ConfigDict(populate_by_name=True)

    n: Number
    alert: AlertId
    alert_level: Level = Field(strict=False)
    from_level: Level = Field(alias="from", strict=False)
    to_level: Level = Field(alias="to", strict=False)
    score: Points
    reasons: list[Reason] = Field(max_length=MOST_REASONS)
    cause: Literal["correction", "rules"]
    corrected: list[CorrectedFact] = Field(max_length=20)
    school_unit: Code | None = None
    groups: Groups
    as_of: Day | None = None
    fresh_until: Day | None = None
    received_at: Time
    model_version: ModelVersion


class GroupIndicator(StrEnum):
    """What of a group can worsen together."""

    ABSENCE = "absence"
    UNEXCUSED_ABSENCE = "unexcused_absence"
    LATE_ARRIVALS = "late_arrivals"
    WARNINGS = "warnings"
    CLIMATE = "climate"


class GroupSignalChanged(Contract):
    """A group or school unit worsens together in one indicator (`worse`), or does so no longer (`usual`).

    A group is the students of one school unit who bear its code: unique is authority + `school_unit` + subject. The event's id
    is `{subject}:{n}`, its `source` names authority and unit. `numbers`: the group's own now and before, and the rest of the
    unit's now, with their units in the names, only what is known. `students`: how many are counted, never fewer than five.
    `from` and `to`: the first and last day counted. When fewer than five are left, the signal ends without numbers and with the
    count and days that were told last. Published by scoring, read by reporting.
    """

    model_config = ConfigDict(populate_by_name=True)

    n: Number
    indicator: GroupIndicator = Field(strict=False)
    state: Literal["worse", "usual"]
    numbers: Quantities
    students: int = Field(ge=5, le=MOST_STUDENTS)
    school_unit: Code | None = None
    first_day: Day = Field(alias="from")
    last_day: Day = Field(alias="to")
    model_version: ModelVersion
