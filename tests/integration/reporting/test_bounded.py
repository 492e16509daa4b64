"""What is read of many units at once has a largest size, and none of them hinders another, on a real database."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from services.reporting import signals, store
from services.reporting.counting import UnitCounter
from services.reporting.handlers import StudentWriter
from services.reporting.signals import SignalStore
from services.reporting.store import StudentStore, UnitStore
from services.reporting.views import UnitKey
from shared import mongo
from tests.unit.reporting.builders import FRIDAY, clock_at, enrolment, signal

pytestmark = pytest.mark.integration

CLOCK = clock_at(FRIDAY)
SMALL, LARGE = "0180", "2480"


@pytest.fixture
async def own(mongo_url: str) -> AsyncIterator[mongo.Database]:
    opened = mongo.connect(mongo_url, f"reporting_{secrets.token_hex(6)}", service="test")
    await StudentStore(opened).ensure_indexes()
    await UnitStore(opened).ensure_indexes()
    yield opened
    opened.client.close()


async def many_units(own: mongo.Database, number: int) -> None:
    """Each with a student; and one unit of another authority, stored last."""
    names = [f"unit {n}" for n in range(number, 0, -1)]
    events = [enrolment(f"s{n}", unit=name) for n, name in enumerate(names)]
    last = enrolment("t", unit="unit 0").model_copy(update={"authority": SMALL})
    await StudentWriter(StudentStore(own), UnitStore(own), CLOCK).process([*events, last])


async def test_units_of_all_authorities_are_counted_in_turn(
    own: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MARKS_AT_ONCE", 3)
    await many_units(own, 8)
    units = UnitStore(own)
    marked = [mark.unit.authority for mark in await units.marked()]
    assert marked.index(SMALL) < 2
    assert len(marked) == 4
    counter = UnitCounter(StudentStore(own), units, CLOCK)
    for _ in range(3):
        await counter.count_marked()
    assert await units.marked() == []
    assert len(await units.units()) == 9


async def test_of_very_many_units_of_an_authority_the_first_are_listed(
    own: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many_units(own, 8)
    units = UnitStore(own)
    await UnitCounter(StudentStore(own), units, CLOCK).count_marked()
    monkeypatch.setattr(store, "MOST_UNITS", 2)
    assert [str(record.key) for record in await units.units()] == ["0180/unit 0", "2480/unit 1", "2480/unit 2"]


async def test_a_unit_that_cannot_be_counted_hinders_no_other(own: mongo.Database) -> None:
    await many_units(own, 3)
    await own["student_views"].update_one(
        {"lists": "active 2480/unit 2"}, {"$set": {"places": "not as they should be"}}
    )
    units = UnitStore(own)
    await UnitCounter(StudentStore(own), units, CLOCK).count_marked()
    assert [mark.unit for mark in await units.marked()] == [UnitKey(LARGE, "unit 2")]
    assert len(await units.units()) == 3


async def test_of_very_many_signals_of_a_unit_the_newest_are_shown(
    own: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "SHOWN_AT_MOST", 2)
    kept = SignalStore(own)
    await kept.ensure_indexes()
    for n in range(4):
        await kept.keep(signal(f"group:{n}", 1, unit="A"))
    assert len(await kept.of(UnitKey(LARGE, "A"))) == 2
