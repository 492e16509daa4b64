"""What happens in the state machine: draws of hypothesis, and the events they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.events import AnyEvent, AttendanceState, EnrolmentStatus, GradeKind
from tests.builders import MONDAY, at, attendance, enrolment, grade, pseudonym, school_days
from tests.oracle import MOST_LESSONS, MOST_MARKS
from tests.place_oracle import MOST_PLACES

STUDENTS = [pseudonym("åsa"), pseudonym("örjan")]
DAYS = school_days(MONDAY, 60)


def days_of(history: int) -> list[date]:
    """The days on which things happen: two before `base` or long closed, three at hand, two to come."""
    if not history:
        return DAYS[:7]
    return [DAYS[n] for n in (0, history // 2, history - 6, history - 2, history - 1, history, history + 1)]


# Most of what happens at once is about one student and one day: there replicas get in each other's way.
topics = st.tuples(st.sampled_from([0, 0, 1]), st.sampled_from([0, 0, 1, 1, 2, 3, 4, 5, 6]))
revisions = st.integers(1, 3)
lessons = st.tuples(
    st.just("lesson"),
    revisions,
    st.sampled_from(["1", "1", "2", "2", "around"]),
    st.sampled_from([{"unexcused": 130}, {"unexcused": 130}, {}, {"excused": 500}, {"unexcused": 130, "late": True}]),
    st.sampled_from([*[AttendanceState.REGISTERED] * 5, *AttendanceState]),
)
marks = st.tuples(st.just("mark"), revisions, st.sampled_from(["F", "F", "F", "E", "none", "-", "open", "made up"]))
places = st.tuples(
    st.just("place"),
    revisions,
    st.sampled_from(["always", "always", "until", "ended", "paused", "retracted", "from", "from, retracted", "beside"]),
)
facts = st.one_of(lessons, marks, lessons, marks, lessons, places, lessons)


def event_of(student: str, day: date, drawn: Sequence[Any]) -> AnyEvent:
    """The event that a draw stands for."""
    kind, revision, *rest = drawn
    match kind:
        case "lesson":
            lesson, absence, state = rest
            counted = absence if state is AttendanceState.REGISTERED else {}
            hour = 4 if lesson == "around" else None
            return attendance(
                student, day, lesson=lesson, hour=hour, minutes=500, state=state, revision=revision, **counted
            )
        case "mark":
            return _mark(student, day, rest[0], revision)
        case _:
            return _place(student, day, rest[0], revision)


def _place(student: str, day: date, what: str, revision: int) -> AnyEvent:
    """From the first of all days on: for ever, or until the Saturday after the day; or from the day on, for ever."""
    state = "retracted" if what.endswith("retracted") else "recorded"
    saturday = day + timedelta(days=5 - day.weekday())
    match what:
        case "until":
            return enrolment(student, DAYS[0], ends_on=saturday, revision=revision)
        case "ended":
            return enrolment(student, DAYS[0], status=EnrolmentStatus.ENDED, time=at(saturday), revision=revision)
        case "paused":
            return enrolment(student, DAYS[0], status=EnrolmentStatus.PAUSED, revision=revision)
        case "from" | "from, retracted":
            return enrolment(student, day, groups=(f"TE{day:%d}",), state=state, revision=revision)
        case "beside":
            return enrolment(student, day, unit="gy-björk", groups=("KIN1",), main=False, revision=revision)
        case _:
            return enrolment(student, DAYS[0], state=state, revision=revision)


def _mark(student: str, day: date, value: str, revision: int) -> AnyEvent:
    """An F in the required course of 300 credits is a level by itself."""
    match value:
        case "-":
            return grade(student, day, course="K2", value=value, revision=revision)
        case "made up":
            return grade(student, day, course="K4", value="E", replaces=("K1", "K2"), revision=revision)
        case "open":
            return grade(student, day, course="K3", kind=GradeKind.WARNING, value=value, revision=revision)
        case _:
            state = "retracted" if value == "none" else "recorded"
            value = "F" if value == "none" else value
            return grade(
                student, day, course="K1", value=value, points=300, required=True, state=state, revision=revision
            )


def crowd(days: Sequence[date]) -> list[AnyEvent]:
    """Cancelled lessons, marks and places taken back, so that a few draws more are too many.

    Of the first student: the second lesson of a day is one too many, the second day of marks in the course K1 as well, and of two
    places only the one begun last is known.
    """
    student = STUDENTS[0]
    lessons = [
        attendance(student, days[position], lesson=f"more {n}", hour=8, state=AttendanceState.CANCELLED)
        for position in (0, 1, 4)
        for n in range(MOST_LESSONS - 1)
    ]
    last_year, next_year = DAYS[0] - timedelta(days=365), DAYS[0] + timedelta(days=365)
    marks = [
        grade(student, last_year + timedelta(days=n), course="K1", kind=GradeKind.TERM, value="C", state="retracted")
        for n in range(MOST_MARKS - 1)
    ]
    places = [
        enrolment(student, next_year + timedelta(days=n), unit="gy-cypress", state="retracted")
        for n in range(MOST_PLACES - 1)
    ]
    return [*lessons, *marks, *places]
