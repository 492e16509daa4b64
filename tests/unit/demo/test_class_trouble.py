"""A class that worsens together, in the default demo's term and by scoring's own definition of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from functools import cache
from statistics import mean
from typing import Any

import pytest

from deploy.demo.class_trouble import ClassTrouble
from deploy.demo.school_calendar import Term, autumn_term, spring_term
from deploy.demo.simulator import DEFAULT_SEED, DEFAULT_STUDENTS, DEFAULT_UNITS, Simulation, simulate
from services.scoring.climate import Version
from services.scoring.group_sums import Member, Sums
from services.scoring.rules import DEFAULT
from services.scoring.signal_unit import UnitJudged, judge_unit
from shared.events import GroupIndicator
from tests import oracle

TERMS = [pytest.param(spring_term(2026), id="spring"), pytest.param(autumn_term(2025), id="autumn")]


@cache
def school(term: Term) -> Simulation:
    """What the demo plays without any options."""
    return simulate(DEFAULT_SEED, DEFAULT_STUDENTS, DEFAULT_UNITS, term.first_day, term.last_day)


def trouble(term: Term) -> ClassTrouble:
    found = school(term).trouble
    assert found is not None
    return found


@cache
def newest(term: Term, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The highest revision of each lesson of a student, or of each week of a subject."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for day in school(term).days:
        for event in day.events:
            if event["type"] == f"kvar.{kind}.v1":
                key = event["subject"], event["data"].get("lesson") or event["data"]["period"]
                if key not in found or found[key]["revision"] < event["data"]["revision"]:
                    found[key] = event["data"]
    return found


@cache
def registers(term: Term, last_day: date) -> dict[str, dict[int, Sums]]:
    """Sums of each student's lessons in the classes' own weeks, by day number."""
    sums: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0, 0]))
    for (student, _), data in newest(term, "attendance.recorded").items():
        day = date.fromisoformat(data["starts_at"][:10])
        if data["state"] == "registered" and day <= last_day:
            parts = sums[student][day.toordinal()]
            absent = data["excused_minutes"] + data["unexcused_minutes"]
            for place, part in enumerate((data["minutes"], absent, data["unexcused_minutes"], int(data["late"]))):
                parts[place] += part
    return {
        student: {day: Sums(parts[0], parts[1], parts[2], parts[3], registers=1) for day, parts in days.items()}
        for student, days in sums.items()
    }


def judged(term: Term, last_day: date) -> UnitJudged:
    """What scoring says of the troubled class's unit on a day, of its students who stay all term."""
    simulation = school(term)
    unit = trouble(term).unit
    known = registers(term, last_day)
    members = [
        Member(one.references[0], (one.group,), term.first_day.toordinal(), 0, known[one.references[0]], [])
        for one in simulation.truth
        if one.school_unit == unit and one.left_on is None
    ]
    climate: dict[str, list[Version]] = defaultdict(list)
    for (subject, period), data in newest(term, "climate.reported").items():
        value = mean(data[dimension] for dimension in ("safety", "inclusion", "relations"))
        is_there = data["state"] == "recorded"
        climate[subject].append(Version(period, data["revision"], "", value if is_there else None, data["answers"]))
    work = judge_unit(unit, members, climate, DEFAULT)
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: UnitJudged = done.value
            return found


def worse(found: UnitJudged, group: str) -> set[GroupIndicator]:
    return {one.indicator for one in found.by_subject[f"group:{group}"] if one.is_worse}


@pytest.mark.parametrize("term", TERMS)
def test_it_shows_at_the_end_of_the_default_demo_by_the_definition_of_scoring(term: Term) -> None:
    found = judged(term, term.last_day)
    assert worse(found, trouble(term).group) >= {GroupIndicator.LATE_ARRIVALS, GroupIndicator.CLIMATE}
    others = {one.group for one in school(term).truth if one.school_unit == trouble(term).unit} - {trouble(term).group}
    assert [group for group in sorted(others) if worse(found, group)] == []


@pytest.mark.parametrize("term", TERMS)
def test_its_lessons_show_nothing_before_it_begins(term: Term) -> None:
    day_before = school(term).calendar.school_days[trouble(term).onset - 1]
    assert worse(judged(term, day_before), trouble(term).group) <= {GroupIndicator.CLIMATE}


@pytest.mark.parametrize("term", TERMS)
def test_most_of_the_class_come_late_skip_and_are_absent_more_than_before_and_than_their_unit(term: Term) -> None:
    """Medians: no single student decides, in the class or beside it."""
    days = school(term).calendar.school_days
    full, first = trouble(term).onset + 10, trouble(term).onset
    before, during = days[first - 20 : first], days[full : full + 10]
    for part in ("late", "unexcused", "absent"):
        rises = {
            one.references[0]: _share(term, one.references[0], part, during)
            - _share(term, one.references[0], part, before)
            for one in school(term).truth
            if one.school_unit == trouble(term).unit and one.left_on is None
        }
        own = sorted(rises[one.references[0]] for one in school(term).truth if _is_of_class(term, one))
        rest = sorted(
            rises[one.references[0]]
            for one in school(term).truth
            if one.references[0] in rises and not _is_of_class(term, one)
        )
        assert own[len(own) // 2] > max(0.0, rest[len(rest) // 2]), part
        assert sum(rise > 0 for rise in own) > len(own) / 2, part


def _is_of_class(term: Term, one: Any) -> bool:
    return bool(one.group == trouble(term).group and one.left_on is None)


def _share(term: Term, student: str, part: str, days: list[date]) -> float:
    """Of the scheduled minutes; late lessons for each of them."""
    known = registers(term, term.last_day)[student]
    sums = [known[day.toordinal()] for day in days if day.toordinal() in known]
    found: int = sum(getattr(one, part) for one in sums)
    return found / sum(one.scheduled for one in sums)


@pytest.mark.parametrize("term", TERMS)
def test_hardly_any_of_its_students_is_at_high_risk(term: Term) -> None:
    simulation = school(term)
    own = [one for one in simulation.truth if _is_of_class(term, one)]
    reference = {other: one.references[0] for one in own for other in one.references}
    events = (event for day in simulation.days for event in day.events if event["subject"] in reference)
    ends = oracle.expect({**event, "subject": reference[event["subject"]]} for event in events)
    levels = Counter(ends[one.references[0]].level for one in own)
    assert levels["individual"] <= 1
    assert levels["universal"] > levels.total() / 2


def test_truth_says_when_the_trouble_of_ones_class_began_and_when_it_was_worked_on() -> None:
    term = spring_term(2026)
    days = school(term).calendar.school_days
    for one in school(term).truth:
        expected = None if one.group != trouble(term).group else days[trouble(term).onset]
        assert one.class_trouble_from == expected
    assert {one.class_helped_on for one in school(term).truth} == {None, days[trouble(term).helped]}


def test_it_grows_stays_and_is_worked_off() -> None:
    found = ClassTrouble("unit", "group", onset=50, helped=70)
    strains = [found.strain(day) for day in range(100)]
    assert strains[:51] == [0.0] * 51
    assert strains[60:71] == [1.0] * 11
    assert strains == [*sorted(strains[:71]), *sorted(strains[71:], reverse=True)]
    assert strains[90:] == [0.0] * 10


@pytest.mark.parametrize(
    ("students", "units", "last_day"),
    [(14, 2, date(2026, 6, 12)), (66, 3, date(2026, 2, 27))],
    ids=["no second class in any unit", "a short term"],
)
def test_where_it_could_not_be_seen_there_is_none(students: int, units: int, last_day: date) -> None:
    simulation = simulate(1, students, units, date(2026, 1, 8), last_day)
    assert simulation.trouble is None
    assert {one.class_trouble_from for one in simulation.truth} == {None}


def test_it_changes_nothing_for_the_students_of_other_classes() -> None:
    term = spring_term(2026)
    own = {one.references[0] for one in school(term).truth if one.group == trouble(term).group}
    calm = replace(school(term), trouble=None)
    without = {
        (event["subject"], event["data"]["lesson"], event["data"]["revision"]): event["data"]
        for day in calm.days
        for event in day.events
        if event["type"] == "kvar.attendance.recorded.v1"
    }
    changed = {
        student
        for (student, lesson), data in newest(term, "attendance.recorded").items()
        if without.get((student, lesson, data["revision"])) != data
    }
    assert changed <= own
    assert len(changed) > len(own) / 2
