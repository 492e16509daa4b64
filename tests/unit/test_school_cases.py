"""Cases that schools have met: the oracles must say what was worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import pytest

from shared.events import AnyEvent
from shared.events.envelope import Fact, precedence
from tests import oracle
from tests.place_oracle import place_on, rank
from tests.school_cases import (
    ALERT_CASES,
    CASES,
    PLACE_CASES,
    SIGNAL_CASES,
    AlertCase,
    Case,
    PlaceCase,
    SignalCase,
)
from tests.school_cases.case import MAJA
from tests.signal_oracle import School


def published(events: Iterable[AnyEvent]) -> list[Mapping[str, Any]]:
    return [orjson.loads(event.encode()) for event in events]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_score_is_what_was_worked_out_by_hand(case: Case) -> None:
    for events in (published(case.events), published(case.events)[::-1]):
        found = oracle.expect(events)[MAJA]
        assert found == case.expected
        assert {day: found.by_day[day] for day in case.expected.by_day} == case.expected.by_day


@pytest.mark.parametrize("case", ALERT_CASES, ids=lambda case: case.id)
def test_a_level_is_what_was_said_last(case: AlertCase) -> None:
    events, level = list[Mapping[str, Any]](), "universal"
    for arrived, said in case.steps:
        events += published(arrived)
        for each in said:
            assert each.before == level
            level = each.after
        assert oracle.expect(events)[MAJA].level == level


@pytest.mark.parametrize("case", PLACE_CASES, ids=lambda case: case.id)
def test_a_student_is_where_the_text_says(case: PlaceCase) -> None:
    for events in (published(case.enrolments), published(case.enrolments)[::-1]):
        assert place_on(events, case.day) == case.expected


@pytest.mark.parametrize("case", SIGNAL_CASES, ids=lambda case: case.id)
def test_of_groups_is_said_what_was_worked_out_by_hand(case: SignalCase) -> None:
    school = School(published(case.events), case.today)
    assert {key: school.members(*key) for key in case.members} == case.members
    assert {key: school.worse(*key) for key in case.worse} == case.worse
    assert {student: school.stale_since(student) for student in case.stale} == case.stale


def test_the_oracle_ranks_versions_as_the_contract_does() -> None:
    for event in (event for case in CASES for event in case.events):
        if isinstance(event.data, Fact):
            with_nulls = event.data.model_dump(mode="json")
            assert rank(with_nulls) == rank(*[each["data"] for each in published([event])]) == precedence(event.data)


@pytest.mark.parametrize(
    "cases", [CASES, ALERT_CASES, PLACE_CASES, SIGNAL_CASES], ids=["scores", "alerts", "places", "signals"]
)
def test_every_case_has_a_name_of_its_own(
    cases: list[Case] | list[AlertCase] | list[PlaceCase] | list[SignalCase],
) -> None:
    assert len({case.id for case in cases}) == len(cases)
