"""What scoring says of a student: `risk.scored.v1`, `risk.level_changed.v1` and `risk.alert_withdrawn.v1`; of a group:
`group.signal_changed.v1`.
"""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field, field_validator

from shared.events.envelope import Code, Contract


class Level(StrEnum):
    """Level of prevention."""

    UNIVERSAL = "universal"
    TARGETED = "targeted"
    INDIVIDUAL = "individual"

    @property
    def rank(self) -> int:
        """0 for universal, rising with need."""
        return _RANKS[self]


_RANKS = {Level.UNIVERSAL: 0, Level.TARGETED: 1, Level.INDIVIDUAL: 2}


class Reason(Contract):
    """One indicator's share of a score, with the raw numbers behind it, so that a person can recompute it by hand.

    Units stand in the names of `numbers` (`absent_minutes`, `scheduled_minutes`, `courses`). `from` and `to` are the
    first and last day counted. `group` is set on reasons that speak of the whole group (`group_absence` and so on): they have
    no points, and tell that the student's whole group worsens together.
    """

    model_config = ConfigDict(populate_by_name=True)

    indicator: str
    points: int
    numbers: dict[str, float | int]
    first_day: date = Field(alias="from")
    last_day: date = Field(alias="to")
    group: Code | None = None


class RiskScored(Contract):
    """A student's risk as it stands. Guarded by `revision`: a reader keeps only a higher one than it has.

    `school_unit` and `groups`: where the student is today; where no place is known, the unit that the registers name. `as_of`
    is the newest day in the student's own facts; `fresh_until` the newest day with a taken register. `stale_since`: the first
    of the school unit's school days without any register of this student, `stale_school_days` of them by the authority's
    rules; both are there only for a stale student. Published by scoring, read by reporting.
    """

    school_unit: Code | None = None
    groups: list[Code]
    score: int = Field(ge=0, le=100)
    level: Level = Field(strict=False)
    reasons: list[Reason]
    as_of: date | None = None
    fresh_until: date | None = None
    stale_since: date | None = None
    stale_school_days: int | None = Field(default=None, ge=1)
    model_version: str
    revision: int


class RiskLevelChanged(Contract):
    """A change of level, once for each `n` of a student; the event's id is `{subject}:{n}`.

    `changes` tells the points each indicator gained (+) or lost (−) since the previous level. `received_at` is when the
    event that brought the change was received by ingest. `cause` is `rules` when the authority's rules changed.
    Published by scoring, read by notify.
    """

    model_config = ConfigDict(populate_by_name=True)

    n: int = Field(ge=1)
    from_level: Level = Field(alias="from", strict=False)
    to_level: Level = Field(alias="to", strict=False)
    score: int = Field(ge=0, le=100)
    reasons: list[Reason]
    changes: dict[str, int]
    school_unit: Code | None = None
    groups: list[Code]
    as_of: date
    fresh_until: date | None = None
    received_at: AwareDatetime
    model_version: str
    cause: Literal["facts", "rules"] = "facts"


class CorrectedFact(Contract):
    """What made an alert wrong: the newer version of a fact, or new rules of the authority.

    `key`: the lesson; the course and kind of mark; the school unit of a place; the model's version. `day`: the school day; the
    day on which the mark was recorded; the place's first day; the day since which the rules hold. `revision`: of the fact, or
    the number of the rules' version.
    """

    kind: Literal["attendance", "mark", "place", "rules"]
    key: str
    day: date
    revision: int

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

    n: int = Field(ge=1)
    alert: str
    alert_level: Level = Field(strict=False)
    from_level: Level = Field(alias="from", strict=False)
    to_level: Level = Field(alias="to", strict=False)
    score: int = Field(ge=0, le=100)
    reasons: list[Reason]
    cause: Literal["correction", "rules"]
    corrected: list[CorrectedFact] = Field(max_length=20)
    school_unit: Code | None = None
    groups: list[Code]
    as_of: date | None = None
    fresh_until: date | None = None
    received_at: AwareDatetime
    model_version: str


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

    n: int = Field(ge=1)
    indicator: GroupIndicator = Field(strict=False)
    state: Literal["worse", "usual"]
    numbers: dict[str, float | int]
    students: int = Field(ge=5)
    school_unit: Code | None = None
    first_day: date = Field(alias="from")
    last_day: date = Field(alias="to")
    model_version: str
