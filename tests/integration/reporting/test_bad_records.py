"""A view that cannot be read holds up no round: all other students are moved, all other units counted."""

from __future__ import annotations

import pytest

from services.reporting import daily
from services.reporting.counting import UnitCounter
from services.reporting.daily import Mover
from services.reporting.handlers import StudentWriter
from services.reporting.store import StudentStore, UnitStore
from services.reporting.views import UnitKey
from shared import mongo
from tests.integration.reporting.test_places import own
from tests.unit.reporting.builders import FRIDAY, MONDAY, clock_at, enrolment, pseudonym, risk

pytestmark = pytest.mark.integration
__all__ = ["own"]


async def test_students_behind_unreadable_ones_are_moved(own: mongo.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "MOVED_TOGETHER", 2)
    students, units = StudentStore(own), UnitStore(own)
    names = [pseudonym(f"s{number}") for number in range(8)]
    places = [enrolment(f"s{number}", ends_on=FRIDAY) for number in range(8)]
    await StudentWriter(students, units, clock_at(FRIDAY)).process(list(places))
    await own["student_views"].update_many({"_id": {"$in": names[:3]}}, {"$set": {"enrolments": {"x": {}}}})
    mover = Mover(students, units, clock_at(MONDAY))
    for _ in range(6):
        await mover.move_due()
    assert set(await students.due(MONDAY.toordinal(), 100)) == set(names[:3])


async def test_units_beside_one_that_cannot_be_counted_are_counted(own: mongo.Database) -> None:
    students, units = StudentStore(own), UnitStore(own)
    writer = StudentWriter(students, units, clock_at(MONDAY))
    await writer.process([enrolment("a", unit="A"), enrolment("b", unit="B"), enrolment("c", unit="C"), risk("a", 1)])
    await own["student_views"].update_one({"_id": pseudonym("a")}, {"$set": {"level": "no level"}})
    await UnitCounter(students, units, clock_at(MONDAY)).count_marked()
    assert [mark.unit for mark in await units.marked()] == [UnitKey("2480", "A")]
    assert {unit.key.school_unit for unit in await units.units()} == {"B", "C"}
