"""Where pages put a student on a day, in the cases that schools have met. The rule itself: tests/unit/shared."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.reporting.documents import student_document
from services.reporting.models import student_answer
from shared.events.places import Presence
from tests.unit.reporting.builders import FRIDAY, MONDAY, enrolment, noon, view_of

AUGUST = date(2026, 8, 17)
ACTIVE, PAUSED, ENDED, UPCOMING = Presence


def at(unit: str, first: date = AUGUST, revision: int = 1, **given: Any) -> Any:
    return enrolment("s", revision, unit=unit, starts_on=first, groups=[f"{unit}-{first:%m%d}"], **given)


CASES = [
    pytest.param([at("A", date(2027, 8, 16))], {"A": UPCOMING}, ("A", UPCOMING), id="a place that begins next August"),
    pytest.param(
        [at("A"), at("B", date(2027, 8, 16))],
        {"A": ACTIVE, "B": UPCOMING},
        ("A", ACTIVE),
        id="next August elsewhere",
    ),
    pytest.param([at("A", ends_on=FRIDAY)], {"A": ENDED}, ("A", ENDED), id="last day passed, called active"),
    pytest.param([at("A", ends_on=MONDAY)], {"A": ACTIVE}, ("A", ACTIVE), id="the last day is a day of the place"),
    pytest.param(
        [at("A", status="ended", ends_on=date(2026, 12, 18))], {"A": ACTIVE}, ("A", ACTIVE), id="ends at Christmas"
    ),
    pytest.param([at("A", status="ended")], {"A": ENDED}, ("A", ENDED), id="ended without a day, told on Friday"),
    pytest.param(
        [at("A", status="ended", time=noon(MONDAY))], {"A": ACTIVE}, ("A", ACTIVE), id="ended without a day, told today"
    ),
    pytest.param(
        [at("A"), at("B", date(2026, 10, 1), status="paused")],
        {"A": ACTIVE, "B": PAUSED},
        ("A", ACTIVE),
        id="paused at B, active at A",
    ),
    pytest.param(
        [at("A"), at("B", date(2026, 10, 1), main=False)],
        {"A": ACTIVE, "B": ACTIVE},
        ("A", ACTIVE),
        id="a course at another school",
    ),
    pytest.param(
        [at("A", date(2026, 8, 20)), at("A", revision=2, ends_on=FRIDAY)],
        {"A": ENDED},
        ("A", ENDED),
        id="a corrected first day: the old place does not come back",
    ),
    pytest.param(
        [at("A", ends_on=FRIDAY), at("B", MONDAY)],
        {"A": ENDED, "B": ACTIVE},
        ("B", ACTIVE),
        id="a move over the weekend",
    ),
]


@pytest.mark.parametrize(("events", "units", "own"), CASES)
@pytest.mark.parametrize("in_order", [True, False], ids=["in order", "reversed"])
def test_lists_and_page_say_where_the_student_is_today(
    events: list[Any], units: dict[str, Presence], own: tuple[str, Presence], *, in_order: bool
) -> None:
    view = view_of(*(events if in_order else reversed(events)))
    today = MONDAY.toordinal()
    document = student_document(view, 1, today)
    assert document["lists"] == [str(own[1]), *(f"{presence} 2480/{unit}" for unit, presence in units.items())]
    shown = student_answer(view, today)
    assert (shown.school_unit, shown.status) == own
    assert shown.enrolments[0].school_unit == own[0]
    assert shown.groups == shown.enrolments[0].groups


def test_a_student_who_moves_stands_otherwise_on_the_day_itself() -> None:
    view = view_of(at("A", ends_on=FRIDAY), at("B", MONDAY))
    days = {
        FRIDAY: (ACTIVE, UPCOMING, "A", date(2026, 11, 21)),
        date(2026, 11, 21): (ENDED, UPCOMING, "A", MONDAY),
        MONDAY: (ENDED, ACTIVE, "B", None),
    }
    for day, (at_a, at_b, unit, changes) in days.items():
        document = student_document(view, 1, day.toordinal())
        assert [place["presence"] for place in document["places"]] == [at_a, at_b], day
        assert student_answer(view, day.toordinal()).school_unit == unit, day
        assert document["next_change"] == (changes.toordinal() if changes else None), day


def test_places_that_were_taken_back_or_corrected_are_not_shown() -> None:
    view = view_of(
        at("A", date(2026, 8, 20)),
        at("A", revision=2),
        at("B", revision=1),
        at("B", revision=2, state="retracted"),
        at("C", main=False, ends_on=FRIDAY, status="active"),
        at("D", date(2027, 1, 11), main=False),
    )
    shown = student_answer(view, MONDAY.toordinal()).enrolments
    assert [(item.school_unit, item.starts_on, item.ends_on, item.status, item.main) for item in shown] == [
        ("A", AUGUST, None, ACTIVE, True),
        ("D", date(2027, 1, 11), None, UPCOMING, False),
        ("C", AUGUST, FRIDAY, ENDED, False),
    ]


def test_the_last_day_there_is_can_be_stored_and_shown() -> None:
    view = view_of(at("A", ends_on=date.max))
    assert student_document(view, 1, MONDAY.toordinal())["lists"] == ["active", "active 2480/A"]
    assert student_answer(view, MONDAY.toordinal()).enrolments[0].ends_on == date.max


def test_ended_without_a_day_ends_on_the_day_at_the_school() -> None:
    late = enrolment("s", status="ended", time=noon(FRIDAY).replace(hour=23, minute=30))
    [shown] = student_answer(view_of(late), MONDAY.toordinal()).enrolments
    assert shown.ends_on == date(2026, 11, 21)


def test_each_unit_counts_its_own_groups() -> None:
    document = student_document(view_of(at("A"), at("B", main=False)), 1, MONDAY.toordinal())
    assert [place["groups"] for place in document["places"]] == [["A-0817"], ["B-0817"]]
