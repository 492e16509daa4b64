"""Signals of groups against brute force, with events in any order and batching. Single rules: test_signals.py."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from datetime import UTC, date, timedelta
from itertools import pairwise
from typing import TypeVar

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.climate import Version
from services.scoring.climate_handler import kept_report
from services.scoring.documents import encode_record
from services.scoring.facts import Fact, LessonFact
from services.scoring.group_sums import Member
from services.scoring.handlers import incoming
from services.scoring.indicators import Model
from services.scoring.records import STATE_FORMAT, Basis, StudentRecord
from services.scoring.rules import DEFAULT
from services.scoring.signal_documents import seen
from services.scoring.signal_unit import UnitJudged, judge_unit
from services.scoring.signals import stale_since
from services.scoring.student import Student, from_facts
from shared.events import AnyEvent, AttendanceState, ClimateReported, ClimateReportedEvent, GradeKind, GroupIndicator
from tests.builders import AUTHORITY, MONDAY, STOCKHOLM, UNIT, at, attendance, enrolment, grade, pseudonym, school_days
from tests.signal_oracle import School

MODEL = Model()
DAYS = school_days(MONDAY, 80)
TODAY = DAYS[-1].toordinal()
PUPILS = [pseudonym(str(n)) for n in range(14)]
ResultT = TypeVar("ResultT")


def finished(work: Generator[None, None, ResultT]) -> ResultT:
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: ResultT = done.value
            return result


def state(events: Sequence[AnyEvent], cuts: Sequence[int]) -> Student:
    """A student's state after batches that end at `cuts`, older facts fetched from those seen so far."""
    student, known = Student(), list[Fact]()
    for start, end in pairwise([0, *sorted(cuts), len(events)]):
        facts = [incoming(event, STOCKHOLM).kept.fact for event in events[start:end]]
        known += facts
        needs = student.needs(facts)
        if needs.everything:
            student = from_facts(known)
        else:
            older = [fact for fact in known if isinstance(fact, LessonFact) and fact.day in needs.days]
            student.apply(facts, older)
        student.assess(MODEL)
    return student


def member(student: str, known: Student, today: int = TODAY) -> Member | None:
    record = StudentRecord(student, AUTHORITY, rev=1, basis=Basis(0, STATE_FORMAT), state=known)
    return seen({"_id": student, "rev": 1, "state": encode_record(record)}, today).member


def climate(subject: str, day: date, mean: float, revision: int, state: str) -> ClimateReportedEvent:
    year, week, _ = day.isocalendar()
    return ClimateReportedEvent(
        id=f"{subject}-{week}-{revision}",
        source="/test",
        subject=subject,
        time=at(day),
        authority=AUTHORITY,
        recordedtime=at(day).astimezone(UTC),
        data=ClimateReported.model_validate(
            {
                "period": f"{year}-W{week:02d}",
                "answers": 8,
                "safety": mean,
                "inclusion": min(5.0, mean + 0.5),
                "relations": mean,
                "revision": revision,
                "state": state,
            }
        ),
    )


def a_school(seed: int) -> list[AnyEvent]:
    """Fourteen students in two classes and a teaching group, in spells of better and worse weeks that most of a class share."""
    chance = random.Random(seed)
    days = DAYS[: chance.choice([29, 33, 45, 62, 70])]
    split = chance.choice([4, 5, 6, 7])
    events: list[AnyEvent] = []
    spells = [_spells(chance, len(days)) for _ in range(2)]
    for n, pupil in enumerate(PUPILS):
        is_second = n >= split
        groups = ("A", "C") if not is_second and n % 2 else ("B", "C") if n > 10 else ("B",) if is_second else ("A",)
        events.append(enrolment(pupil, chance.choice([MONDAY, MONDAY, days[20]]), groups=groups))
        gone_from = chance.choice([len(days)] * 6 + [len(days) - 10, len(days) - 11])
        for position, day in enumerate(days[:gone_from]):
            events += _day(chance, pupil, day, spells[is_second][position])
        for _ in range(chance.randrange(3)):
            course, kind = f"K{chance.randrange(3)}", chance.choice([*[GradeKind.WARNING] * 5, GradeKind.FINAL])
            value = "open" if kind is GradeKind.WARNING else "E"
            day = days[-chance.randrange(1, 25)] + timedelta(days=chance.randrange(3))
            events.append(grade(pupil, day, course=course, kind=kind, value=value, revision=chance.randrange(3)))
    for subject in ("group:A", "group:B", "group:C", f"unit:{UNIT}", "group:gone"):
        for _ in range(chance.randrange(4)):
            mean = chance.choice([2.0, 3.0, 3.5, 4.0, 4.5])
            state = chance.choice(["recorded"] * 5 + ["retracted"])
            events.append(climate(subject, chance.choice(days), mean, chance.randrange(3), state))
    return events


def _spells(chance: random.Random, days: int) -> list[str]:
    found: list[str] = []
    while len(found) < days:
        found += [chance.choice(["well", "well", "away", "truant", "late"])] * chance.randrange(2, 25)
    return found


def _day(chance: random.Random, pupil: str, day: date, spell: str) -> list[AnyEvent]:
    what = spell if chance.random() < 0.7 else chance.choice(["well", "well", "well", "away", "unknown", "corrected"])
    match what:
        case "away":
            return [attendance(pupil, day, excused=chance.choice([15, 60]))]
        case "truant":
            return [attendance(pupil, day, unexcused=chance.choice([10, 60]))]
        case "late":
            return [attendance(pupil, day, unexcused=5, late=True)]
        case "unknown":
            return [attendance(pupil, day, state=AttendanceState.UNREGISTERED)]
        case "corrected":
            return [attendance(pupil, day, unexcused=60), attendance(pupil, day, revision=2)]
        case _:
            return [attendance(pupil, day)]


def judged(events: Sequence[AnyEvent], chance: random.Random) -> tuple[UnitJudged, dict[str, Member]]:
    """As scoring does it, with the events in another order and other batches."""
    versions: dict[str, list[Version]] = {}
    by_pupil: dict[str, list[AnyEvent]] = {pupil: [] for pupil in PUPILS}
    for event in chance.sample(list(events), len(events)):
        if isinstance(event, ClimateReportedEvent):
            versions.setdefault(event.subject, []).append(kept_report(event).version)
        else:
            by_pupil[event.subject].append(event)
    members: dict[str, Member] = {}
    for pupil, own in by_pupil.items():
        found = member(pupil, state(own, [chance.randrange(len(own) + 1) for _ in range(2)]))
        if found is not None:
            members[pupil] = found
    present = {f"unit:{UNIT}", *(f"group:{code}" for one in members.values() for code in one.groups)}
    known = {subject: each for subject, each in versions.items() if subject in present}
    return finished(judge_unit(UNIT, list(members.values()), known, DEFAULT)), members


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_any_order_and_batching_end_as_brute_force_says(seed: int, order: int) -> None:
    events = a_school(seed)
    school = School([orjson.loads(event.encode()) for event in events], DAYS[-1])
    found, members = judged(events, random.Random(order))
    for subject in ("group:A", "group:B", "group:C", f"unit:{UNIT}"):
        worse = {each.indicator.value for each in found.by_subject.get(subject, ()) if each.is_worse}
        assert worse == school.worse(UNIT, subject), subject
    for pupil in PUPILS:
        since = stale_since(members[pupil], found.school_days, DEFAULT.stale.school_days)
        assert (date.fromordinal(since) if since else None) == school.stale_since(pupil)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_numbers_are_those_of_brute_force(seed: int) -> None:
    events = a_school(seed)
    school = School([orjson.loads(event.encode()) for event in events], DAYS[-1])
    found, _ = judged(events, random.Random(seed))
    for subject, of_subject in found.by_subject.items():
        days = school.school_days(school.members(UNIT, subject))
        for each in of_subject:
            decimals = 1 if "absence" in each.indicator else 2
            compared = school.compared(UNIT, subject, each.indicator, days)
            known = dict(zip(("recent", "earlier", "unit"), compared, strict=True))
            if subject.startswith("unit:"):
                del known["unit"]
            wanted = {part: round(float(value), decimals) for part, value in known.items() if value is not None}
            told = {
                name.split("_")[0]: value for name, value in each.numbers.items() if name not in {"students", "answers"}
            }
            assert told == wanted, (subject, each.indicator)


def test_the_schools_of_these_tests_do_have_signals() -> None:
    seen_worse: set[str] = set()
    for seed in range(12):
        school = School([orjson.loads(event.encode()) for event in a_school(seed)], DAYS[-1])
        for subject in ("group:A", "group:B", f"unit:{UNIT}"):
            seen_worse |= school.worse(UNIT, subject)
    assert seen_worse == {indicator.value for indicator in GroupIndicator}
