"""Which version of a fact is valid: the same in scoring, notify and reporting, in any order of arrival."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.notify.places import Statement, merged, statement_of
from services.reporting.views import StudentView, merge
from services.scoring.handlers import incoming
from services.scoring.student import Student
from shared.events import (
    AttendanceRecordedEvent,
    EnrolmentChangedEvent,
    EnrolmentStatus,
    GradeRecordedEvent,
    precedence,
)
from tests.builders import AUTHORITY, MONDAY, STOCKHOLM, at, attendance, enrolment, grade, pseudonym, school_days

STUDENT = pseudonym("åsa")
DAYS = school_days(MONDAY, 10)

enrolments = st.builds(
    lambda groups, coach, coaches, status, ends, main, said, revision: enrolment(
        STUDENT,
        groups=groups,
        coach=coach,
        coaches=coaches,
        status=status,
        ends_on=ends,
        main=main,
        time=at(said),
        revision=revision,
    ),
    st.sampled_from([(), ("NA25a",), ("TE25b", "NA25a")]),
    st.sampled_from([None, "staff:a", "staff:b"]),
    st.sampled_from([(), ("staff:c",)]),
    st.sampled_from(list(EnrolmentStatus)),
    st.sampled_from([None, None, DAYS[5]]),
    st.booleans(),
    st.sampled_from(DAYS),
    st.integers(1, 2),
)


def plainest(events: Iterable[EnrolmentChangedEvent | AttendanceRecordedEvent | GradeRecordedEvent]) -> str:
    """Digest of the valid version's content, from the contract's words alone: revision, then SHA-256 without null fields."""
    found = []
    for event in events:
        data = orjson.loads(event.encode())["data"]
        digest = hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()
        found.append((data["revision"], digest))
    return max(found)[1]


def in_scoring(events: Sequence[EnrolmentChangedEvent]) -> tuple[str, int]:
    student = Student()
    for event in events:
        student.apply([incoming(event, STOCKHOLM).kept.fact])
    [place] = student.places.values()
    return place.digest, place.ends_on


def in_notify(events: Sequence[EnrolmentChangedEvent]) -> tuple[str, int]:
    known: list[Statement] = []
    for event in events:
        known = merged(known, statement_of(event.data, event.time, STOCKHOLM)) or known
    [statement] = known
    return statement.place.digest, statement.place.ends_on


def in_reporting(events: Sequence[EnrolmentChangedEvent]) -> tuple[str, int]:
    view: StudentView | None = None
    for event in events:
        view = merge(view, event, STOCKHOLM)
    assert view is not None
    [shown] = view.enrolments.values()
    return shown.place.digest, shown.place.ends_on


@given(st.lists(enrolments, min_size=1, max_size=6), st.randoms())
def test_all_services_find_the_same_version_of_a_place_in_any_order(
    events: list[EnrolmentChangedEvent], chance: object
) -> None:
    again = chance.sample(events, len(events))  # type: ignore[attr-defined]
    found = {service(order) for service in (in_scoring, in_notify, in_reporting) for order in (events, again)}
    assert len(found) == 1
    assert next(iter(found))[0] == plainest(events)


@given(st.lists(st.tuples(st.sampled_from([0, 20, 60]), st.booleans(), st.integers(1, 2)), min_size=1, max_size=6))
def test_scoring_keeps_the_lesson_and_the_mark_that_the_contract_names(drawn: list[tuple[int, bool, int]]) -> None:
    lessons = [
        attendance(STUDENT, MONDAY, excused=minutes, unexcused=0, late=late, revision=revision)
        for minutes, late, revision in drawn
    ]
    marks = [
        grade(STUDENT, MONDAY, points=minutes, required=late, revision=revision) for minutes, late, revision in drawn
    ]
    student = Student()
    for lesson_event in lessons:
        student.apply([incoming(lesson_event, STOCKHOLM).kept.fact])
    for mark_event in marks:
        student.apply([incoming(mark_event, STOCKHOLM).kept.fact])
    [lesson] = student.open[MONDAY.toordinal()].values()
    assert lesson.digest == plainest(lessons)
    [of_course] = student.marks.values()
    assert [mark.digest for mark in of_course.values()] == [plainest(marks)]


def test_absent_fields_make_no_difference_and_every_other_one_does() -> None:
    data = enrolment(STUDENT).data
    assert precedence(data) == precedence(data.model_copy(update={"programme": None}))
    assert precedence(data) != precedence(data.model_copy(update={"main": False}))
    assert AUTHORITY not in precedence(data)[1]
