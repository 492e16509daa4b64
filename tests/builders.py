"""Small builders of messages, so that a test says only what it is about."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.events import (
    AttendanceRecorded,
    AttendanceRecordedEvent,
    AttendanceState,
    EnrolmentChanged,
    EnrolmentChangedEvent,
    EnrolmentStatus,
    GradeKind,
    GradeRecorded,
    GradeRecordedEvent,
)

STOCKHOLM = ZoneInfo("Europe/Stockholm")
AUTHORITY = "2480"
UNIT = "gy-aspen"
MONDAY = date(2026, 9, 7)


def pseudonym(name: str) -> str:
    """A well-formed pseudonym, the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    return "p_" + "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest[:26])


def school_days(first: date, count: int) -> list[date]:
    """That many weekdays from `first` on."""
    days = (first + timedelta(days=n) for n in range(count * 2 + 7))
    return [day for day in days if day.weekday() < 5][:count]


def at(day: date, hour: int = 8) -> datetime:
    """An hour of a day in Stockholm."""
    return datetime.combine(day, time(hour), STOCKHOLM)


def _envelope(subject: str, key: str, when: datetime, received: datetime | None) -> dict[str, Any]:
    return {
        "id": key,
        "source": f"/authorities/{AUTHORITY}/systems/test",
        "subject": subject,
        "time": when,
        "authority": AUTHORITY,
        "recordedtime": received or when.astimezone(UTC),
    }


def attendance(
    student: str,
    day: date,
    *,
    lesson: str = "1",
    minutes: int = 60,
    excused: int = 0,
    unexcused: int = 0,
    late: bool = False,
    state: AttendanceState = AttendanceState.REGISTERED,
    revision: int = 1,
    received: datetime | None = None,
) -> AttendanceRecordedEvent:
    """Attendance in one lesson."""
    key = f"{student}-{day}-{lesson}-{revision}-{state}-{excused}-{unexcused}"
    return AttendanceRecordedEvent(
        **_envelope(student, key, at(day), received),
        data=AttendanceRecorded(
            lesson=f"{day}-{lesson}",
            school_unit=UNIT,
            starts_at=at(day),
            minutes=minutes,
            state=state,
            excused_minutes=excused,
            unexcused_minutes=unexcused,
            late=late,
            revision=revision,
        ),
    )


def grade(
    student: str,
    day: date,
    *,
    course: str = "MATMAT01a",
    kind: GradeKind = GradeKind.FINAL,
    value: str = "F",
    points: int = 100,
    required: bool = False,
    subject: str | None = None,
    curriculum: str = "gy25",
    state: str = "recorded",
    revision: int = 1,
    received: datetime | None = None,
) -> GradeRecordedEvent:
    """A mark or warning."""
    return GradeRecordedEvent(
        **_envelope(student, f"{student}-{course}-{kind}-{revision}-{value}-{day}", at(day), received),
        data=GradeRecorded.model_validate(
            {
                "school_unit": UNIT,
                "course": course,
                "curriculum": curriculum,
                "subject": subject,
                "credits": points,
                "required": required,
                "kind": kind,
                "value": value,
                "recorded_on": day,
                "state": state,
                "revision": revision,
            }
        ),
    )


def enrolment(
    student: str,
    starts_on: date = MONDAY,
    *,
    unit: str = UNIT,
    coach: str | None = "staff:coach",
    groups: tuple[str, ...] = ("NA25a",),
    status: EnrolmentStatus = EnrolmentStatus.ACTIVE,
    revision: int = 1,
    received: datetime | None = None,
) -> EnrolmentChangedEvent:
    """A place at a school unit."""
    return EnrolmentChangedEvent(
        **_envelope(student, f"{student}-{unit}-{starts_on}-{revision}-{status}", at(starts_on), received),
        data=EnrolmentChanged(
            school_unit=unit, starts_on=starts_on, groups=list(groups), coach=coach, status=status, revision=revision
        ),
    )
