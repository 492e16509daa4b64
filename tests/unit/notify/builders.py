"""Small builders of what notify reads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from services.notify.alerts import Alert, AlertState, HandedOver
from services.notify.places import Situation, Statement, statement_of
from services.notify.recipients import Recipient, StaffMember
from shared.events import AlertWithdrawn, EnrolmentChanged, Level, Reason, RiskLevelChanged, StaffRole

STUDENT = "p_" + "a" * 26
AS_OF = date(2026, 11, 6)
RECEIVED = datetime(2026, 11, 6, 14, 30, tzinfo=UTC)


def total_absence(points: int = 15) -> Reason:
    return Reason(
        indicator="total_absence",
        points=points,
        numbers={"absent_minutes": 1104, "scheduled_minutes": 6000, "school_days": 20},
        first_day=date(2026, 10, 12),
        last_day=AS_OF,
    )


def unexcused_absence(points: int = 10) -> Reason:
    return Reason(
        indicator="unexcused_absence",
        points=points,
        numbers={"unexcused_minutes": 320, "calendar_days": 30},
        first_day=date(2026, 10, 8),
        last_day=AS_OF,
    )


def failed_courses(points: int = 6) -> Reason:
    return Reason(
        indicator="failed_courses",
        points=points,
        numbers={"failed": 1, "open_warnings": 0},
        first_day=date(2026, 8, 19),
        last_day=AS_OF,
    )


def change(
    n: int = 1, before: Level = Level.UNIVERSAL, after: Level = Level.TARGETED, **fields: Any
) -> RiskLevelChanged:
    given: dict[str, Any] = {
        "n": n,
        "from_level": before,
        "to_level": after,
        "score": 31,
        "reasons": [failed_courses(), total_absence(), unexcused_absence()],
        "changes": {"total_absence": 5, "unexcused_absence": 10, "failed_courses": 0},
        "school_unit": "Ekskolan",
        "groups": ["NA24a"],
        "as_of": AS_OF,
        "fresh_until": AS_OF,
        "received_at": RECEIVED,
        "model_version": "1",
    }
    return RiskLevelChanged(**{**given, **fields})


def withdrawal(
    n: int = 2, withdraws: int = 1, before: Level = Level.TARGETED, after: Level = Level.UNIVERSAL, **fields: Any
) -> AlertWithdrawn:
    given: dict[str, Any] = {
        "n": n,
        "alert": f"{STUDENT}:{withdraws}",
        "alert_level": Level.TARGETED,
        "from_level": before,
        "to_level": after,
        "score": 6,
        "reasons": [failed_courses()],
        "cause": "correction",
        "corrected": [],
        "school_unit": "Ekskolan",
        "groups": ["NA24a"],
        "as_of": AS_OF,
        "fresh_until": AS_OF,
        "received_at": RECEIVED,
        "model_version": "1",
    }
    return AlertWithdrawn(**{**given, **fields})


def group_absence(group: str | None = "NA24a") -> Reason:
    return Reason(
        indicator="group_absence",
        points=0,
        numbers={"students": 24, "recent_percent": 14.2, "earlier_percent": 6.1, "unit_percent": 7.0},
        first_day=date(2026, 9, 21),
        last_day=AS_OF,
        group=group,
    )


def alert(*, begun: bool = False, **fields: Any) -> Alert:
    """`begun`: its mail may be out."""
    given: dict[str, Any] = {
        "id": f"{STUDENT}:1",
        "student": STUDENT,
        "authority": "2480",
        "change": change(),
        "state": AlertState.SENDING,
        "created_at": RECEIVED,
        "rev": 2,
        "handed_over": HandedOver(1, "staff:anna", "coach", Level.TARGETED) if begun else None,
    }
    return Alert(**{**given, **fields})


def member(staff: str = "staff:anna", *roles: StaffRole, **fields: Any) -> StaffMember:
    given: dict[str, Any] = {
        "staff": staff,
        "name": "Åsa Öberg",
        "email": f"{staff.removeprefix('staff:')}@skola.example",
        "roles": frozenset(roles or {StaffRole.COACH}),
        "scope": frozenset({"Ekskolan"}),
        "language": "sv",
        "active": True,
    }
    return StaffMember(**{**given, **fields})


def to(language: str = "sv", role: StaffRole = StaffRole.COACH) -> Recipient:
    return Recipient(member(language=language), role)


def about(**fields: Any) -> Situation:
    given: dict[str, Any] = {
        "school_unit": "Ekskolan",
        "coaches": ("staff:anna",),
        "protected": False,
        "left": False,
        "deceased": False,
        "known": True,
    }
    return Situation(**{**given, **fields})


def enrolment(school_unit: str = "Ekskolan", starts_on: date = date(2026, 8, 17), **fields: Any) -> EnrolmentChanged:
    given: dict[str, Any] = {
        "school_unit": school_unit,
        "starts_on": starts_on,
        "status": "active",
        "coach": "staff:anna",
        "groups": ["NA24a"],
        "revision": 1,
    }
    return EnrolmentChanged(**{**given, **fields})


def stated(school_unit: str = "Ekskolan", starts_on: date = date(2026, 8, 17), **fields: Any) -> Statement:
    """As an event says it that the source recorded on the sixth of November."""
    time = fields.pop("time", RECEIVED)
    return statement_of(enrolment(school_unit, starts_on, **fields), time, UTC)
