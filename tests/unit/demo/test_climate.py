"""Climate reports of the simulated authority: what a survey system sends, and what it must never tell."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import date
from functools import cache
from typing import Any

import pytest

from deploy.demo.climate import tellable
from deploy.demo.events import Event
from deploy.demo.simulator import Simulation, simulate

FIRST_DAY, LAST_DAY = date(2025, 8, 20), date(2025, 12, 19)
DIMENSIONS = ("safety", "inclusion", "relations")


@cache
def term(students: int = 300, units: int = 5) -> Simulation:
    return simulate(3, students, units, FIRST_DAY, LAST_DAY)


@cache
def reports(students: int = 300, units: int = 5) -> list[Event]:
    return [e for day in term(students, units).days for e in day.events if e["type"] == "kvar.climate.reported.v1"]


def versions() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Of each subject and week, by revision."""
    found: dict[tuple[str, str], dict[int, dict[str, Any]]] = defaultdict(dict)
    for event in reports():
        found[event["subject"], event["data"]["period"]][event["data"]["revision"]] = event["data"]
    return {key: [data for _, data in sorted(by_revision.items())] for key, by_revision in found.items()}


def test_every_fourth_school_week_each_class_and_each_unit_is_spoken_of() -> None:
    weeks: dict[str, set[str]] = defaultdict(set)
    for subject, period in versions():
        weeks[period].add(subject)
    # Week 44 is the autumn break and no school week.
    assert sorted(weeks) == ["2025-W36", "2025-W40", "2025-W45", "2025-W49"]
    authority = term().authority
    everybody = {f"group:{one.code}" for one in authority.classes} | {f"unit:{unit}" for unit in authority.units}
    for subjects in weeks.values():
        assert subjects <= everybody
        assert len(subjects) > 0.9 * len(everybody)


def test_never_from_fewer_than_five_answers_nor_from_more_than_there_are_students() -> None:
    sizes: dict[str, int] = defaultdict(int)
    for student in term(66, 13).authority.students:
        sizes[f"group:{student.school_class.code}"] += 1
        sizes[f"unit:{student.school_class.unit}"] += 1
    answers = [event["data"]["answers"] for event in reports(66, 13)]
    assert answers
    assert min(answers) == 5, "classes of five or six students are often told of, but not when one or two are silent"
    assert all(event["data"]["answers"] <= sizes[event["subject"]] + 1 for event in reports(66, 13))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        pytest.param(9, 5, {"group:A", "group:B", "unit:U"}, id="both classes"),
        pytest.param(9, 4, {"group:A"}, id="subtracting would tell of four"),
        pytest.param(9, 0, {"group:A", "unit:U"}, id="the other is silent"),
        pytest.param(4, 4, {"unit:U"}, id="only together"),
        pytest.param(2, 2, set(), id="too few"),
    ],
)
def test_a_unit_is_held_back_where_it_would_tell_of_a_few(first: int, second: int, told: set[str]) -> None:
    answer = (4, 4, 4)
    answers = {"group:A": [answer] * first, "group:B": [answer] * second, "unit:U": [answer] * (first + second)}
    assert set(tellable(answers, {"unit:U": {"group:A", "group:B"}})) == told


def test_means_are_those_of_schools() -> None:
    means = sorted(sum(data[name] for name in DIMENSIONS) / 3 for of_week in versions().values() for data in of_week)
    assert 3.6 < means[len(means) // 2] < 4.2
    assert means[0] >= 1.0
    assert means[-1] <= 5.0
    assert sum(mean < 3.2 for mean in means) < 0.1 * len(means)


def test_some_are_corrected_with_a_higher_revision_and_the_same_answers_and_some_taken_back() -> None:
    pairs = [pair for of_week in versions().values() for pair in itertools.pairwise(of_week)]
    assert 0.04 < len(pairs) / len(versions()) < 0.25
    assert {after["state"] for _, after in pairs} == {"recorded", "retracted"}
    for before, after in pairs:
        assert before["answers"] == after["answers"], "the difference would tell of those who answered late"
        moved = [abs(before[name] - after[name]) for name in DIMENSIONS if before[name] != after[name]]
        assert len(moved) <= 1
        assert moved or after["state"] == "retracted"


def test_the_class_in_trouble_feels_it_and_others_do_not() -> None:
    trouble, days = term().trouble, term().calendar.school_days
    assert trouble is not None
    began = days[trouble.onset]
    falls: dict[str, float] = {}
    for one in term().authority.classes:
        known = [
            (week, of_week[-1])
            for (subject, week), of_week in sorted(versions().items())
            if subject == f"group:{one.code}"
        ]
        means = {
            week: sum(data[name] for name in DIMENSIONS) / 3 for week, data in known if data["state"] == "recorded"
        }
        before = [mean for week, mean in means.items() if date.fromisocalendar(2025, int(week[-2:]), 5) <= began]
        if before and "2025-W49" in means:
            falls[one.code] = sum(before) / len(before) - means["2025-W49"]
    assert falls.pop(trouble.group) > 0.8
    assert max(falls.values()) < 0.5
