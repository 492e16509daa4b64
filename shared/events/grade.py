"""`grade.recorded.v1`: a mark or a warning of one student in one course."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shared.events.envelope import StudentFact
from shared.events.values import WHOLE, Code, Day, Name, Spelt, seen

MARKS = frozenset({"A", "B", "C", "D", "E", "F", "-"})
WARNINGS = frozenset({"open", "closed"})

_VALUES_BY_KIND: dict[str, Any] = {
    "if": {"properties": {"kind": {"const": "warning"}}},
    "then": {"properties": {"value": {"enum": sorted(WARNINGS)}}},
    "else": {"properties": {"value": {"enum": sorted(MARKS)}}},
}


class GradeKind(StrEnum):
    """What kind of statement about a course it is."""

    WARNING = "warning"
    """An open risk of F before grading (local practice, not a grade)."""
    TERM = "term"
    """A term's mark while the course goes on."""
    FINAL = "final"
    """The grade."""


class GradeRecorded(StudentFact):
    """A mark or warning. Key: subject + `course` + `kind` + `recorded_on`.

    Marks change with time, and that is no correction: of a course and kind the latest `recorded_on` up to a school day counts
    on it. A retraction takes back its own `recorded_on` alone. `-` means no basis for a grade because of absence: it is not
    an F. Published by school information systems, read by scoring.
    """

    model_config = ConfigDict(json_schema_extra=_VALUES_BY_KIND)

    course: Code = Field(description="course code, or subject code and level (Gy25)")
    name: Name | None = Field(default=None, description="of the course, for people to read")
    subject: Annotated[str, Spelt(200, f"^({seen(200)})?$", "at most 200 characters")] | None = Field(
        default=None,
        description="of Gy25: the same for all levels of a subject; the last passed one counts",
    )
    curriculum: Literal["gy11", "gy25"]
    credits: Annotated[int, Field(ge=0, le=400), WHOLE]
    required: bool = Field(default=False, description="Swedish, English or mathematics required for the diploma")
    diploma_project: bool = False
    kind: GradeKind = Field(strict=False)
    value: Literal["A", "B", "C", "D", "E", "F", "-", "open", "closed"] = Field(
        description="A…F or -; for a warning open or closed"
    )
    recorded_on: Day
    replaces: list[Code] = Field(
        default_factory=list,
        max_length=50,
        description="of a final grade: courses that it makes up for when passed, from `recorded_on` on, in either curriculum",
    )
    state: Literal["recorded", "retracted"] = "recorded"

    @field_validator("value")
    @classmethod
    def _value_fits_the_kind(cls, value: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if kind is GradeKind.WARNING and value not in WARNINGS:
            raise PydanticCustomError("warning_value", "open or closed")
        if kind in {GradeKind.TERM, GradeKind.FINAL} and value not in MARKS:
            raise PydanticCustomError("grade_value", "one of A, B, C, D, E, F, -")
        return value
