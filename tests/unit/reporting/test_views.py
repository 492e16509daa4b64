"""Merging a student's view. The same over the real broker and database: tests/integration/reporting."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.documents import read_student, student_document
from services.reporting.models import student_answer
from services.reporting.views import UnitKey, is_older_than_known, order_range, units_touched
from shared.events import Level
from shared.events.places import Presence
from tests.unit.reporting.builders import (
    AUTHORITY,
    FRIDAY,
    MONDAY,
    ZONE,
    absence,
    enrolment,
    group_absence,
    merged,
    noon,
    pseudonym,
    risk,
    view_of,
)

if TYPE_CHECKING:
    from services.reporting.views import StudentEvent, StudentView
    from shared.events import EnrolmentChangedEvent

A, B, NOWHERE = (UnitKey(AUTHORITY, code) for code in ("A", "B", ""))
TODAY = MONDAY.toordinal()
ACTIVE, PAUSED, ENDED, UPCOMING = Presence


def presences(view: StudentView, day: date = MONDAY) -> dict[UnitKey, Presence]:
    return {unit: stay.presence for unit, stay in view.stays(day.toordinal()).items()}


def overall(view: StudentView, day: date = MONDAY) -> tuple[str | None, Presence] | None:
    stay = view.stay(day.toordinal())
    return (stay.school_unit, stay.presence) if stay else None


STALE: dict[str, Any] = {"stale_since": FRIDAY, "stale_school_days": 12}
EVENTS: list[StudentEvent] = [
    risk("s", 1, score=30, level=Level.TARGETED, reasons=[absence()]),
    risk("s", 2, score=55, level=Level.INDIVIDUAL, unit="B", reasons=[absence(), group_absence()], **STALE),
    enrolment("s", 1),
    enrolment("s", 2, status="ended"),
    enrolment("s", 2, status="ended", time=noon(FRIDAY + timedelta(7))),
    enrolment("s", 3, unit="C", main=False, ends_on=date(2026, 12, 20)),
    enrolment("s", 1, unit="B", starts_on=date(2026, 11, 21), protected=True),
    enrolment("s", 2, unit="B", starts_on=date(2026, 11, 21), groups=["NA24C"]),
    enrolment("s", 2, unit="B", starts_on=date(2026, 11, 21), groups=["NA24D"]),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.permutations(EVENTS))
def test_every_order_with_any_repetitions_ends_in_the_same_view(
    again: list[StudentEvent], order: list[StudentEvent]
) -> None:
    assert view_of(*again, *order) == view_of(*EVENTS)
    assert view_of(*order, *again) == view_of(*EVENTS)


DAYS = st.dates(date(2026, 8, 1), date(2027, 8, 31))
PLACES = st.builds(
    lambda revision, unit, starts_on, length, **rest: enrolment(
        "s",
        revision,
        unit=unit,
        starts_on=starts_on,
        ends_on=None if length is None else starts_on + timedelta(length),
        **rest,
    ),
    revision=st.integers(1, 4),
    unit=st.sampled_from("AB"),
    starts_on=st.sampled_from([date(2026, 8, 17), date(2026, 8, 20), date(2027, 1, 11)]),
    length=st.sampled_from([None, 0, 30, 200]),
    status=st.sampled_from(["active", "paused", "ended"]),
    time=DAYS.map(noon),
    main=st.booleans(),
    state=st.sampled_from(["recorded", "recorded", "retracted"]),
    protected=st.sampled_from([False, False, False, True]),
)


@given(st.lists(PLACES, min_size=1, max_size=6), st.data(), DAYS)
def test_what_is_stored_for_a_day_depends_on_no_order_and_holds_until_the_next_change(
    events: list[StudentEvent], data: st.DataObject, day: date
) -> None:
    order: list[StudentEvent] = data.draw(st.permutations(events))
    view, other = view_of(*events), view_of(*order, *events)
    number = day.toordinal()
    document = student_document(view, 1, number)
    assert document == student_document(other, 1, number)
    assert read_student(document) == view
    assert view.units == set(view.stays(number))
    until = document["next_change"] or number + 500
    assert until > number
    between = data.draw(st.integers(number, until - 1))
    assert student_document(view, 1, between) == document


@given(st.lists(PLACES, min_size=1, max_size=6), DAYS)
def test_whatever_places_there_are_a_student_can_be_shown_with_the_place_of_the_day_first(
    events: list[StudentEvent], day: date
) -> None:
    view, number = view_of(*events), day.toordinal()
    answer, stay = student_answer(view, number), view.stay(number)
    assert answer.status == (stay.presence.value if stay else None)
    if answer.enrolments and stay:
        assert (answer.enrolments[0].school_unit, answer.enrolments[0].status) == (
            stay.school_unit,
            stay.presence.value,
        )
    assert bool(answer.enrolments) == (stay is not None and not view.protected)


# Of equal revisions the digest decides, and protection is part of what is digested.
@given(st.lists(PLACES, min_size=1, max_size=4, unique_by=lambda event: event.data.revision), DAYS)
def test_protection_hides_the_unit_and_changes_nothing_of_whether_the_student_is_there(
    events: list[EnrolmentChangedEvent], day: date
) -> None:
    open_places, hidden = [view_of(*(_protected(event, value) for event in events)) for value in (False, True)]
    stay, protected = open_places.stay(day.toordinal()), hidden.stay(day.toordinal())
    assert (stay and stay.presence) == (protected and protected.presence)
    assert protected is None or (protected.school_unit, protected.groups) == (None, ())
    assert open_places.next_change(day.toordinal()) == hidden.next_change(day.toordinal())


def _protected(event: EnrolmentChangedEvent, value: bool) -> EnrolmentChangedEvent:
    return event.model_copy(update={"data": event.data.model_copy(update={"protected": value})})


def test_every_order_of_a_protected_students_events_hides_the_same() -> None:
    events: list[StudentEvent] = [
        risk("s", 1),
        enrolment("s", 1),
        enrolment("s", 2, protected=True),
        enrolment("s", 1, unit="B"),
    ]
    views = [view_of(*order) for order in permutations(events)]
    assert all(view == views[0] for view in views)
    assert views[0].protected
    assert views[0].stays(TODAY) == {NOWHERE: (None, ACTIVE, ())}
    assert views[0].shown_enrolments(TODAY) == []


def test_a_protected_enrolment_leaves_no_unit_or_group_in_the_document() -> None:
    codes: dict[str, Any] = {"unit": "UNITCODE", "groups": ["GROUPCODE"]}
    scored = risk("s", **codes, reasons=[group_absence("GROUPCODE")])
    document = student_document(view_of(scored, enrolment("s", protected=True, coach="staff:CODE", **codes)), 1, TODAY)
    assert "CODE" not in str(document)
    assert document["risk"]["school_unit"] is None
    assert document["places"] == [{"unit": "2480/", "presence": "active", "groups": [], "own": True}]
    assert document["lists"] == ["active", "active 2480/"]


def test_a_group_hidden_by_protection_stays_hidden_whatever_the_order() -> None:
    events: list[StudentEvent] = [
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
    document = student_document(view_of(enrolment("s"), risk("s", **STALE)), 1, TODAY)
    assert document["lists"] == ["active", "stale active", "active 2480/A", "stale active 2480/A"]
    again = student_document(view_of(enrolment("s"), risk("s", 1, **STALE), risk("s", 2)), 1, TODAY)
    assert again["lists"] == ["active", "active 2480/A"]


def test_protection_that_ends_shows_the_unit_again() -> None:
    view = view_of(enrolment("s", 1, protected=True), enrolment("s", 2))
    assert (view.protected, overall(view)) == (False, ("A", ACTIVE))


def test_an_event_without_news_returns_the_same_object() -> None:
    view = view_of(risk("s", 2), enrolment("s", 2))
    for old in (risk("s", 2), risk("s", 1), enrolment("s", 2), enrolment("s", 1)):
        assert merged(view, old) is view


def test_risk_alone_places_the_student_until_an_enrolment_is_known() -> None:
    view = view_of(risk("s", unit="A", groups=["G"]))
    assert view.stays(TODAY) == {A: ("A", ACTIVE, ("G",))}
    assert view.units == {A}
    assert presences(merged(view, enrolment("s", unit="B"))) == {B: ACTIVE}


def test_a_student_who_moved_is_ended_at_the_old_unit_and_active_at_the_new() -> None:
    view = view_of(enrolment("s", 2, status="ended"), enrolment("s", 1, unit="B"))
    assert presences(view) == {A: ENDED, B: ACTIVE}
    assert overall(view) == ("B", ACTIVE)


@pytest.mark.parametrize(("revision", "expected"), [(2, ACTIVE), (1, ENDED)])
def test_two_enrolments_at_one_unit_count_once_by_the_newer_else_the_later_begun(
    revision: int, expected: Presence
) -> None:
    view = view_of(enrolment("s", revision), enrolment("s", 1, starts_on=date(2026, 1, 7), status="ended"))
    assert presences(view) == {A: expected}


def test_a_student_whose_every_enrolment_is_taken_back_is_where_scoring_says() -> None:
    retracted = [enrolment("s", 1), enrolment("s", 2, state="retracted")]
    view, other = view_of(risk("s", unit="B"), *retracted), view_of(*retracted, risk("s", unit="B"))
    assert view == other
    assert presences(view) == {UnitKey(AUTHORITY, "B"): ACTIVE}


def test_retracted_enrolments_take_the_student_off_every_list_where_nothing_names_a_unit() -> None:
    view = view_of(risk("s", unit=None), enrolment("s", 1), enrolment("s", 2, state="retracted"))
    assert (view.stay(TODAY), view.stays(TODAY)) == (None, {})
    document = student_document(view, 1, TODAY)
    assert (document["lists"], document["places"], document["next_change"]) == ([], [], None)


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
    assert read_student(student_document(view, 7, TODAY)) == view
    assert view.pseudonym == pseudonym("s")


def test_only_a_fact_that_comes_after_a_newer_version_is_older_than_known() -> None:
    view = view_of(risk("s", 2), enrolment("s", 2))
    assert is_older_than_known(view, enrolment("s", 1), ZONE)
    for event in (enrolment("s", 2), enrolment("s", 3), enrolment("s", 1, unit="B"), risk("s", 1)):
        assert not is_older_than_known(view, event, ZONE)
    assert not is_older_than_known(None, enrolment("s", 1), ZONE)
    again = enrolment("s", 2, time=noon(MONDAY))
    assert not is_older_than_known(view, again, ZONE)
