"""More told of a student than is looked at: days, courses, marks and places about their bounds, in any order and batches.

What hypothesis draws is how many more than known fill a day or course up to the bound, one less, or more; the many facts are
made from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shared.events import AnyEvent, AttendanceState, EnrolmentChangedEvent, GradeKind, GradeRecordedEvent
from tests.builders import UNIT, attendance, enrolment, grade
from tests.oracle import MOST_COURSES, MOST_LESSONS, MOST_MARKS
from tests.place_oracle import MOST_PLACES
from tests.unit.scoring import test_announcing as announcing
from tests.unit.scoring.test_facts_to_level import (
    DAYS,
    STUDENT,
    agree,
    expected,
    fold,
    full_terms,
    lessons,
    marks,
    places,
)

ItemT = TypeVar("ItemT")
BEFORE = date(2024, 1, 1)

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Making a failing example of hundreds of facts smaller takes longer than a test may."""

beyond = st.sampled_from([-1, 0, 0, 1, 1, 2])
"""How many more than the bound."""
states = st.sampled_from([AttendanceState.CANCELLED, AttendanceState.UNREGISTERED, AttendanceState.RETRACTED])


def draw_some(data: st.DataObject, options: Sequence[ItemT], most: int, least: int = 0) -> list[ItemT]:
    return data.draw(st.lists(st.sampled_from(options), min_size=least, max_size=most, unique=True))


def more_lessons(
    student: str, day: date, known: Sequence[AnyEvent], over: int, state: AttendanceState
) -> list[AnyEvent]:
    """Lessons that fill a day up to the bound and so many over it."""
    ids = {each.data.lesson for each in known if "attendance" in each.type and each.data.lesson.startswith(f"{day}-")}  # type: ignore[union-attr]
    missing = MOST_LESSONS + over - len(ids)
    return [attendance(student, day, lesson=f"more {n}", hour=8, state=state) for n in range(missing)]


def more_marks(course: str, known: Sequence[AnyEvent], over: int, recorded_every: int) -> list[AnyEvent]:
    """Marks that fill a course up to its bound and so many over it; one in some is not taken back."""
    keys = {
        (each.data.kind, each.data.recorded_on)
        for each in known
        if isinstance(each, GradeRecordedEvent) and each.data.course == course
    }
    kinds = list(GradeKind)
    return [
        grade(
            STUDENT,
            BEFORE + timedelta(days=n // 3),
            course=course,
            kind=kinds[n % 3],
            value="closed" if kinds[n % 3] is GradeKind.WARNING else "C",
            state="retracted" if n % recorded_every else "recorded",
        )
        for n in range(MOST_MARKS + over - len(keys))
    ]


def more_courses(known: Sequence[AnyEvent], over: int, recorded_every: int) -> list[AnyEvent]:
    courses = {each.data.course for each in known if isinstance(each, GradeRecordedEvent)}
    return [
        grade(STUDENT, BEFORE, course=f"M{n}", value="D", state="retracted" if n % recorded_every else "recorded")
        for n in range(MOST_COURSES + over - len(courses))
    ]


def more_places(known: Sequence[AnyEvent], over: int, unit: str, first: date, state: str) -> list[AnyEvent]:
    """Places of a day each, before those that are known, among them or after them."""
    keys = {(each.data.school_unit, each.data.starts_on) for each in known if isinstance(each, EnrolmentChangedEvent)}
    days = [first + timedelta(days=n) for n in range(MOST_PLACES + over)]
    fresh = [day for day in days if (unit, day) not in keys][: MOST_PLACES + over - len(keys)]
    return [enrolment(STUDENT, day, unit=unit, ends_on=day, state=state) for day in fresh]


@settings(max_examples=60, deadline=None, phases=UNSHRUNK)
@given(st.data())
def test_any_order_and_batching_of_too_much_ends_as_brute_force_says(data: st.DataObject) -> None:
    events: list[AnyEvent] = [
        *data.draw(full_terms),
        *data.draw(st.lists(lessons, max_size=10)),
        *data.draw(st.lists(marks, max_size=8)),
        *data.draw(st.lists(places, max_size=3)),
    ]
    for day in draw_some(data, DAYS[:40], 3):
        events += more_lessons(STUDENT, day, events, data.draw(beyond), data.draw(states))
    for course in draw_some(data, ["K1", "K2", "K4"], 2):
        events += more_marks(course, events, data.draw(beyond), data.draw(st.sampled_from([1000, 20])))
    if data.draw(st.sampled_from([False, False, True])):
        events += more_courses(events, data.draw(beyond), data.draw(st.sampled_from([1000, 20])))
    if data.draw(st.booleans()):
        first = data.draw(st.sampled_from([BEFORE, DAYS[0], DAYS[20], DAYS[-1]]))
        unit = data.draw(st.sampled_from([UNIT, "gy-björk", "gy-zinnia"]))
        events += more_places(
            events, data.draw(beyond), unit, first, data.draw(st.sampled_from(["recorded", "retracted"]))
        )
    if data.draw(st.booleans()):
        Random(data.draw(st.integers(0, 999))).shuffle(events)
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=6))
    agree(fold(events, cuts), expected(events))


@settings(max_examples=60, deadline=None, phases=UNSHRUNK)
@given(st.data())
def test_what_is_said_after_too_much_is_what_brute_force_calls_for(data: st.DataObject) -> None:
    absent = announcing.DAYS[: data.draw(st.sampled_from([9, 9, 10, 11]))]
    term = announcing.absent(absent)
    term += [attendance(announcing.STUDENT, day) for day in announcing.DAYS[len(term) : data.draw(st.integers(9, 30))]]
    crowds: list[AnyEvent] = []
    for day in draw_some(data, absent, 4, least=1):
        crowds += more_lessons(announcing.STUDENT, day, term, data.draw(beyond), data.draw(states))
    events = data.draw(st.sampled_from([[*term, *crowds], [*crowds, *term]]))
    cuts = data.draw(st.lists(st.integers(1, len(events)), max_size=8))
    announcing.says_what_brute_force_calls_for(events, cuts)
