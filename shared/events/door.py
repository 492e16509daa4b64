"""Events as publishers send them: the subject is the publisher's reference, an enrolment may carry the person."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, StringConstraints, ValidationError

from shared.errors import FieldError, Reject
from shared.events.attendance import AttendanceRecorded
from shared.events.climate import ClimateReported
from shared.events.enrolment import EnrolmentChanged
from shared.events.envelope import Contract, Envelope, GroupOrUnit, StaffId, StudentReference, field_errors
from shared.events.grade import GradeRecorded
from shared.events.staff import StaffChanged

NationalId = Annotated[str, StringConstraints(pattern=r"^\d{8}[0-9A-Z]{4}$")]


class Person(Contract):
    """Who a student is: at the door only, kept in ingest's own collection and never published.

    `references` are all names under which the authority's systems know the student; they are linked to one pseudonym.
    """

    references: list[StudentReference] = Field(default_factory=list, max_length=20)
    national_id: NationalId | None = Field(default=None, description="twelve characters, YYYYMMDDNNNN")
    given_name: str = Field(min_length=1, max_length=200)
    family_name: str = Field(min_length=1, max_length=200)


class DoorEnrolmentChanged(EnrolmentChanged):
    """`enrolment.changed.v1` with the person."""

    person: Person | None = None


class DoorAttendanceEvent(Envelope[AttendanceRecorded]):
    """Attendance as published by a school information system."""

    type: Literal["kvar.attendance.recorded.v1"]
    subject: StudentReference


class DoorGradeEvent(Envelope[GradeRecorded]):
    """A mark or warning as published by a school information system."""

    type: Literal["kvar.grade.recorded.v1"]
    subject: StudentReference


class DoorEnrolmentEvent(Envelope[DoorEnrolmentChanged]):
    """An enrolment as published by a school information system."""

    type: Literal["kvar.enrolment.changed.v1"]
    subject: StudentReference


class DoorStaffEvent(Envelope[StaffChanged]):
    """A member of staff as published by a school information system."""

    type: Literal["kvar.staff.changed.v1"]
    subject: StaffId


class DoorClimateEvent(Envelope[ClimateReported]):
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
    if "specversion" not in item:
        raise Reject("no CloudEvent", (FieldError("$.specversion", "nothing", '"1.0"'),))
    try:
        return model.model_validate_json(orjson.dumps(item))
    except ValidationError as error:
        raise Reject("the event does not obey its contract", field_errors(error)) from error
