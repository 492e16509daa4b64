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
    ClimateReported,
    ClimateReportedEvent,
    EnrolmentChanged,
    EnrolmentChangedEvent,
    EnrolmentStatus,
    GradeKind,
    GradeRecorded,
    GradeRecordedEvent,
)
from shared.events.envelope import Contract, content_digest

STOCKHOLM = ZoneInfo("Europe/Stockholm")
AUTHORITY = "2480"
UNIT = "gy-aspen"
MONDAY = date(2026, 9, 7)

LONG = 120
"""Lessons of more minutes fill days that begin at midnight: otherwise three of 480 would have no room beside each other."""


def pseudonym(name: str) -> str:
    """A well-formed pseudonym, the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    return "p_" + "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest[:26])


def school_days(first: date, count: int) -> list[date]:
    """That many weekdays from `first` on."""
    days = (first + timedelta(days=n) for n in range(count * 2 + 7))
    return [day for day in days if day.weekday() < 5][:count]


def at(day: date, hour: int = 8, minute: int = 0) -> datetime:
    """An hour and minute of a day in Stockholm."""
    return datetime.combine(day, time(hour, minute), STOCKHOLM)


def lesson_begins(day: date, lesson: str, minutes: int) -> datetime:
    """When a lesson that says no hour begins: lessons "1", "2", … of a day follow each other and never overlap.

    The first begins at 8, or at midnight when lessons are so long that the day would not hold them; any other name is a "1".
    """
    before = (int(lesson) - 1) * minutes if lesson.isdecimal() else 0
    begins = ((0 if minutes > LONG else 8 * 60) + before) % (24 * 60)
    return at(day, begins // 60, begins % 60)


def _envelope(subject: str, key: str, when: datetime, received: datetime | None, data: Contract) -> dict[str, Any]:
    """Messages of different content never bear the same id."""
    return {
        "id": f"{key}-{content_digest(data.model_dump(mode='json'))[:16]}",
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
    hour: int | None = None,
    minute: int = 0,
    excused: int = 0,
    unexcused: int = 0,
    late: bool = False,
    state: AttendanceState = AttendanceState.REGISTERED,
    unit: str = UNIT,
    group: str | None = None,
    revision: int = 1,
    time: datetime | None = None,
    received: datetime | None = None,
) -> AttendanceRecordedEvent:
    """Attendance in one lesson. Without `hour` the lessons of a day follow each other (`lesson_begins`)."""
    data = AttendanceRecorded(
        lesson=f"{day}-{lesson}",
        school_unit=unit,
        group=group,
        starts_at=lesson_begins(day, lesson, minutes) if hour is None else at(day, hour, minute),
        minutes=minutes,
        state=state,
        excused_minutes=excused,
        unexcused_minutes=unexcused,
        late=late,
        revision=revision,
    )
    key = f"{student}-{day}-{lesson}-{revision}-{state}"
    return AttendanceRecordedEvent(**_envelope(student, key, time or at(day), received, data), data=data)


def grade(
    student: str,
    day: date,
    *,
    course: str = "MATMAT01a",
    kind: GradeKind = GradeKind.FINAL,
    value: str = "F",
    points: int = 100,
    required: bool = False,
    diploma_project: bool = False,
    subject: str | None = None,
    curriculum: str = "gy25",
    replaces: tuple[str, ...] = (),
    state: str = "recorded",
    unit: str = UNIT,
    revision: int = 1,
    time: datetime | None = None,
    received: datetime | None = None,
) -> GradeRecordedEvent:
    """A mark or warning recorded on `day`; `points` are the course's credits."""
    data = GradeRecorded.model_validate(
        {
            "school_unit": unit,
            "course": course,
            "curriculum": curriculum,
            "subject": subject,
            "credits": points,
            "required": required,
            "diploma_project": diploma_project,
            "kind": kind,
            "value": value,
            "recorded_on": day,
            "replaces": list(replaces),
            "state": state,
            "revision": revision,
        }
    )
    key = f"{student}-{course}-{kind}-{revision}-{value}-{day}"
    return GradeRecordedEvent(**_envelope(student, key, time or at(day), received, data), data=data)


def enrolment(
    student: str,
    starts_on: date = MONDAY,
    *,
    unit: str = UNIT,
    coach: str | None = "staff:coach",
    coaches: tuple[str, ...] = (),
    groups: tuple[str, ...] = ("NA25a",),
    main: bool = True,
    status: EnrolmentStatus = EnrolmentStatus.ACTIVE,
    ends_on: date | None = None,
    state: str = "recorded",
    programme: str | None = None,
    programme_type: str | None = None,
    protected: bool = False,
    turns_18_on: date | None = None,
    revision: int = 1,
    time: datetime | None = None,
    received: datetime | None = None,
) -> EnrolmentChangedEvent:
    """A place at a school unit. `time`: when the source recorded it, else 8 o'clock on `starts_on`."""
    data = EnrolmentChanged.model_validate(
        {
            "school_unit": unit,
            "starts_on": starts_on,
            "ends_on": ends_on,
            "groups": list(groups),
            "main": main,
            "coach": coach,
            "coaches": list(coaches),
            "status": status,
            "state": state,
            "programme": programme,
            "programme_type": programme_type,
            "protected": protected,
            "turns_18_on": turns_18_on,
            "revision": revision,
        }
    )
    key = f"{student}-{unit}-{starts_on}-{revision}-{status}"
    return EnrolmentChangedEvent(**_envelope(student, key, time or at(starts_on), received, data), data=data)


def climate(
    subject: str,
    day: date,
    mean: float = 4.0,
    *,
    unit: str | None = None,
    answers: int = 8,
    state: str = "recorded",
    revision: int = 1,
    received: datetime | None = None,
) -> ClimateReportedEvent:
    """A group's or unit's report of the week of `day`, with all three means alike."""
    year, week, _ = day.isocalendar()
    data = ClimateReported.model_validate(
        {
            "school_unit": unit,
            "period": f"{year}-W{week:02d}",
            "answers": answers,
            "safety": mean,
            "inclusion": mean,
            "relations": mean,
            "state": state,
            "revision": revision,
        }
    )
    return ClimateReportedEvent(
        **_envelope(subject, f"{subject}-{year}-{week}-{revision}", at(day), received, data), data=data
    )
