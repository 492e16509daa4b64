"""What becomes of a batch when the database goes away or another replica is faster; for real: tests/integration/reporting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pytest

from services.reporting.handlers import StudentWriter
from services.reporting.store import NEW, Stored, StudentStore, UnitStore
from services.reporting.views import UnitKey, merge
from shared import waiting
from shared.errors import Outage
from shared.messaging.batching import Batcher
from tests.unit.reporting.builders import AUTHORITY, enrolment, pseudonym, risk

if TYPE_CHECKING:
    from services.reporting.views import StudentEvent

A, B = UnitKey(AUTHORITY, "A"), UnitKey(AUTHORITY, "B")


class StudentsInMemory(StudentStore):
    """Obeys the contract of the store. `outages_after_writing`: how often the answer to a write is lost.

    `refused`: a student whose document the database does not take.
    """

    def __init__(self) -> None:
        self.stored: dict[str, Stored] = {}
        self.writes = 0
        self.outages_after_writing = 0
        self.refused = ""
        self.faster: list[StudentEvent] = []

    async def read(self, pseudonyms: Iterable[str]) -> dict[str, Stored]:
        found = {name: self.stored[name] for name in pseudonyms if name in self.stored}
        for event in self.faster:
            known = self.stored.get(event.subject)
            view = merge(known.view if known else None, event)
            self.stored[event.subject] = Stored(view, (known.rev if known else NEW) + 1)
        self.faster = []
        return found

    async def write(self, changed: Mapping[str, Stored]) -> set[str]:
        if self.refused in changed:
            raise ValueError("a document that the database refuses")
        self.writes += len(changed)
        lost = set()
        for name, item in changed.items():
            if item.rev != (self.stored[name].rev if name in self.stored else NEW):
                lost.add(name)
            else:
                self.stored[name] = Stored(item.view, item.rev + 1)
        if self.outages_after_writing:
            self.outages_after_writing -= 1
            raise Outage("the answer was lost")
        return lost


class MarksInMemory(UnitStore):
    def __init__(self) -> None:
        self.marks: list[set[UnitKey]] = []

    async def mark(self, units: Iterable[UnitKey]) -> None:
        self.marks.append(set(units))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE_SECONDS", 0.001)


@pytest.fixture
def students() -> StudentsInMemory:
    return StudentsInMemory()


@pytest.fixture
def units() -> MarksInMemory:
    return MarksInMemory()


async def test_a_batch_writes_each_student_once(students: StudentsInMemory, units: MarksInMemory) -> None:
    await StudentWriter(students, units).process([*(risk("s", n) for n in range(1, 9)), enrolment("s")])
    assert students.writes == 1
    [stored] = students.stored.values()
    assert stored.view.risk is not None
    assert stored.view.risk.revision == 8
    assert units.marks == [{A}]


async def test_a_repetition_writes_nothing_but_asks_for_a_count(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    writer = StudentWriter(students, units)
    await writer.process([risk("s")])
    await writer.process([risk("s")])
    assert students.writes == 1
    assert units.marks == [{A}, {A}]


async def test_a_unit_left_before_an_outage_is_counted_after_it(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    writer = StudentWriter(students, units)
    await writer.process([risk("s", 1, unit="A")])
    students.outages_after_writing = 2
    await writer.process([risk("s", 2, unit="B")])
    assert units.marks == [{A}, {A, B}]
    assert students.stored[pseudonym("s")].view.places.keys() == {B}


async def test_a_lost_race_is_merged_again_and_loses_neither_side(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    students.faster = [enrolment("s", groups=["G"]), risk("other")]
    await StudentWriter(students, units).process([risk("s", 3), risk("t")])
    view = students.stored[pseudonym("s")].view
    assert view.groups == ("G",)
    assert view.risk is not None
    assert view.risk.revision == 3
    assert students.writes == 3


async def test_an_event_that_cannot_be_stored_fails_alone(students: StudentsInMemory, units: MarksInMemory) -> None:
    students.refused = pseudonym("bad")
    async with Batcher(StudentWriter(students, units).process, max_size=3, max_wait=0.05) as batcher:
        sent = [batcher.submit(risk(name)) for name in ("s", "bad", "t")]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert students.stored.keys() == {pseudonym("s"), pseudonym("t")}
