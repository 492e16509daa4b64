"""`enrolment.changed.v1`: a student's place at a school unit."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shared.events.envelope import StudentFact
from shared.events.values import WHOLE, Code, Day, Groups, StaffId


class EnrolmentStatus(StrEnum):
    """Whether the student is at the school unit."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class EnrolmentChanged(StudentFact):
    """A place at a school unit. Key: subject + `school_unit` + `starts_on`.

    It holds from `starts_on` to `ends_on`, both included, whatever `status` says; `ended` without `ends_on` ends on the day of
    the event's `time`. Where a student is on a day, of all places: `shared.events.places`. A coach is named by the `subject`
    of that person's `staff.changed`. Published by school information systems, read by scoring, notify and reporting.
    """

    programme: Code | None = None
    programme_type: Literal["preparatory", "vocational", "introductory"] | None = None
    study_year: Annotated[int, Field(ge=1, le=4), WHOLE] | None = None
    curriculum: Literal["gy11", "gy25"] | None = None
    groups: Groups = Field(default_factory=list)
    main: bool = Field(default=True, description="false for a course at another school beside the student's own")
    coach: StaffId | None = Field(default=None, description="who is told first")
    coaches: list[StaffId] = Field(default_factory=list, max_length=20, description="all who are, such as two mentors")
    status: EnrolmentStatus = Field(strict=False)
    starts_on: Day
    ends_on: Day | None = None
    end_reason: Literal["diploma", "moved", "exchange", "left", "deceased", "other"] | None = None
    protected: bool = Field(default=False, description="protected identity: no name or address is ever shown")
    turns_18_on: Day | None = Field(default=None, description="from this day guardians are not told")
    state: Literal["recorded", "retracted"] = "recorded"

    @field_validator("ends_on")
    @classmethod
    def _ends_after_it_starts(cls, value: Day | None, info: ValidationInfo) -> Day | None:
        starts_on = info.data.get("starts_on")
        if value is not None and starts_on is not None and value < starts_on:
            raise PydanticCustomError("ends_too_early", "not before starts_on")
        return value
