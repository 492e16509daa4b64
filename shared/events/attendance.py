"""`attendance.recorded.v1`: one student, one lesson."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shared.events.envelope import StudentFact
from shared.events.values import WHOLE, Code, Time

LONGEST_LESSON = 720
Absence = Annotated[int, Field(ge=0, le=LONGEST_LESSON), WHOLE]


class AttendanceState(StrEnum):
    """What the source says of the lesson's register."""

    REGISTERED = "registered"
    """Somebody took the register: minutes of absence are known."""
    UNREGISTERED = "unregistered"
    """The lesson took place, no register yet: unknown, neither present nor absent."""
    CANCELLED = "cancelled"
    """The lesson did not take place."""
    RETRACTED = "retracted"
    """The source takes the statement back: as if it had never been made."""


class AttendanceRecorded(StudentFact):
    """Attendance of one student in one occurrence of a lesson.

    Key: subject + `lesson` + school day (the date of `starts_at` in the authority's time zone). Minutes are scheduled
    minutes of this student. Published by school information systems, read by scoring. Never carries a cause of absence.
    """

    lesson: Code = Field(description="the source's stable id of this occurrence")
    group: Code | None = None
    course: Code | None = None
    starts_at: Time
    minutes: Annotated[int, Field(ge=1, le=LONGEST_LESSON), WHOLE] = Field(description="scheduled for this student")
    state: AttendanceState = Field(strict=False)
    excused_minutes: Absence = 0
    unexcused_minutes: Absence = 0
    late: bool = Field(default=False, description="the unexcused minutes come from arriving late")

    @field_validator("excused_minutes", "unexcused_minutes")
    @classmethod
    def _absence_fits_the_lesson(cls, value: int, info: ValidationInfo) -> int:
        known = info.data
        if value and known.get("state", AttendanceState.REGISTERED) is not AttendanceState.REGISTERED:
            raise PydanticCustomError("absence_unknown", "0 unless state is registered")
        minutes = known.get("minutes")
        if minutes is not None and value + known.get("excused_minutes", 0) > minutes:
            raise PydanticCustomError("absence_too_long", "excused and unexcused minutes together at most minutes")
        return value
