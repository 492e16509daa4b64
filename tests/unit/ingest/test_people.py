"""What is known of a person: the same in whatever order enrolments arrive, and no name of a protected one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from services.ingest.people import PersonRecord, fold
from shared.events import DoorEnrolmentChanged
from tests.unit.ingest.builders import enrolment, person


def told(revision: int, *, name: str | None = None, **data: Any) -> DoorEnrolmentChanged:
    fields = enrolment(data={"revision": revision, **data})["data"]
    if name is not None:
        fields["person"] = person(given_name=name)
    return DoorEnrolmentChanged.model_validate(fields, strict=False)


CASES = {
    "the highest revision's name": ([told(1, name="Old"), told(2, name="New")], ("New", False)),
    "a revision without person keeps the name": ([told(1, name="Alva"), told(2)], ("Alva", False)),
    "protection scrubs the name": ([told(1, name="Alva"), told(2, protected=True)], (None, True)),
    "a protected enrolment's own name is not kept": ([told(1, protected=True, name="Alva")], (None, True)),
    "names told before protection never come back": (
        [told(1, name="Alva"), told(2, protected=True), told(3)],
        (None, False),
    ),
    "names told after protection ended are kept": (
        [told(1, protected=True), told(2, name="Alva")],
        ("Alva", False),
    ),
    "a retraction does not lift protection": ([told(1, protected=True), told(2, state="retracted")], (None, True)),
    "on a tie protection wins": ([told(1, name="Alva"), told(1, protected=True)], (None, True)),
    "on a tie of names every replica takes the same": ([told(1, name="A"), told(1, name="B")], ("B", False)),
}


@pytest.mark.parametrize(("enrolments", "expected"), CASES.values(), ids=CASES.keys())
def test_enrolments_merge_the_same_in_every_order(
    enrolments: list[DoorEnrolmentChanged], expected: tuple[str | None, bool]
) -> None:
    results = set()
    for order in permutations(enrolments):
        record = PersonRecord("2480")
        for each in order:
            record = fold(record, each)
        results.add(record)
    assert len(results) == 1
    [record] = results
    assert (record.given_name, record.protected) == expected


def test_the_day_of_coming_of_age_is_the_highest_revisions() -> None:
    record = fold(PersonRecord("2480"), told(2, turns_18_on="2027-01-02"))
    record = fold(record, told(1, turns_18_on="2026-01-01"))
    assert str(record.turns_18_on) == "2027-01-02"
