"""Where a student is for those who write about them: any order of statements gives the same. The rule itself:
tests/unit/shared/test_places.py.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import permutations

import pytest

from services.notify.places import Situation, Statement, merged, situation
from tests.unit.notify.builders import AS_OF, stated

TODAY = AS_OF.toordinal()


def fold(statements: tuple[Statement, ...]) -> list[Statement]:
    known: list[Statement] = []
    for statement in statements:
        known = merged(known, statement) or known
    return known


def seen(statements: list[Statement], day: int = TODAY) -> Situation:
    return situation(statements, day, school_unit="Seen")


def test_every_order_and_repetition_of_statements_ends_in_the_same() -> None:
    statements = (
        stated(revision=1, coach="staff:anna"),
        stated(revision=2, coach="staff:bo"),
        stated(revision=2, coach="staff:cilla", protected=True),
        stated("Lindskolan", date(2026, 10, 1), revision=1),
    )
    ends = {tuple(fold(order + order[:2])) for order in permutations(statements)}
    assert len(ends) == 1


def test_a_statement_as_new_as_the_known_one_changes_nothing() -> None:
    assert merged([stated(revision=3)], stated(revision=3)) is None
    assert merged([stated(revision=3)], stated(revision=2, coach="staff:bo")) is None


def test_a_place_that_is_ended_again_and_again_ends_once() -> None:
    first, again = (stated(status="ended", time=datetime(2026, 11, day, 12, tzinfo=UTC)) for day in (3, 9))
    assert fold((first, again)) == fold((again, first)) == [first]


@pytest.mark.parametrize(
    ("statements", "unit", "left"),
    [
        pytest.param([], "Seen", False, id="nothing known: what scoring saw"),
        pytest.param([stated()], "Ekskolan", False, id="holds"),
        pytest.param([stated(state="retracted")], "Seen", False, id="retracted is as if never said"),
        pytest.param([stated(status="ended")], "Ekskolan", False, id="ended without a date: the event's day is the last"),
        pytest.param([stated(status="ended", time=datetime(2026, 11, 5, tzinfo=UTC))], "Ekskolan", True, id="the day after"),
        pytest.param([stated(status="ended", ends_on=AS_OF)], "Ekskolan", False, id="the last day still counts"),
        pytest.param([stated(ends_on=date(2026, 11, 5))], "Ekskolan", True, id="over, whatever the status says"),
        pytest.param(
            [stated(ends_on=date(2026, 10, 1)), stated("Lindskolan", date(2026, 10, 2))], "Lindskolan", False, id="moved"
        ),
        pytest.param(
            [stated(), stated("Kursskolan", date(2026, 10, 1), main=False)], "Ekskolan", False, id="a course elsewhere"
        ),
        pytest.param([stated(), stated("Lindskolan", date(2026, 12, 1))], "Ekskolan", False, id="moves next month"),
        pytest.param([stated(status="paused")], "Ekskolan", False, id="paused"),
        pytest.param([stated(starts_on=date(2027, 1, 11))], "Ekskolan", False, id="only one to come"),
    ],
)  # fmt: skip
def test_the_situation_of_a_day(statements: list[Statement], unit: str, left: bool) -> None:
    found = seen(statements)
    assert (found.school_unit, found.left, found.known) == (unit, left, unit != "Seen")


def test_the_coaches_are_those_of_the_place_in_its_order() -> None:
    statements = [
        stated(coach=None, coaches=["staff:old"], ends_on=date(2026, 10, 1)),
        stated("Lindskolan", date(2026, 10, 2), coach="staff:bo", coaches=["staff:anna", "staff:bo"]),
    ]
    assert seen(statements).coaches == ("staff:bo", "staff:anna")
    assert seen(statements, date(2026, 10, 1).toordinal()).coaches == ("staff:old",)


def test_protection_said_by_one_place_holds_for_all() -> None:
    assert seen([stated(protected=True, ends_on=date(2026, 10, 1)), stated("Lindskolan")]).protected


def test_protection_taken_back_by_a_later_revision_is_gone() -> None:
    statements = fold((stated(protected=True, revision=1), stated(protected=False, revision=2)))
    assert not seen(statements).protected


def test_a_student_who_died_at_one_place_is_written_about_nowhere() -> None:
    ended = stated(status="ended", end_reason="deceased", ends_on=date(2026, 11, 1))
    assert seen([ended, stated("Lindskolan", date(2026, 10, 1))]).deceased
