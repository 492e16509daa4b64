"""A student of whom more is told than any school has, in the longest codes there are; and what remains of such a student."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.scoring import bounds
from shared.events import (
    AnyEvent,
    AttendanceRecordedEvent,
    AttendanceState,
    EnrolmentChangedEvent,
    GradeRecordedEvent,
)
from shared.events.values import Code, StaffId
from tests.builders import MONDAY, attendance, enrolment, grade

NOWHERE = "a unit without places"


def _may_be(kind: Any, text: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


LETTER = next(letter for letter in ("\U0001d50e", "å", "a") if _may_be(Code, letter * 128))
"""As many bytes in UTF-8 as it may have."""
COACH_LENGTH = next(length for length in range(300, 0, -1) if _may_be(StaffId, "staff:" + LETTER * length))


def code(*parts: object, length: int = 128) -> str:
    """As long as a code may be, in characters and in bytes."""
    return "-".join(map(str, parts)).ljust(length, LETTER)[:length]


def lessons(student: str, day: date, number: int, first: int = 0) -> Iterator[AttendanceRecordedEvent]:
    """Lessons of one day, each at a unit of its own."""
    for n in range(first, first + number):
        event = attendance(student, day, hour=8, minute=n % 60, minutes=700, unexcused=600, unit=code("unit", day, n))
        data = event.data.model_copy(update={"lesson": code(day, n), "revision": 2**53 - 1})
        yield event.model_copy(update={"id": f"{event.id}-{n}", "data": data})


def marks(student: str, first: date, courses: int, dates: int) -> Iterator[GradeRecordedEvent]:
    """Grades of each course on so many days, each of which makes up for as many others as it may."""
    for course in range(courses):
        for n in range(dates):
            yield grade(
                student,
                first + timedelta(days=n),
                course=code("course", course),
                value="FE-"[n % 3],
                subject=code("subject"),
                replaces=tuple(code("replaced", course, n, other) for other in range(50)),
                unit=code("unit", course, n),
                revision=2**53 - 1,
            )


def places(student: str, first: date, number: int) -> Iterator[EnrolmentChangedEvent]:
    """Places at ever other units, one day after the other, each with as many groups and coaches as there may be."""
    for n in range(number):
        yield enrolment(
            student,
            first + timedelta(days=n),
            unit=code("unit", n),
            groups=tuple(code("group", n, group, length=20) for group in range(100)),
            coaches=tuple("staff:" + code("coach", n, coach, length=COACH_LENGTH) for coach in range(20)),
            revision=2**53 - 1,
        )


def usable(events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """The same student as one of whom no more was told than counts: nothing beyond a bound, such a day without any register.

    All of one student. How many places there are is not looked at.
    """
    known = list(events)
    lessons_of, dates_of = Counter[date](), Counter[str]()
    for day, _ in {(event.data.starts_at.date(), event.data.lesson) for event in _attendance(known)}:
        lessons_of[day] += 1
    for course, *_ in {(event.data.course, event.data.kind, event.data.recorded_on) for event in _grades(known)}:
        dates_of[course] += 1
    days = {day for day, number in lessons_of.items() if number > bounds.MOST_LESSONS}
    courses = {course for course, number in dates_of.items() if number > bounds.MOST_MARKS_OF_COURSE}
    counted = sum(min(number, bounds.MOST_MARKS_OF_COURSE + 1) for number in dates_of.values())
    if counted > bounds.MOST_MARKS or len(dates_of) > bounds.MOST_COURSES:
        courses = set(dates_of)
    kept: list[AnyEvent] = [event for event in _attendance(known) if event.data.starts_at.date() not in days]
    kept += [event for event in _grades(known) if event.data.course not in courses]
    kept += [event for event in known if isinstance(event, EnrolmentChangedEvent)]
    student = known[0].subject
    kept += [attendance(student, day, state=AttendanceState.UNREGISTERED, unit=NOWHERE) for day in sorted(days)]
    # A mark that was taken back says nothing but that there is such a student.
    return kept or [grade(student, MONDAY, state="retracted")]


def _attendance(events: Iterable[AnyEvent]) -> list[AttendanceRecordedEvent]:
    return [event for event in events if isinstance(event, AttendanceRecordedEvent)]


def _grades(events: Iterable[AnyEvent]) -> list[GradeRecordedEvent]:
    return [event for event in events if isinstance(event, GradeRecordedEvent)]
