"""What scoring says: `risk.scored.v1` and `risk.level_changed.v1`."""

from datetime import date
from enum import StrEnum

from pydantic import AwareDatetime, ConfigDict, Field

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
    first and last day counted.
    """

    model_config = ConfigDict(populate_by_name=True)

    indicator: str
    points: int
    numbers: dict[str, float | int]
    first_day: date = Field(alias="from")
    last_day: date = Field(alias="to")


class RiskScored(Contract):
    """A student's risk as it stands. Guarded by `revision`: a reader keeps only a higher one than it has.

    `as_of` is the newest day in the student's own facts; `fresh_until` the newest day with a taken register. Published
    by scoring, read by reporting.
    """

    school_unit: Code | None = None
    groups: list[Code]
    score: int = Field(ge=0, le=100)
    level: Level = Field(strict=False)
    reasons: list[Reason]
    as_of: date | None = None
    fresh_until: date | None = None
    model_version: str
    revision: int


class RiskLevelChanged(Contract):
    """A change of level, once for each `n` of a student; the event's id is `{subject}:{n}`.

    `changes` tells the points each indicator gained (+) or lost (−) since the previous level. `received_at` is when the
    event that brought the change was received by ingest. Published by scoring, read by notify.
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
