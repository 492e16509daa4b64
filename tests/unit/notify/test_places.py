"""Where a student belongs: any order of statements gives the same place."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import pytest

from services.notify.places import merged, place_on
from shared.events import EnrolmentChanged
from tests.unit.notify.builders import AS_OF, enrolment


def fold(facts: tuple[EnrolmentChanged, ...]) -> list[EnrolmentChanged]:
    known: list[EnrolmentChanged] = []
    for fact in facts:
        known = merged(known, fact) or known
    return known


def test_every_order_and_repetition_of_statements_ends_in_the_same_enrolments() -> None:
    facts = (
        enrolment(revision=1, coach="staff:anna"),
        enrolment(revision=2, coach="staff:bo"),
        enrolment(revision=2, coach="staff:cilla"),
        enrolment("Lindskolan", date(2026, 10, 1), revision=1),
    )
    ends = {tuple(fact.model_dump_json() for fact in fold(order + order[:2])) for order in permutations(facts)}
    assert len(ends) == 1


def test_a_statement_as_new_as_the_known_one_changes_nothing() -> None:
    assert merged([enrolment(revision=3)], enrolment(revision=3)) is None
    assert merged([enrolment(revision=3)], enrolment(revision=2, coach="staff:bo")) is None


@pytest.mark.parametrize(
    ("enrolments", "unit", "ended"),
    [
        pytest.param([], "Seen", False, id="nothing known: what scoring saw"),
        pytest.param([enrolment()], "Ekskolan", False, id="covers the day"),
        pytest.param([enrolment(state="retracted")], "Seen", False, id="retracted is as if never said"),
        pytest.param([enrolment(status="ended")], "Ekskolan", True, id="ended without a date"),
        pytest.param([enrolment(status="ended", ends_on=AS_OF)], "Ekskolan", False, id="the last day still counts"),
        pytest.param(
            [enrolment(status="ended", ends_on=date(2026, 11, 5))], "Ekskolan", True, id="left the day before"
        ),
        pytest.param(
            [enrolment(status="ended", ends_on=date(2026, 10, 1)), enrolment("Lindskolan", date(2026, 10, 2))],
            "Lindskolan",
            False,
            id="moved",
        ),
        pytest.param([enrolment(), enrolment("Seen")], "Seen", False, id="two units: the one scoring saw"),
        pytest.param([enrolment(starts_on=date(2027, 1, 11))], "Ekskolan", False, id="only one to come"),
    ],
)
def test_the_current_place(enrolments: list[EnrolmentChanged], unit: str, ended: bool) -> None:
    place = place_on(enrolments, AS_OF, school_unit="Seen")
    assert (place.school_unit, place.ended) == (unit, ended)


def test_protection_said_by_one_enrolment_holds_for_all() -> None:
    facts = [enrolment(protected=True, status="ended", ends_on=date(2026, 10, 1)), enrolment("Lindskolan")]
    assert place_on(facts, AS_OF, school_unit=None).protected


def test_protection_taken_back_by_a_later_revision_is_gone() -> None:
    facts = fold((enrolment(protected=True, revision=1), enrolment(protected=False, revision=2)))
    assert not place_on(facts, AS_OF, school_unit=None).protected
