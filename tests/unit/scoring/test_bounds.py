"""More than any school has: what is beyond a bound is unusable as a whole, whatever the order, and the state has a largest size.

The same on the real store: `tests/integration/scoring/test_overfull.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from unittest import mock

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring import bounds
from services.scoring.bounds import Unusable, compared
from services.scoring.documents import decode_record, encode_record
from services.scoring.facts import Fact, LessonFact, PlaceFact
from services.scoring.gathered import MOST_VERSIONS, Gathered, Versions
from services.scoring.handlers import incoming
from services.scoring.indicators import Model
from services.scoring.records import STATE_FORMAT, Basis, KeptFact, StudentRecord
from services.scoring.student import ANY_UNIT, Assessment, Student, from_facts
from shared.events import AnyEvent, AttendanceState, GradeKind
from shared.events.places import MOST_PLACES
from tests import oracle, overfull
from tests.builders import MONDAY, STOCKHOLM, attendance, grade, pseudonym, school_days

MODEL = Model()
STUDENT = pseudonym("åsa")
DAYS = school_days(MONDAY, 60)
MEBIBYTE = 2**20


def kept(event: AnyEvent) -> KeptFact:
    return incoming(event, STOCKHOLM).kept


def facts(events: Sequence[AnyEvent]) -> list[Fact]:
    return [kept(event).fact for event in events]


@contextmanager
def small_bounds() -> Iterator[None]:
    with mock.patch.multiple(
        bounds, MOST_LESSONS=2, MOST_MARKS_OF_COURSE=3, MOST_COURSES=3, MOST_MARKS=7, MOST_UNITS=2
    ):
        yield


class Replicas:
    """Replicas over one store: of each batch the facts are stored at once, the state is written when its turn comes."""

    def __init__(self) -> None:
        self.stored: dict[Fact, KeptFact] = {}
        self.student = Student()
        self.assessment = self.student.assess(MODEL)

    def keep(self, batch: Sequence[KeptFact]) -> None:
        self.stored = {**{each.fact: each for each in batch}, **self.stored}

    def write(self, batch: Sequence[KeptFact]) -> None:
        came = [each.fact for each in batch]
        needs, gathered = self.student.needs(came), Gathered(batch)
        for each in self.stored.values():
            if needs.everything or (isinstance(each.fact, LessonFact) and each.fact.day in needs.days):
                gathered.add(each)
        if needs.everything:
            self.student = from_facts(gathered.valid(), self.student.unusable.since(0))
        else:
            self.student.apply(came, gathered.valid_before())
        self.assessment = self.student.assess(MODEL)
        for fact in gathered.surplus:
            del self.stored[fact]


lessons = st.builds(
    lambda position, lesson, unexcused, state, revision, unit: attendance(
        STUDENT,
        DAYS[position],
        lesson=str(lesson),
        unexcused=unexcused if state is AttendanceState.REGISTERED else 0,
        state=state,
        revision=revision,
        unit=unit,
    ),
    st.sampled_from([0, 0, 1, 30, 50, 59, 59, 59]),
    st.integers(1, 4),
    st.sampled_from([0, 60]),
    st.sampled_from([AttendanceState.REGISTERED] * 3 + list(AttendanceState)),
    st.integers(1, 2),
    st.sampled_from(["A", "B", "C"]),
)
marks = st.builds(
    lambda position, course, kind, value, state, revision: grade(
        STUDENT,
        DAYS[position],
        course=f"K{course}",
        kind=kind,
        subject="MAT" if course < 2 else None,
        value=("open" if value == "F" else "closed") if kind is GradeKind.WARNING else value,
        replaces=("K2",) if course == 1 else (),
        state=state,
        revision=revision,
    ),
    st.sampled_from([0, 0, 1, 30, 57, 58, 59]),
    st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
    st.sampled_from(list(GradeKind)),
    st.sampled_from("FFE"),
    st.sampled_from(["recorded", "recorded", "retracted"]),
    st.integers(1, 2),
)
term = [attendance(STUDENT, day, unexcused=60 if n % 3 else 0) for n, day in enumerate(DAYS)]


def seen(student: Student, found: Assessment) -> object:
    """All that anybody can see of a state, its unusable days and courses with it."""
    unusable = student.unusable
    reasons = [(reason.indicator.name, reason.raw) for reason in found.reasons]
    return found._replace(reasons=()), reasons, sorted(unusable.days), sorted(unusable.courses), unusable.marks


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_repetition_and_division_among_replicas_ends_in_the_same(data: st.DataObject) -> None:
    events: list[AnyEvent] = [
        *term,
        *data.draw(st.lists(lessons, max_size=14)),
        *data.draw(st.lists(marks, max_size=14)),
    ]
    repeated = [*data.draw(st.permutations(events)), *data.draw(st.lists(st.sampled_from(events), max_size=5))]
    cuts = data.draw(st.lists(st.integers(0, len(repeated)), max_size=30).map(sorted))
    batches = [[kept(event) for event in repeated[start:end]] for start, end in pairwise([0, *cuts, len(repeated)])]
    replicas = Replicas()
    with small_bounds():
        late: list[KeptFact] | None = None
        for batch in batches:
            replicas.keep(batch)
            if late is None and data.draw(st.booleans()):
                late = batch  # Stored by a replica that comes to write only after the next one.
                continue
            replicas.write(batch)
            if late is not None:
                replicas.write(late)
                late = None
        replicas.write(late or [])
        scratch = from_facts(facts(events))
        wanted = oracle.expect([orjson.loads(event.encode()) for event in overfull.usable(events)])[STUDENT]
        assert seen(replicas.student, replicas.assessment) == seen(scratch, scratch.assess(MODEL))
        found = replicas.assessment
        points = {reason.indicator.name: reason.points for reason in found.reasons}
        assert (found.score, found.level.value, points) == (wanted.score, wanted.level, wanted.points)


@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.integers(0, 5), max_size=30), st.booleans())
def test_what_is_unusable_is_joined_in_any_order(days: list[int], more: list[int], is_all: bool) -> None:
    one, other = Unusable(set(days), {str(n) for n in days}), Unusable(set(more), {str(n) for n in more}, is_all)
    both, again = Unusable(), Unusable()
    for each in (one, other, one):
        both.join(each)
    for each in (other, one):
        again.join(each)
    assert both == again
    assert not one.beyond(both)


def overfull_student() -> Student:
    """Everything up to its bound, on many days, and some of it beyond."""
    days = [DAYS[-1] - timedelta(days=n) for n in range(3)]
    events: list[AnyEvent] = [event for day in days for event in overfull.lessons(STUDENT, day, bounds.MOST_LESSONS)]
    events += [attendance(STUDENT, date(2024, 7, 1) + timedelta(days=n), unit=f"unit {n}") for n in range(700)]
    events += overfull.marks(STUDENT, DAYS[0], bounds.MOST_COURSES, bounds.MOST_MARKS // bounds.MOST_COURSES)
    events += overfull.places(STUDENT, date(2023, 8, 1), 2 * MOST_PLACES)
    student = from_facts(
        facts(events),
        Unusable({date(2024, 7, 1).toordinal() + n for n in range(730)} - {day.toordinal() for day in days}),
    )
    student.assess(MODEL)
    return student


def encoded(student: Student) -> bytes:
    basis = Basis(0, STATE_FORMAT, 0)
    where = student.where(MONDAY.toordinal())
    record = StudentRecord(STUDENT, "2480", rev=1, basis=basis, where=where, state=student)
    text = encode_record(record)
    assert decode_record(STUDENT, 1, text, []) == record
    return text.encode()


def test_a_student_of_whom_everything_is_told_up_to_its_bound_is_stored_in_four_mebibytes() -> None:
    student = overfull_student()
    assert sum(map(len, student.marks.values())) == bounds.MOST_MARKS
    assert len(student.places) == MOST_PLACES
    assert [len(known) for known in student.open.values()] == [bounds.MOST_LESSONS] * 3
    assert MEBIBYTE < len(encoded(student)) < 4 * MEBIBYTE


def test_of_what_is_beyond_the_bounds_next_to_nothing_is_stored() -> None:
    events: list[AnyEvent] = [*overfull.lessons(STUDENT, DAYS[0], 1_000)]
    events += overfull.marks(STUDENT, DAYS[0], 4, bounds.MOST_MARKS_OF_COURSE + 1)
    replicas = Replicas()
    for start in range(0, len(events), 300):
        batch = [kept(event) for event in events[start : start + 300]]
        replicas.keep(batch)
        replicas.write(batch)
    student = replicas.student
    assert student.unusable.counted() == {"day": 1, "course": 4}
    assert len(encoded(student)) < 10_000
    more = facts(list(overfull.lessons(STUDENT, DAYS[0], 10, first=5_000)))
    assert not student.needs(more).days
    applied = student.apply(more)
    assert (applied.beyond, applied.news, applied.changes) == (more, [], False)


@pytest.mark.parametrize(
    ("courses", "dates", "unusable"),
    [
        pytest.param(1, bounds.MOST_MARKS_OF_COURSE, {}, id="a course up to its bound"),
        pytest.param(1, bounds.MOST_MARKS_OF_COURSE + 1, {"course": 1}, id="a course beyond it"),
        pytest.param(bounds.MOST_COURSES, 1, {}, id="as many courses as may be"),
        pytest.param(bounds.MOST_COURSES + 1, 1, {"marks": 1}, id="one course more"),
        pytest.param(100, bounds.MOST_MARKS // 100, {}, id="as many marks as may be"),
        pytest.param(100, bounds.MOST_MARKS // 100 + 1, {"marks": 1}, id="more marks"),
    ],
)
def test_marks_beyond_a_bound(courses: int, dates: int, unusable: dict[str, int]) -> None:
    events = [
        grade(STUDENT, MONDAY + timedelta(days=n), course=f"K{course}", value="F")
        for course in range(courses)
        for n in range(dates)
    ]
    student = from_facts(facts(events))
    assert student.unusable.counted() == unusable
    assert bool(student.assess(MODEL).score) is not bool(unusable)


def test_a_course_that_becomes_unusable_takes_back_what_it_said_and_names_it() -> None:
    student = Student()
    known = facts([grade(STUDENT, MONDAY + timedelta(days=n)) for n in range(bounds.MOST_MARKS_OF_COURSE)])
    student.apply(known)
    assert student.assess(MODEL).score > 0
    last = facts([grade(STUDENT, MONDAY - timedelta(days=1))])
    assert student.needs(last).everything
    applied = student.apply(last)
    assert (applied.unusable.courses, applied.corrections, applied.changes) == ({"MATMAT01a"}, last, True)
    assert student.assess(MODEL).score == 0


def test_a_day_that_becomes_unusable_stays_a_school_day_without_register() -> None:
    student = from_facts(facts([attendance(STUDENT, DAYS[0]), attendance(STUDENT, DAYS[1], unexcused=60)]))
    student.assess(MODEL)
    assert student.fresh_until == DAYS[1].toordinal()
    applied = student.apply(facts(list(overfull.lessons(STUDENT, DAYS[1], bounds.MOST_LESSONS))))
    assert applied.unusable.days == {DAYS[1].toordinal()}
    found = student.assess(MODEL)
    assert (found.as_of, found.fresh_until) == (DAYS[1].toordinal(), DAYS[0].toordinal())
    assert not found.reasons


def test_more_school_units_than_are_told_apart_count_as_any() -> None:
    student = Student()
    for n in range(bounds.MOST_UNITS + 5):
        student.apply(facts([attendance(STUDENT, DAYS[n % 50], lesson=str(n), unit=f"unit {n}")]))
    assert student.registers == {ANY_UNIT: (DAYS[0].toordinal(), DAYS[49].toordinal())}
    [place] = facts(list(overfull.places(STUDENT, DAYS[0], 1)))
    assert student.needs([place]).everything


def test_codes_that_are_compared_take_few_bytes_and_stay_what_they_are() -> None:
    assert compared("MATMAT01a") == "MATMAT01a"
    long = overfull.code("K")
    assert compared(compared(long)) == compared(long) != compared(long[:-1])
    assert len(compared(long).encode()) <= bounds.LONGEST_COMPARED


def test_a_failed_course_of_a_long_code_is_made_up_for_by_another_one() -> None:
    long = overfull.code("K")
    failed = grade(STUDENT, MONDAY, course=long)
    passed = grade(STUDENT, MONDAY + timedelta(days=1), course="E", value="E", replaces=(long,))
    assert from_facts(facts([failed])).assess(MODEL).score > 0
    assert from_facts(facts([failed, passed])).assess(MODEL).score == 0


def unseen(student: Student) -> Student:
    """Without what says only where registers are *at least*."""
    return replace(student, registers={})


def test_what_is_read_takes_no_more_than_what_counts_however_much_is_stored() -> None:
    stored = [kept(event) for event in overfull.lessons(STUDENT, DAYS[0], 1_000)]
    stored += [kept(event) for event in overfull.places(STUDENT, MONDAY, 150)]
    stored += [kept(attendance(STUDENT, DAYS[1], revision=n)) for n in range(3 * MOST_VERSIONS)]
    gathered, versions = Gathered(), Versions()
    for each in stored:
        gathered.add(each)
        versions.add(each)
    valid = gathered.valid()
    assert len(valid) <= bounds.MOST_LESSONS + 1 + 1 + 2 * MOST_PLACES
    assert len(versions.facts()) <= bounds.MOST_LESSONS + 1 + MOST_VERSIONS + 2 * MOST_PLACES
    assert unseen(from_facts(valid)) == unseen(from_facts([each.fact for each in stored]))
    rest = [each.fact for each in stored if each.fact not in set(gathered.surplus)]
    assert len(rest) <= len(valid) + MOST_VERSIONS
    assert unseen(from_facts(rest)) == unseen(from_facts(valid))
    assert len([fact for fact in rest if isinstance(fact, PlaceFact)]) <= 2 * MOST_PLACES
