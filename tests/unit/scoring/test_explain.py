"""An explanation as known at a time agrees with what had been published until then, and its facts with its numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from services.scoring.explain import Explanation, explain
from services.scoring.explain_text import as_json, show
from services.scoring.facts import LessonFact, MarkFact
from services.scoring.handlers import incoming
from services.scoring.records import KeptFact
from services.scoring.rules import Levels, Rules, RuleVersion
from shared.events import AnyEvent, AttendanceState, GradeKind
from tests.builders import MONDAY, STOCKHOLM, attendance, enrolment, grade, school_days
from tests.unit.scoring.test_announcing import MILD, STUDENT, Watched

DAYS = school_days(MONDAY, 60)
START = datetime(2026, 9, 1, 12, tzinfo=UTC)


def received(event: AnyEvent, number: int) -> AnyEvent:
    return event.model_copy(update={"recordedtime": START + timedelta(hours=number)})


def kept(events: Sequence[AnyEvent]) -> list[KeptFact]:
    return [incoming(event, STOCKHOLM).kept for event in events]


def explained(events: Sequence[AnyEvent], at: datetime, said: Sequence[dict[str, Any]] = ()) -> Explanation:
    return explain(STUDENT, at, kept(events), (), said, zone=STOCKHOLM)


facts = st.one_of(
    st.builds(
        lambda position, minutes, revision, state: attendance(
            STUDENT,
            DAYS[position],
            unexcused=minutes if state is AttendanceState.REGISTERED else 0,
            revision=revision,
            state=state,
        ),
        st.integers(0, 59),
        st.sampled_from([0, 60, 60]),
        st.integers(1, 4),
        st.sampled_from([AttendanceState.REGISTERED] * 5 + [AttendanceState.RETRACTED]),
    ),
    st.builds(
        lambda position, course, value, revision: grade(
            STUDENT, DAYS[position], course=f"K{course}", value=value, revision=revision
        ),
        st.integers(0, 59),
        st.integers(1, 3),
        st.sampled_from("AFF-"),
        st.integers(1, 3),
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(facts, min_size=1, max_size=60), st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_at_any_time_it_agrees_with_what_was_published_until_then(events: list[AnyEvent], hours: list[int]) -> None:
    ordered = [received(event, number) for number, event in enumerate(events)]
    watched, levels, said = Watched(), ["universal"], list[dict[str, Any]]()
    for number, event in enumerate(ordered):
        for message in watched.take([event]):
            said.append({**message, "time": (START + timedelta(hours=number, minutes=1)).isoformat()})
        levels.append(watched.record.level.value)
    for hour in hours:
        told = explained(ordered, START + timedelta(hours=hour, minutes=30), said)
        assert told.agrees
        assert told.assessment.level.value == levels[min(hour + 1, len(ordered))]
        assert told.facts_known == min(hour + 1, len(ordered))
        if told.steps:
            assert (told.steps[-1].score, told.steps[-1].level) == (told.assessment.score, told.assessment.level)


def test_facts_behind_a_reason_add_up_to_its_numbers_and_show_their_corrections() -> None:
    events = [attendance(STUDENT, day, excused=20, unexcused=40) for day in DAYS[:12]]
    events += [attendance(STUDENT, DAYS[3], excused=10, revision=2), attendance(STUDENT, DAYS[4], revision=2)]
    told = explained(events, datetime(2027, 1, 1, tzinfo=UTC))
    [total] = [reason for reason in told.assessment.reasons if reason.indicator.name == "total_absence"]
    evidence = told.evidence["total_absence"]
    lessons: Any = [each.fact for each in evidence]
    assert sum(fact.version.excused + fact.version.unexcused for fact in lessons) == total.numbers["absent_minutes"]
    assert [each.earlier for each in evidence] == [0, 0, 0, 1, *[0] * 7]


def test_marks_behind_failed_courses_are_those_that_count() -> None:
    events: list[AnyEvent] = [
        grade(STUDENT, DAYS[0], course="MAT", value="F", points=50),
        grade(STUDENT, DAYS[0], course="ENG", value="F", points=50),
        grade(STUDENT, DAYS[1], course="ENG", value="C", points=50, revision=2),
        grade(STUDENT, DAYS[2], course="SVE", value="F", points=50),
    ]
    told = explained(events, datetime(2027, 1, 1, tzinfo=UTC))
    assert [each.fact.course for each in told.evidence["failed_courses"] if hasattr(each.fact, "course")] == [
        "MAT",
        "SVE",
    ]
    earlier = explained(events, START.replace(year=2025))
    assert (earlier.facts_known, earlier.assessment.score) == (0, 0)


def test_rules_hold_from_when_they_were_set() -> None:
    events = [received(attendance(STUDENT, day, unexcused=60), n) for n, day in enumerate(DAYS[:12])]
    mild = RuleVersion(1, Rules(levels=Levels(targeted=60, individual=90)), START + timedelta(hours=20))
    before, after = (
        explain(STUDENT, START + timedelta(hours=hour), kept(events), [mild], (), zone=STOCKHOLM) for hour in (19, 21)
    )
    assert (before.model.version, before.assessment.level) == ("points-3", "targeted")
    assert (after.model.version, after.assessment.level) == (MILD.version, "universal")
    assert (after.steps[-1].facts, after.steps[-1].model_version) == ((), "points-3+1")


def test_what_is_read_names_level_reasons_facts_and_way() -> None:
    events = [
        enrolment(STUDENT),
        *(received(attendance(STUDENT, day, unexcused=60), n) for n, day in enumerate(DAYS[:12])),
    ]
    watched = Watched()
    said = [message for event in events for message in watched.take([event])]
    told = explained(events, datetime(2027, 1, 1, 12, tzinfo=UTC), said)
    out = io.StringIO()
    # As wide as a pipe is taken to be, with the command's options: nothing may be cut off.
    show(told, (), STOCKHOLM, Console(file=out, width=80, highlight=False, soft_wrap=True))
    text = out.getvalue().replace("\N{NO-BREAK SPACE}", " ")
    assert "as known at 2027-01-01 13:00:00 CET" in text
    assert f"Score {told.assessment.score}, level targeted, by points-3" in text
    assert "Fully absent on 12 school days in a row" in text
    assert "0 excused and 60 unexcused of 60 minutes; received 2026-09-01 14:00" in text
    assert "universal → targeted" in text
    assert "2026-09-07 place at gy-aspen: without end" in text
    assert f"{STUDENT}:1" in text
    assert orjson.loads(orjson.dumps(as_json(told, ())))["agrees"] is True


def test_a_student_unknown_then_is_said_to_be_so() -> None:
    out = io.StringIO()
    show(explained([], START), (), STOCKHOLM, Console(file=out, width=160))
    assert "Nothing was known of this student then." in out.getvalue()


def test_of_a_day_with_overlapping_registers_all_are_shown_and_what_they_come_to() -> None:
    present = [attendance(STUDENT, day, lesson="dag", hour=8, minutes=360) for day in DAYS[:12]]
    missed = [attendance(STUDENT, day, lesson="1", hour=9, unexcused=60) for day in DAYS[:12]]
    overruled = [attendance(STUDENT, day, lesson="2", hour=11, excused=60) for day in DAYS[:12]]
    told = explained([*present, *missed, *overruled], datetime(2027, 1, 1, tzinfo=UTC))
    [total] = [reason for reason in told.assessment.reasons if reason.indicator.name == "total_absence"]
    assert total.numbers["absent_minutes"] == 12 * 60
    assert len(told.evidence["total_absence"]) == 36
    assert {(day.excused, day.unexcused, day.scheduled) for day in told.told_twice.values()} == {(0, 60, 360)}
    out = io.StringIO()
    show(told, (), STOCKHOLM, Console(file=out, width=160))
    assert "each counts once: 0 excused and 60 unexcused of 360 minutes" in out.getvalue()


def test_a_course_is_shown_by_the_mark_that_counts_and_a_streak_by_its_days() -> None:
    known: list[AnyEvent] = [
        grade(STUDENT, DAYS[0], course="MAT", kind=GradeKind.TERM, value="F"),
        grade(STUDENT, DAYS[1], course="MAT", kind=GradeKind.WARNING, value="open"),
        grade(STUDENT, DAYS[2], course="MAT", value="F"),
        grade(STUDENT, DAYS[0], course="ENG", kind=GradeKind.WARNING, value="open"),
        grade(STUDENT, DAYS[0], course="SVE", value="F", curriculum="gy11"),
        grade(STUDENT, DAYS[3], course="SVEN1", value="E", replaces=("SVE",)),
        grade(STUDENT, DAYS[0], course="HIS", value="-"),
        grade(STUDENT, DAYS[0], course="IDR", value="F", points=10),
    ]
    away = [attendance(STUDENT, DAYS[n], excused=60) for n in (4, 6, 7)]
    partly = [
        attendance(STUDENT, DAYS[5], lesson=str(n), excused=60 if n == 1 else 0, state=state)
        for n, state in (
            (1, AttendanceState.REGISTERED),
            (2, AttendanceState.UNREGISTERED),
            (3, AttendanceState.UNREGISTERED),
        )
    ]
    told = explained([*known, *away, *partly], datetime(2027, 1, 1, tzinfo=UTC))
    courses = [
        (each.fact.course, each.fact.kind)
        for each in told.evidence["failed_courses"]
        if isinstance(each.fact, MarkFact)
    ]
    assert courses == [("ENG", "warning"), ("HIS", "final"), ("IDR", "final"), ("MAT", "final")]
    streak = [each.fact.day for each in told.evidence["absence_streak"] if isinstance(each.fact, LessonFact)]
    assert streak == [DAYS[n].toordinal() for n in (4, 6, 7)]
