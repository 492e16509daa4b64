"""Counting units and judging how fresh they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from services.reporting.documents import counts_document, read_counts, read_row, student_document
from services.reporting.store import UnitRecord
from services.reporting.unit_models import newest_registers
from services.reporting.units import Row, freshness, weekdays_between
from services.reporting.views import UnitKey
from shared.events import Level
from shared.events.places import MOST_GROUPS_OF_UNIT, Presence
from tests.unit.reporting.builders import FRIDAY, MONDAY, count, enrolment, risk, view_of

if TYPE_CHECKING:
    from services.reporting.views import StudentEvent
    from shared.mongo import Document

ACTIVE, PAUSED, ENDED, UPCOMING = Presence


def document_of(*events: StudentEvent) -> Document:
    return student_document(view_of(*events), 1, MONDAY.toordinal())


def test_levels_and_freshness_are_those_of_active_students() -> None:
    counts = count(
        [
            Row(ACTIVE, Level.UNIVERSAL, date(2026, 11, 18), ("G1",)),
            Row(ACTIVE, Level.UNIVERSAL, date(2026, 11, 19), ("G2", "G1")),
            Row(ACTIVE, Level.INDIVIDUAL, None),
            Row(ACTIVE, None, None),
            Row(PAUSED, Level.TARGETED, FRIDAY, ("G3",)),
            Row(ENDED, Level.INDIVIDUAL, FRIDAY),
            Row(UPCOMING, Level.TARGETED, FRIDAY, ("G4",)),
            Row(UPCOMING, None, None),
        ]
    )
    assert (counts.active, counts.paused, counts.ended, counts.upcoming, counts.students) == (4, 1, 1, 2, 8)
    assert counts.levels == {Level.UNIVERSAL: 2, Level.TARGETED: 0, Level.INDIVIDUAL: 1}
    assert counts.without_data == 1
    assert sum(counts.levels.values()) + counts.without_data == counts.active
    assert counts.fresh_until == date(2026, 11, 19)
    assert counts.groups == ("G1", "G2")
    assert counts.share(Level.UNIVERSAL) == 0.6667


def test_a_guests_registers_do_not_make_up_for_those_that_the_unit_forgets() -> None:
    guest, forgotten = Row(ACTIVE, None, FRIDAY, own=False), Row(ACTIVE, None, date(2026, 10, 19))
    assert count([guest, forgotten]).fresh_until == date(2026, 10, 19)
    assert count([guest, Row(ACTIVE, None, None)]).fresh_until is None
    assert count([guest]).fresh_until == FRIDAY
    assert count([guest, Row(ENDED, None, date(2026, 10, 19))]).fresh_until == FRIDAY


def test_only_active_students_without_register_are_counted() -> None:
    rows = [
        Row(ACTIVE, Level.TARGETED, FRIDAY, stale=True),
        Row(ACTIVE, None, None),
        Row(ENDED, None, None, stale=True),
    ]
    assert count(rows).not_registered == 1


def test_a_row_is_stale_when_the_risk_says_so() -> None:
    document = document_of(risk("s", stale_since=FRIDAY))
    assert read_row(document, UnitKey("2480", "A")) == Row(ACTIVE, Level.UNIVERSAL, FRIDAY, (), stale=True)


def test_a_unit_without_students_has_no_shares() -> None:
    counts = count([])
    assert (counts.students, counts.fresh_until, counts.share(Level.TARGETED)) == (0, None, None)


def test_counts_survive_the_database() -> None:
    counts = count(
        [Row(ACTIVE, Level.TARGETED, FRIDAY, ("Ö1",), stale=True), Row(ENDED, None, None), Row(UPCOMING, None, None)]
    )
    assert read_counts(counts_document(counts)) == counts


@pytest.mark.parametrize("code", ["A", "A B", "2480/A", "active 2480/A", "x 2480/A", "Ånge & <b>"])
def test_a_row_is_read_for_its_own_unit_whatever_its_code_looks_like(code: str) -> None:
    document = document_of(enrolment("s", unit="A", status="ended"), enrolment("s", unit=code, revision=2))
    assert read_row(document, UnitKey("2480", code)).presence is ACTIVE
    assert read_row(document, UnitKey("2480", "A")).presence is (ACTIVE if code == "A" else ENDED)


def test_a_student_at_two_units_lends_neither_the_groups_of_the_other() -> None:
    document = document_of(enrolment("s", groups=["NA24B"]), enrolment("s", unit="B", groups=["SPA2"], main=False))
    rows = {unit: read_row(document, UnitKey("2480", unit)) for unit in "AB"}
    assert {unit: (row.presence, row.groups, row.own) for unit, row in rows.items()} == {
        "A": (ACTIVE, ("NA24B",), True),
        "B": (ACTIVE, ("SPA2",), False),
    }


def test_a_row_without_a_risk_has_no_level() -> None:
    document = document_of(enrolment("s"))
    assert read_row(document, UnitKey("2480", "A")) == Row(ACTIVE, None, None, ("NA24B",))


def test_a_row_has_the_level_of_the_risk() -> None:
    document = document_of(risk("s", level=Level.TARGETED))
    assert read_row(document, UnitKey("2480", "A")) == Row(ACTIVE, Level.TARGETED, FRIDAY, ())


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        pytest.param(date(2026, 11, 20), date(2026, 11, 20), 0, id="same day"),
        pytest.param(date(2026, 11, 20), date(2026, 11, 22), 0, id="over the weekend"),
        pytest.param(date(2026, 11, 20), date(2026, 11, 23), 1, id="Friday to Monday"),
        pytest.param(date(2026, 11, 20), date(2026, 11, 27), 5, id="a week"),
        pytest.param(date(2026, 11, 21), date(2026, 12, 7), 11, id="Saturday to Monday two weeks on"),
        pytest.param(date(2026, 11, 23), date(2026, 11, 20), 0, id="not later"),
    ],
)
def test_weekdays_between(earlier: date, later: date, expected: int) -> None:
    assert weekdays_between(earlier, later) == expected


@pytest.mark.parametrize(
    ("fresh_until", "behind", "stale"),
    [
        pytest.param(date(2026, 11, 20), 0, False, id="as new as the newest"),
        pytest.param(date(2026, 11, 19), 1, False, id="the register of today is not taken yet"),
        pytest.param(date(2026, 11, 18), 2, True, id="two weekdays behind"),
        pytest.param(None, None, True, id="no register at all"),
    ],
)
def test_freshness(fresh_until: date | None, behind: int | None, stale: bool) -> None:
    found = freshness(fresh_until, FRIDAY)
    assert (found.weekdays_behind, found.stale) == (behind, stale)


def test_where_students_name_more_groups_than_any_school_has_none_is_listed_in_whatever_order_they_come() -> None:
    each = [Row(ACTIVE, None, None, (f"A{n}", f"B{n}")) for n in range(MOST_GROUPS_OF_UNIT // 2)]
    one_more = Row(ACTIVE, None, None, ("C",))
    assert len(count(each).groups) == MOST_GROUPS_OF_UNIT
    assert count([*each, *each]).groups == count(each).groups
    assert count([*each, one_more]).groups == count([one_more, *reversed(each)]).groups == ()
    assert count([*each, one_more]).active == MOST_GROUPS_OF_UNIT // 2 + 1


def test_a_register_for_tomorrow_makes_no_other_unit_late() -> None:
    days = {"A": MONDAY + timedelta(days=1), "B": MONDAY, "C": FRIDAY}
    records = [
        UnitRecord(
            UnitKey("2480", unit), count([Row(ACTIVE, Level.UNIVERSAL, day)]), datetime(2026, 11, 23, tzinfo=UTC)
        )
        for unit, day in days.items()
    ]
    newest = newest_registers(records, MONDAY)
    behind = {unit: freshness(day, newest["2480"]).weekdays_behind for unit, day in days.items()}
    assert behind == {"A": 0, "B": 0, "C": 1}
