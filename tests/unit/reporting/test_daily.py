"""Moving students day by day; over the real database: tests/integration/reporting."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from services.reporting import daily
from services.reporting.daily import Mover
from services.reporting.handlers import StudentWriter
from services.reporting.views import UnitKey
from shared.errors import Outage
from tests.unit.reporting.builders import AUTHORITY, FRIDAY, MONDAY, clock_at, enrolment, pseudonym
from tests.unit.reporting.memory import MarksInMemory, StudentsInMemory

A, B = UnitKey(AUTHORITY, "A"), UnitKey(AUTHORITY, "B")


@pytest.fixture
def students() -> StudentsInMemory:
    return StudentsInMemory()


@pytest.fixture
def units() -> MarksInMemory:
    return MarksInMemory()


async def on_friday(students: StudentsInMemory, units: MarksInMemory) -> None:
    mover = [enrolment("mover", ends_on=FRIDAY), enrolment("mover", unit="B", starts_on=MONDAY)]
    await StudentWriter(students, units, clock_at(FRIDAY)).process([*mover, enrolment("stayer", unit="C")])
    students.writes = 0
    units.marks.clear()


async def test_only_those_who_are_due_are_written_and_their_units_marked(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    await on_friday(students, units)
    written = {}
    for day in (FRIDAY, FRIDAY + timedelta(1), FRIDAY + timedelta(2), MONDAY, date(2026, 12, 24)):
        await Mover(students, units, clock_at(day)).move_due()
        written[day] = students.writes
    assert list(written.values()) == [0, 1, 1, 2, 2]
    assert [marked for marked in units.marks if marked] == [{A, B}, {A, B}]


async def test_units_left_before_an_outage_are_marked_after_it(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    await on_friday(students, units)
    students.outages_after_writing = 1
    mover = Mover(students, units, clock_at(MONDAY))
    with pytest.raises(Outage):
        await mover.move_due()
    assert units.marks == []
    await mover.move_due()
    assert [marked for marked in units.marks if marked] == [{A, B}]
    assert students.days[pseudonym("mover")] == MONDAY.toordinal()


async def test_a_student_who_cannot_be_written_holds_up_nobody(
    students: StudentsInMemory, units: MarksInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily, "MOVED_TOGETHER", 2)
    movers = [enrolment(f"s{number}", ends_on=FRIDAY) for number in range(10)]
    await StudentWriter(students, units, clock_at(FRIDAY)).process(list(movers))
    students.refused = {pseudonym("s0"), pseudonym("s1"), pseudonym("s2")}
    mover = Mover(students, units, clock_at(MONDAY))
    for _ in range(6):
        await mover.move_due()
    assert set(await students.due(MONDAY.toordinal(), 100)) == students.refused
    assert {A} in units.marks


async def test_a_round_that_has_slept_for_days_catches_up_at_once(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    await on_friday(students, units)
    await Mover(students, units, clock_at(MONDAY + timedelta(30))).move_due()
    assert students.writes == 1
    assert await students.due(MONDAY.toordinal() + 30, 10) == []
