"""Of too many places of a student the latest begun count: the same in scoring, notify and reporting, whatever the order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import reduce
from typing import Any, cast
from unittest import mock

import bson
from hypothesis import given, settings
from hypothesis import strategies as st

import services.notify.places
import services.reporting.views
import services.scoring.student
from services.notify.places import Statement, merged, situation, statement_of
from services.notify.store import _statements_write
from services.reporting.documents import student_document
from services.reporting.views import StudentView, merge
from services.scoring.handlers import incoming
from services.scoring.student import from_facts
from shared.events import EnrolmentChangedEvent, places
from shared.events.places import MOST_PLACES, Begun, Place, latest_begun, place_of
from tests import overfull
from tests.builders import MONDAY, STOCKHOLM, enrolment, pseudonym

STUDENT = pseudonym("åsa")
MEBIBYTE = 2**20
FEW = 3

keys = st.lists(st.tuples(st.integers(0, 9), st.text("ab", min_size=1, max_size=2)), unique=True, max_size=12)
events = st.builds(
    lambda day, unit, revision, state, protected: enrolment(
        STUDENT, MONDAY + timedelta(days=day), unit=unit, revision=revision, state=state, protected=protected
    ),
    st.integers(0, 4),
    st.sampled_from("ABC"),
    st.integers(1, 2),
    st.sampled_from(["recorded", "recorded", "retracted"]),
    st.sampled_from([False, False, False, True]),
)


@contextmanager
def few_places() -> Iterator[None]:
    with (
        mock.patch.object(places, "MOST_PLACES", FEW),
        mock.patch.object(services.scoring.student, "MOST_PLACES", FEW),
        mock.patch.object(services.notify.places, "MOST_PLACES", FEW),
        mock.patch.object(services.reporting.views, "MOST_PLACES", FEW),
    ):
        yield


@given(keys, keys)
def test_the_latest_of_two_sets_are_the_latest_of_what_either_keeps(one: list[Begun], other: list[Begun]) -> None:
    def kept(known: list[Begun]) -> set[Begun]:
        return set(latest_begun(set(known), lambda begun: begun))

    with few_places():
        both = kept([*one, *other])
        assert kept([*kept(one), *kept(other)]) == both == kept([*other, *kept(one)])
        assert len(both) <= FEW
        assert all(begun >= min(both) for begun in both)


def in_notify(known: list[EnrolmentChangedEvent]) -> list[Statement]:
    statements: list[Statement] = []
    for event in known:
        statements = merged(statements, statement_of(event.data, event.time, STOCKHOLM)) or statements
    return statements


def in_reporting(known: list[EnrolmentChangedEvent]) -> StudentView:
    view = reduce(lambda view, event: merge(view, event, STOCKHOLM), known, None)
    assert view is not None
    return view


@settings(deadline=None)
@given(st.lists(events, min_size=1, max_size=10), st.data())
def test_all_services_keep_the_same_places_in_any_order(
    known: list[EnrolmentChangedEvent], data: st.DataObject
) -> None:
    order = [*data.draw(st.permutations(known)), *data.draw(st.lists(st.sampled_from(known), max_size=3))]
    with few_places():
        scored = from_facts([incoming(event, STOCKHOLM).kept.fact for event in order])
        views = [in_reporting(each) for each in (known, order)]
        statements = [in_notify(each) for each in (known, order)]
        begun = {place.begun for place in scored.places.values()}
        assert begun == {(item.place.starts_on, key) for key, item in views[0].enrolments.items()}
        assert begun == {each.place.begun for each in statements[0]}
        assert student_document(views[0], 1, MONDAY.toordinal()) == student_document(views[1], 1, MONDAY.toordinal())
        assert statements[0] == statements[1]
        if len({place_of(event.data, event.time, STOCKHOLM).key for event in known}) >= FEW:
            # An earlier place that was left out may have asked for protection.
            assert views[0].protected
            assert situation(statements[0], MONDAY.toordinal(), school_unit=None).protected


def test_a_student_with_very_many_places_takes_little_room_in_notify_and_reporting() -> None:
    known = list(overfull.places(STUDENT, date(2024, 1, 1), 3 * MOST_PLACES))
    views, statements = in_reporting(known), in_notify(known)
    assert len(views.enrolments) == len(statements) == MOST_PLACES
    assert len(bson.encode(student_document(views, 1, MONDAY.toordinal()))) < 2 * MEBIBYTE
    written = _statements_write(STUDENT, {"rev": 1}, statements)
    assert len(bson.encode(cast("dict[str, Any]", written._doc))) < 2 * MEBIBYTE


def test_places_are_begun_later_by_their_first_day_then_by_a_digest_of_their_key() -> None:
    def place(unit: str, day: int) -> Place:
        return Place(unit, day, day, True, False, True, (), (), 1, "")

    assert place("A", 2).begun > place("B", 1).begun
    assert place("A", 1).begun != place("B", 1).begun
