"""Events as publishers send them, as JSON objects: a test changes what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AUTHORITY = "2480"


def event(kind: str, subject: str, data: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    """One CloudEvent. `envelope` overrides attributes; None removes one."""
    authority = envelope.get("authority", AUTHORITY)
    attributes = {
        "specversion": "1.0",
        "id": "1",
        "source": f"/authorities/{authority}/systems/test",
        "type": f"kvar.{kind}.v1",
        "subject": subject,
        "time": NOW.isoformat(),
        "authority": authority,
        "data": {name: value for name, value in data.items() if value is not None},
    } | envelope
    return {name: value for name, value in attributes.items() if value is not None}


def text(item: Any) -> bytes:
    """An item as it comes."""
    return orjson.dumps(item)


def attendance(
    student: str = "id:1", *, now: datetime = NOW, data: dict[str, Any] | None = None, **envelope: Any
) -> dict[str, Any]:
    """Attendance in a lesson of yesterday, 20 of 60 minutes unexcused."""
    fact = {
        "school_unit": "U1",
        "lesson": "L1",
        "starts_at": (now - timedelta(days=1)).isoformat(),
        "minutes": 60,
        "state": "registered",
        "unexcused_minutes": 20,
        "revision": 1,
    }
    return event("attendance.recorded", student, fact | (data or {}), **envelope)


def grade(student: str = "id:1", *, data: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    """An F of today."""
    fact = {
        "school_unit": "U1",
        "course": "MATMAT01a",
        "curriculum": "gy25",
        "credits": 100,
        "kind": "final",
        "value": "F",
        "recorded_on": NOW.date().isoformat(),
        "revision": 1,
    }
    return event("grade.recorded", student, fact | (data or {}), **envelope)


def person(*references: Any, **fields: Any) -> dict[str, Any]:
    """The person of an enrolment."""
    return {"references": list(references), "given_name": "Alva", "family_name": "Lindqvist"} | fields


def enrolment(student: str = "id:1", *, data: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    """A place since the beginning of the school year, without a person."""
    fact = {"school_unit": "U1", "status": "active", "starts_on": "2026-08-17", "revision": 1}
    return event("enrolment.changed", student, fact | (data or {}), **envelope)


def climate(period: str = "2026-W47", **data: Any) -> dict[str, Any]:
    """A group's climate."""
    fact = {"period": period, "answers": 9, "safety": 3.5, "inclusion": 4.0, "relations": 3.0, "revision": 1}
    return event("climate.reported", "group:NA25a", fact | data)


def staff(staff_id: str = "staff:kim", *, data: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    """A coach."""
    fact = {"name": "Kim Ek", "email": "kim@example.org", "roles": ["coach"], "revision": 1}
    return event("staff.changed", staff_id, fact | (data or {}), **envelope)


def source(system: str, authority: str = AUTHORITY) -> str:
    """The source of a system's events."""
    return f"/authorities/{authority}/systems/{system}"
