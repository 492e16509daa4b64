"""Events as publishers send them: the subject is the publisher's reference, an enrolment may carry the person.

References `id:…` and ids `staff:…` live in the *space* of their source: by default the system that `source` names. A publisher
with the right to do so names another space by an object, `{"space": "…", "id": "id:…"}`, where a text would stand.
"""

from dataclasses import replace
from typing import Annotated, Any, Generic, Literal

import orjson
from pydantic import Discriminator, Field, StringConstraints, Tag, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shared.errors import FieldError, Reject
from shared.events.attendance import AttendanceRecorded
from shared.events.climate import ClimateReported
from shared.events.enrolment import EnrolmentChanged
from shared.events.envelope import Contract, DataT, Envelope, field_errors
from shared.events.grade import GradeRecorded
from shared.events.staff import StaffChanged
from shared.events.values import INVISIBLE, GroupOrUnit, Name, Spelt, StudentReference, seen

NationalId = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}[0-9A-Z]{4}$", max_length=12)]
SPACE = r"[A-Za-z0-9._~-]{1,64}"
SpaceName = Annotated[str, StringConstraints(pattern=f"^{SPACE}$", max_length=64)]
"""A space is called like the system that it belongs to, or as a setting says."""
OwnStaffId = Annotated[str, Spelt(206, f"^staff:{seen(200)}$", "staff:… of 1 to 200 characters")]
"""A member of staff as the publisher's systems know them; behind the door the space is put before the id."""


SOURCE = rf"/authorities/[A-Za-z0-9_-]{{1,32}}/systems/{SPACE}(/[^\s{INVISIBLE}]*)?"
Source = Annotated[
    str,
    Spelt(
        255,
        f"^{SOURCE}$",
        "/authorities/AUTHORITY/systems/NAME, NAME of at most 64 letters (a to z), digits and . _ ~ -",
    ),
]
"""Who sends; what follows the system's name is its own."""


class NamedReference(Contract):
    """A student's reference in a space that is named."""

    space: SpaceName
    id: Annotated[str, Spelt(203, f"^id:{seen(200)}$", "id:… of 1 to 200 characters")]


class NamedStaffId(Contract):
    """A member of staff in a space that is named."""

    space: SpaceName
    id: OwnStaffId


_TEXT, _OBJECT = "(text)", "(object)"
"""How pydantic tells the two apart in the path of a fault; publishers never see it."""


def _shape(value: object) -> str | None:
    if isinstance(value, str):
        return _TEXT
    return _OBJECT if isinstance(value, dict | Contract) else None


_BY_SHAPE = Discriminator(
    _shape, custom_error_type="reference", custom_error_message="a text, or an object of space and id"
)

AnyReference = Annotated[
    Annotated[StudentReference, Tag(_TEXT)] | Annotated[NamedReference, Tag(_OBJECT)],
    _BY_SHAPE,
]
AnyStaffId = Annotated[
    Annotated[OwnStaffId, Tag(_TEXT)] | Annotated[NamedStaffId, Tag(_OBJECT)],
    _BY_SHAPE,
]


class Person(Contract):
    """Who a student is: at the door only, kept in ingest's own collection and never published.

    `references` are all names under which the authority's systems know the student; they are linked to one pseudonym. A
    person has at least one of the two names.
    """

    references: list[AnyReference] = Field(default_factory=list, max_length=20)
    national_id: NationalId | None = Field(default=None, description="twelve characters, YYYYMMDDNNNN")
    given_name: Name | None = None
    family_name: Name | None = Field(default=None, validate_default=True)

    @field_validator("given_name", "family_name")
    @classmethod
    def _empty_is_absent(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("family_name")
    @classmethod
    def _has_a_name(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("given_name", "") is None:
            raise PydanticCustomError("no_name", "given_name or family_name")
        return value


class DoorEnrolmentChanged(EnrolmentChanged):
    """`enrolment.changed.v1` with the person; a coach may be of a space that is named."""

    coach: AnyStaffId | None = Field(default=None, description="who is told first")  # type: ignore[assignment]
    coaches: list[AnyStaffId] = Field(  # type: ignore[assignment]
        default_factory=list, max_length=20, description="all who are, such as two mentors"
    )
    person: Person | None = None


class DoorEnvelope(Envelope[DataT], Generic[DataT]):
    """The envelope as publishers send it: `specversion` is required, and `source` names the system."""

    specversion: Literal["1.0"]
    source: Source


class DoorAttendanceEvent(DoorEnvelope[AttendanceRecorded]):
    """Attendance as published by a school information system."""

    type: Literal["kvar.attendance.recorded.v1"]
    subject: StudentReference


class DoorGradeEvent(DoorEnvelope[GradeRecorded]):
    """A mark or warning as published by a school information system."""

    type: Literal["kvar.grade.recorded.v1"]
    subject: StudentReference


class DoorEnrolmentEvent(DoorEnvelope[DoorEnrolmentChanged]):
    """An enrolment as published by a school information system."""

    type: Literal["kvar.enrolment.changed.v1"]
    subject: StudentReference


class DoorStaffEvent(DoorEnvelope[StaffChanged]):
    """A member of staff as published by a school information system."""

    type: Literal["kvar.staff.changed.v1"]
    subject: OwnStaffId


class DoorClimateEvent(DoorEnvelope[ClimateReported]):
    """A group's climate as published by a survey system."""

    type: Literal["kvar.climate.reported.v1"]
    subject: GroupOrUnit


DoorEvent = DoorAttendanceEvent | DoorGradeEvent | DoorEnrolmentEvent | DoorStaffEvent | DoorClimateEvent

DOOR_TYPES: dict[str, type[DoorEvent]] = {
    "kvar.attendance.recorded.v1": DoorAttendanceEvent,
    "kvar.grade.recorded.v1": DoorGradeEvent,
    "kvar.enrolment.changed.v1": DoorEnrolmentEvent,
    "kvar.staff.changed.v1": DoorStaffEvent,
    "kvar.climate.reported.v1": DoorClimateEvent,
}


def read_door_event(item: dict[str, Any]) -> DoorEvent:
    """Validates one event at the door by itself.

    Required by CloudEvents and by us: `specversion`, `id`, `source`, `type`, `subject`, `time`, `authority`, `data`.

    Raises:
        Reject: with the JSON path, what was found and what is expected, for each field at fault.
    """
    kind = item.get("type")
    model = DOOR_TYPES.get(kind) if isinstance(kind, str) else None
    if model is None:
        found = orjson.dumps(kind).decode()[:80] if "type" in item else "nothing"
        raise Reject("unknown type", (FieldError("$.type", found, "one of " + ", ".join(DOOR_TYPES)),))
    try:
        return model.model_validate_json(orjson.dumps(item))
    except ValidationError as error:
        raise Reject("the event does not obey its contract", tuple(map(_told, field_errors(error)))) from error


def _told(error: FieldError) -> FieldError:
    return replace(error, path=error.path.replace(f".{_TEXT}", "").replace(f".{_OBJECT}", ""))
