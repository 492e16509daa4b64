"""The events behind the door: one class for each type, and reading any of them from bytes."""

from typing import Literal

import orjson
from pydantic import ValidationError

from shared.errors import FieldError, Reject, decoding
from shared.events.attendance import AttendanceRecorded
from shared.events.climate import ClimateReported
from shared.events.enrolment import EnrolmentChanged
from shared.events.envelope import Envelope, field_errors
from shared.events.grade import GradeRecorded
from shared.events.risk import AlertWithdrawn, GroupSignalChanged, RiskLevelChanged, RiskScored
from shared.events.staff import StaffChanged
from shared.events.values import GroupOrUnit, Pseudonym, StaffId


class AttendanceRecordedEvent(Envelope[AttendanceRecorded]):
    """A student's attendance in one lesson, as accepted by ingest."""

    type: Literal["kvar.attendance.recorded.v1"] = "kvar.attendance.recorded.v1"
    subject: Pseudonym


class GradeRecordedEvent(Envelope[GradeRecorded]):
    """A student's mark or warning in one course, as accepted by ingest."""

    type: Literal["kvar.grade.recorded.v1"] = "kvar.grade.recorded.v1"
    subject: Pseudonym


class EnrolmentChangedEvent(Envelope[EnrolmentChanged]):
    """A student's place at a school unit, as accepted by ingest: without the person."""

    type: Literal["kvar.enrolment.changed.v1"] = "kvar.enrolment.changed.v1"
    subject: Pseudonym


class StaffChangedEvent(Envelope[StaffChanged]):
    """A member of staff, for notify alone."""

    type: Literal["kvar.staff.changed.v1"] = "kvar.staff.changed.v1"
    subject: StaffId


class ClimateReportedEvent(Envelope[ClimateReported]):
    """A group's or unit's climate in one week."""

    type: Literal["kvar.climate.reported.v1"] = "kvar.climate.reported.v1"
    subject: GroupOrUnit


class RiskScoredEvent(Envelope[RiskScored]):
    """A student's risk as it stands."""

    type: Literal["kvar.risk.scored.v1"] = "kvar.risk.scored.v1"
    subject: Pseudonym


class RiskLevelChangedEvent(Envelope[RiskLevelChanged]):
    """A change of a student's level: what an alert is made from."""

    type: Literal["kvar.risk.level_changed.v1"] = "kvar.risk.level_changed.v1"
    subject: Pseudonym


class AlertWithdrawnEvent(Envelope[AlertWithdrawn]):
    """An alert that a correction made wrong."""

    type: Literal["kvar.risk.alert_withdrawn.v1"] = "kvar.risk.alert_withdrawn.v1"
    subject: Pseudonym


class GroupSignalChangedEvent(Envelope[GroupSignalChanged]):
    """A group or school unit that worsens together, or does so no longer."""

    type: Literal["kvar.group.signal_changed.v1"] = "kvar.group.signal_changed.v1"
    subject: GroupOrUnit


AnyEvent = (
    AttendanceRecordedEvent
    | GradeRecordedEvent
    | EnrolmentChangedEvent
    | StaffChangedEvent
    | ClimateReportedEvent
    | RiskScoredEvent
    | RiskLevelChangedEvent
    | AlertWithdrawnEvent
    | GroupSignalChangedEvent
)

BEHIND_TYPES: dict[str, type[AnyEvent]] = {
    model.model_fields["type"].default: model
    for model in (
        AttendanceRecordedEvent,
        GradeRecordedEvent,
        EnrolmentChangedEvent,
        StaffChangedEvent,
        ClimateReportedEvent,
        RiskScoredEvent,
        RiskLevelChangedEvent,
        AlertWithdrawnEvent,
        GroupSignalChangedEvent,
    )
}


def read_event(body: bytes) -> AnyEvent:
    """Reads a message of any known type.

    Raises:
        Reject: not JSON, an unknown type, or a field at fault (named in `errors`).
    """
    with decoding():
        try:
            head = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Reject("the message is not JSON", (FieldError("$", "no JSON", str(error)),)) from error
        kind = head.get("type") if isinstance(head, dict) else None
        model = BEHIND_TYPES.get(kind) if isinstance(kind, str) else None
        if model is None:
            raise Reject(
                "the message's type is unknown", (FieldError("$.type", "unknown", "one of " + ", ".join(BEHIND_TYPES)),)
            )
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise Reject("the message does not obey its contract", field_errors(error)) from error
