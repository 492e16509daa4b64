"""Every message of Kvar. Import contracts from here.

At the door (`door`) an event bears the publisher's reference to the student and may carry a person; behind it the
subject is always a pseudonym and no name or national id exists.
"""

from shared.events.attendance import AttendanceRecorded, AttendanceState
from shared.events.climate import ClimateReported
from shared.events.door import DOOR_TYPES, DoorEnrolmentChanged, Person, read_door_event
from shared.events.enrolment import EnrolmentChanged, EnrolmentStatus
from shared.events.envelope import (
    Envelope,
    Fact,
    Precedence,
    StudentFact,
    canonical_json,
    content_digest,
    field_errors,
    precedence,
)
from shared.events.grade import GradeKind, GradeRecorded
from shared.events.messages import (
    BEHIND_TYPES,
    AlertWithdrawnEvent,
    AnyEvent,
    AttendanceRecordedEvent,
    ClimateReportedEvent,
    EnrolmentChangedEvent,
    GradeRecordedEvent,
    GroupSignalChangedEvent,
    RiskLevelChangedEvent,
    RiskScoredEvent,
    StaffChangedEvent,
    read_event,
)
from shared.events.risk import (
    AlertWithdrawn,
    CorrectedFact,
    GroupIndicator,
    GroupSignalChanged,
    Level,
    Reason,
    RiskLevelChanged,
    RiskScored,
)
from shared.events.staff import StaffChanged, StaffRole
from shared.events.values import Code

__all__ = [
    "BEHIND_TYPES",
    "DOOR_TYPES",
    "AlertWithdrawn",
    "AlertWithdrawnEvent",
    "AnyEvent",
    "AttendanceRecorded",
    "AttendanceRecordedEvent",
    "AttendanceState",
    "ClimateReported",
    "ClimateReportedEvent",
    "Code",
    "CorrectedFact",
    "DoorEnrolmentChanged",
    "EnrolmentChanged",
    "EnrolmentChangedEvent",
    "EnrolmentStatus",
    "Envelope",
    "Fact",
    "GradeKind",
    "GradeRecorded",
    "GradeRecordedEvent",
    "GroupIndicator",
    "GroupSignalChanged",
    "GroupSignalChangedEvent",
    "Level",
    "Person",
    "Precedence",
    "Reason",
    "RiskLevelChanged",
    "RiskLevelChangedEvent",
    "RiskScored",
    "RiskScoredEvent",
    "StaffChanged",
    "StaffChangedEvent",
    "StaffRole",
    "StudentFact",
    "canonical_json",
    "content_digest",
    "field_errors",
    "precedence",
    "read_door_event",
    "read_event",
]
