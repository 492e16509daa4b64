"""Merging a student's view. The same over the real broker and database: tests/integration/reporting."""

from __future__ import annotations

from datetime import date
from functools import reduce
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.documents import read_student, student_document
from services.reporting.views import StudentView, UnitKey, merge, order_range, units_touched
from shared.events import EnrolmentStatus, Level
from tests.unit.reporting.builders import AUTHORITY, FRIDAY, absence, enrolment, group_absence, pseudonym, risk

A, B, NOWHERE = (UnitKey(AUTHORITY, code) for code in ("A", "B", ""))


def view_of(*events: object) -> StudentView:
    merged = reduce(merge, events, None)  # type: ignore[arg-type]
    assert merged is not None
    return merged


EVENTS = [
    risk("s", 1, score=30, level=Level.TARGETED, reasons=[absence()]),
    risk("s", 2, score=55, level=Level.INDIVIDUAL, unit="B", reasons=[absence(), group_absence()], stale_since=FRIDAY),
    enrolment("s", 1),
    enrolment("s", 2, status="ended", ends_on=FRIDAY),
    enrolment("s", 1, unit="B", starts_on=date(2026, 11, 21), protected=True),
    enrolment("s", 2, unit="B", starts_on=date(2026, 11, 21), groups=["NA24C"]),
    enrolment("s", 2, unit="B", starts_on=date(2026, 11, 21), groups=["NA24D"]),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.permutations(EVENTS))
def test_every_order_with_any_repetitions_ends_in_the_same_view(again: list[object], order: list[object]) -> None:
    assert view_of(*again, *order) == view_of(*EVENTS)
    assert view_of(*order, *again) == view_of(*EVENTS)


def test_every_order_of_a_protected_students_events_hides_the_same() -> None:
    events = [risk("s", 1), enrolment("s", 1), enrolment("s", 2, protected=True), enrolment("s", 1, unit="B")]
    views = [view_of(*order) for order in permutations(events)]
    assert all(view == views[0] for view in views)
    assert views[0].protected
    assert views[0].places == {NOWHERE: EnrolmentStatus.ACTIVE}
    assert (views[0].school_unit, views[0].groups, views[0].shown_enrolments) == (None, (), [])


def test_a_protected_enrolment_leaves_no_unit_or_group_in_the_document() -> None:
    codes: dict[str, Any] = {"unit": "UNITCODE", "groups": ["GROUPCODE"]}
    scored = risk("s", **codes, reasons=[group_absence("GROUPCODE")])
    document = student_document(view_of(scored, enrolment("s", protected=True, **codes)), 1)
    assert "CODE" not in str(document)
    assert document["risk"]["school_unit"] is None
    assert document["groups"] == []
    assert document["lists"] == ["active", "active 2480/"]


def test_a_group_hidden_by_protection_stays_hidden_whatever_the_order() -> None:
    events = [
        risk("s", reasons=[absence(), group_absence()]),
        enrolment("s", 1, protected=True),
        enrolment("s", 2),
        enrolment("s", 3, state="retracted"),
    ]
    views = [view_of(*order) for order in permutations(events)]
    assert all(view == views[0] for view in views)
    assert views[0].risk is not None
    assert [reason.group for reason in views[0].risk.reasons] == [None, None]
    assert not views[0].protected


def test_a_group_stays_named_where_nobody_asked_for_protection() -> None:
    view = view_of(risk("s", reasons=[group_absence()]), enrolment("s", 1), enrolment("s", 2))
    assert view.risk is not None
    assert view.risk.reasons == (group_absence(),)


def test_a_stale_student_stands_in_the_lists_of_the_stale_too() -> None:
    document = student_document(view_of(enrolment("s"), risk("s", stale_since=FRIDAY)), 1)
    assert document["lists"] == ["active", "stale active", "active 2480/A", "stale active 2480/A"]
    again = student_document(view_of(enrolment("s"), risk("s", 1, stale_since=FRIDAY), risk("s", 2)), 1)
    assert again["lists"] == ["active", "active 2480/A"]


def test_protection_that_ends_shows_the_unit_again() -> None:
    view = view_of(enrolment("s", 1, protected=True), enrolment("s", 2))
    assert (view.protected, view.school_unit) == (False, "A")


def test_an_event_without_news_returns_the_same_object() -> None:
    view = view_of(risk("s", 2), enrolment("s", 2))
    for old in (risk("s", 2), risk("s", 1), enrolment("s", 2), enrolment("s", 1)):
        assert merge(view, old) is view


def test_risk_alone_places_the_student_until_an_enrolment_is_known() -> None:
    view = view_of(risk("s", unit="A", groups=["G"]))
    assert (view.places, view.groups) == ({A: EnrolmentStatus.ACTIVE}, ("G",))
    assert merge(view, enrolment("s", unit="B")).places == {B: EnrolmentStatus.ACTIVE}


def test_a_student_who_moved_is_ended_at_the_old_unit_and_active_at_the_new() -> None:
    view = view_of(enrolment("s", 2, status="ended"), enrolment("s", 1, unit="B"))
    assert view.places == {A: EnrolmentStatus.ENDED, B: EnrolmentStatus.ACTIVE}
    assert view.school_unit == "B"


def test_two_enrolments_at_one_unit_count_once_by_the_stronger() -> None:
    view = view_of(enrolment("s"), enrolment("s", starts_on=date(2026, 1, 7), status="ended"))
    assert view.places == {A: EnrolmentStatus.ACTIVE}


def test_retracted_enrolments_take_the_student_off_every_list() -> None:
    view = view_of(risk("s"), enrolment("s", 1), enrolment("s", 2, state="retracted"))
    assert (view.status, view.places) == (None, {})
    assert student_document(view, 1)["lists"] == []


def test_units_touched_are_those_named_and_those_the_student_stands_in() -> None:
    assert units_touched(view_of(enrolment("s", unit="B")), [risk("s", unit="A")]) == {A, B}
    assert units_touched(None, [risk("s", unit=None)]) == {NOWHERE}


def test_most_at_risk_come_first_and_those_without_data_last() -> None:
    views = [
        view_of(risk("none", as_of=None, fresh_until=None)),
        view_of(enrolment("unscored")),
        view_of(risk("calm", score=0)),
        view_of(risk("high but universal", score=40)),
        view_of(risk("targeted", score=20, level=Level.TARGETED)),
        view_of(risk("individual", score=100, level=Level.INDIVIDUAL)),
    ]
    assert sorted(views, key=lambda view: view.order) == [
        views[5],
        views[4],
        views[3],
        views[2],
        *sorted(views[:2], key=lambda view: view.pseudonym),
    ]


@pytest.mark.parametrize("score", [0, 100])
@pytest.mark.parametrize("level", [*Level, None])
def test_an_order_lies_in_the_range_of_its_level_alone(level: Level | None, score: int) -> None:
    given_level = level or Level.UNIVERSAL
    view = view_of(risk("s", score=score, level=given_level, as_of=FRIDAY if level else None))
    ranges = {other: order_range(other) for other in [*Level, None]}
    assert [other for other, (first, end) in ranges.items() if first <= view.order < end] == [level]


def test_a_document_gives_back_the_view() -> None:
    view = view_of(*EVENTS)
    assert read_student(student_document(view, 7)) == view
    assert view.pseudonym == pseudonym("s")
