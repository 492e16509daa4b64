"""The fold from facts to score and level: against brute force, in any order, incrementally and from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.facts import Fact, LessonFact
from services.scoring.handlers import incoming
from services.scoring.indicators import Model
from services.scoring.student import TRAIL_DAYS, Assessment, Student, from_facts
from shared.events import AnyEvent, AttendanceState, EnrolmentStatus, GradeKind
from tests import oracle
from tests.builders import MONDAY, STOCKHOLM, UNIT, at, attendance, enrolment, grade, pseudonym, school_days

MODEL = Model()
STUDENT = pseudonym("åsa")
DAYS = school_days(date(2026, 5, 11), 70)
"""Over the 1st of July."""


def fact(event: AnyEvent) -> Fact:
    return incoming(event, STOCKHOLM).kept.fact


def fold(events: Sequence[AnyEvent], cuts: Sequence[int] = ()) -> tuple[Assessment, Student]:
    """Applies events in batches that end at `cuts`, as scoring does, fetching older facts from those seen so far."""
    student, seen = Student(), list[Fact]()
    assessment = student.assess(MODEL)
    for start, end in pairwise([0, *sorted(cuts), len(events)]):
        facts = [fact(event) for event in events[start:end]]
        seen += facts
        needs = student.needs(facts)
        if needs.everything:
            student = from_facts(seen)
        else:
            older = [item for item in seen if isinstance(item, LessonFact) and item.day in needs.days]
            student.apply(facts, older)
        assessment = student.assess(MODEL)
    return assessment, student


def expected(events: Sequence[AnyEvent]) -> oracle.Expected:
    return oracle.expect([orjson.loads(event.encode()) for event in events])[STUDENT]


def agree(folded: tuple[Assessment, Student], wanted: oracle.Expected) -> None:
    found, student = folded
    points = {reason.indicator.name: reason.points for reason in found.reasons}
    as_of = date.fromordinal(found.as_of).isoformat() if found.as_of else None
    assert (found.score, found.level.value, points, as_of) == (wanted.score, wanted.level, wanted.points, wanted.as_of)
    trail = {date.fromordinal(day): each for day, each in student.trail.items()}
    assert {day: each.level.value for day, each in trail.items()} == {day: wanted.by_day[day][1] for day in trail}
    # On a day of which nothing is known the standing stays as it was, its score included.
    for day, each in trail.items():
        sums = student.days.get(day.toordinal())
        if sums is None or sums.scheduled:
            assert each.score == wanted.by_day[day][0]
    if student.base_day:
        assert student.base.level.value == wanted.by_day[date.fromordinal(student.base_day)][1]


lessons = st.builds(
    lambda position, lesson, hour, minutes, unit, absence, state, revision: attendance(
        STUDENT,
        DAYS[position],
        lesson=str(lesson),
        hour=hour,
        minutes=minutes,
        unit=unit,
        state=state,
        revision=revision,
        **(absence if state is AttendanceState.REGISTERED else {}),
    ),
    st.integers(0, len(DAYS) - 1),
    st.integers(1, 3),
    st.sampled_from([None, None, 8, 9]),
    st.sampled_from([60, 60, 90, 360]),
    st.sampled_from([UNIT, UNIT, UNIT, "gy-björk"]),
    st.sampled_from(
        [{}, {}, {"excused": 60}, {"unexcused": 60}, {"unexcused": 15, "late": True}, {"unexcused": 30, "excused": 30}]
    ),
    st.sampled_from([AttendanceState.REGISTERED] * 6 + list(AttendanceState)),
    st.integers(1, 3),
)
marks = st.builds(
    lambda position, course, kind, value, state, revision, replaces: grade(
        STUDENT,
        DAYS[position] + timedelta(days=2 * (position % 3)),
        course=f"K{course}",
        subject="MAT" if course > 2 else None,
        curriculum="gy11" if course == 5 else "gy25",
        kind=kind,
        points=50 * course,
        required=course % 2 == 0,
        value=("open" if value in "F-" else "closed") if kind is GradeKind.WARNING else value,
        state=state,
        revision=revision,
        replaces=replaces,
    ),
    st.integers(0, len(DAYS) - 1),
    st.integers(1, 5),
    st.sampled_from(list(GradeKind)),
    st.sampled_from("AEF-F"),
    st.sampled_from(["recorded", "recorded", "retracted"]),
    st.integers(1, 3),
    st.sampled_from([(), (), ("K1",), ("K2", "K4")]),
)
places = st.builds(
    lambda first, length, unit, status, said, state, revision: enrolment(
        STUDENT,
        DAYS[first],
        unit=unit,
        ends_on=DAYS[first] + timedelta(days=length) if length is not None else None,
        status=status,
        time=at(DAYS[said]),
        state=state,
        revision=revision,
    ),
    st.sampled_from([0, 0, 5, 20, 40]),
    st.sampled_from([None, None, 0, 20, 50]),
    st.sampled_from([UNIT, UNIT, "gy-björk"]),
    st.sampled_from(list(EnrolmentStatus)),
    st.integers(0, len(DAYS) - 1),
    st.sampled_from(["recorded", "recorded", "recorded", "retracted"]),
    st.integers(1, 3),
)
full_terms = st.lists(
    st.tuples(st.sampled_from([0, 0, 20, 60]), st.booleans(), st.integers(1, 6)), min_size=12, max_size=30
).map(
    lambda spells: [
        attendance(
            STUDENT,
            day,
            unexcused=minutes if own else 0,
            excused=0 if own else minutes,
            late=own and minutes == 20,
        )
        for day, (minutes, own) in zip(
            DAYS, [(minutes, own) for minutes, own, days in spells for _ in range(days)], strict=False
        )
    ]
)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_order_any_batching_and_repetition_end_as_brute_force_says(data: st.DataObject) -> None:
    events: list[AnyEvent] = [
        *data.draw(full_terms),
        *data.draw(st.lists(lessons, max_size=20)),
        *data.draw(st.lists(marks, max_size=8)),
        *data.draw(st.lists(places, max_size=3)),
    ]
    shuffled = data.draw(st.permutations(events)) if data.draw(st.booleans()) else events
    repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(events), max_size=5))]
    many = st.lists(st.integers(0, len(repeated)), max_size=60)
    cuts = data.draw(st.one_of(st.just(list(range(len(repeated)))), many))
    agree(fold(repeated, cuts), expected(events))


def test_base_moves_on_and_a_correction_before_it_needs_everything() -> None:
    student = Student()
    for day in DAYS[: 2 * TRAIL_DAYS + 5]:
        student.apply([fact(attendance(STUDENT, day))])
        student.assess(MODEL)
    assert student.base_day > 0
    assert student.needs([fact(attendance(STUDENT, DAYS[0], revision=2, unexcused=60))]).everything


def test_todays_lessons_need_nothing_from_the_store() -> None:
    student = Student()
    for day in DAYS[:10]:
        events = [fact(attendance(STUDENT, day, lesson=str(n))) for n in range(3)]
        for item in events:
            assert not student.needs([item]).everything
            assert not student.needs([item]).days
            student.apply([item])
            student.assess(MODEL)


def test_stored_size_does_not_grow_with_the_years() -> None:
    student = Student()
    for day in school_days(MONDAY, 400):
        student.apply([fact(attendance(STUDENT, day))])
        student.assess(MODEL)
    assert len(student.days) <= 100
    assert len(student.open) <= 3


def test_missing_register_is_unknown_not_present() -> None:
    known = [attendance(STUDENT, day, excused=60 if n % 2 else 0) for n, day in enumerate(DAYS[:12])]
    unknown = [attendance(STUDENT, day, state=AttendanceState.UNREGISTERED) for day in DAYS[12:20]]
    reason = fold([*known, *unknown])[0].reasons[0]
    assert reason.numbers == {"absent_minutes": 360, "scheduled_minutes": 720, "school_days": 12}


def test_lesson_late_in_the_evening_belongs_to_the_swedish_day() -> None:
    event = attendance(STUDENT, DAYS[0]).model_copy(deep=True)
    late = event.data.model_copy(update={"starts_at": datetime(2026, 9, 7, 22, 30, tzinfo=UTC)})
    item = fact(event.model_copy(update={"data": late}))
    assert isinstance(item, LessonFact)
    assert date.fromordinal(item.day) == date(2026, 9, 8)


def test_ended_place_gives_way_to_the_active_one() -> None:
    student = Student()
    student.apply(
        [
            fact(enrolment(STUDENT, unit="gamla", status=EnrolmentStatus.ENDED)),
            fact(enrolment(STUDENT, unit="nya", starts_on=DAYS[0] - timedelta(days=30), groups=("TE1",))),
        ]
    )
    assert student.where(DAYS[1].toordinal()) == ("nya", ("TE1",))


def test_without_any_place_the_newest_lesson_tells_the_unit_else_the_newest_mark() -> None:
    student = Student()
    student.apply(
        [fact(grade(STUDENT, DAYS[1], unit="ny")), fact(grade(STUDENT, DAYS[0], course="ENG", unit="gammal"))]
    )
    assert student.where(DAYS[9].toordinal()) == ("ny", ())
    student.apply([fact(attendance(STUDENT, DAYS[0], unit="lektionens"))])
    assert student.where(DAYS[9].toordinal()) == ("lektionens", ())
    student.apply([fact(attendance(STUDENT, DAYS[0], unit="lektionens", state=AttendanceState.RETRACTED, revision=2))])
    assert student.where(DAYS[9].toordinal()) == ("ny", ())
