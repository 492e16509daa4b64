"""What becomes of a batch when the database goes away or another replica is faster; for real: tests/integration/reporting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from services.reporting.climate import ClimateStore
from services.reporting.handlers import Handlers, StudentWriter
from services.reporting.signals import SignalStore
from services.reporting.views import UnitKey
from shared import waiting
from shared.errors import Reject
from shared.messaging.batching import Batcher
from tests.unit.reporting.builders import AUTHORITY, MONDAY, climate, clock_at, enrolment, pseudonym, risk, signal
from tests.unit.reporting.memory import MarksInMemory, StudentsInMemory

if TYPE_CHECKING:
    from shared.events import AnyEvent

A, B = UnitKey(AUTHORITY, "A"), UnitKey(AUTHORITY, "B")
CLOCK = clock_at(MONDAY)


class NoClimate(ClimateStore):
    def __init__(self) -> None:
        """Nothing may reach it."""


class NoSignals(SignalStore):
    def __init__(self) -> None:
        """Nothing may reach it."""


def older_than_known(authority: str = AUTHORITY) -> float:
    labels = {"service": "reporting", "authority": authority, "type": "kvar.enrolment.changed.v1"}
    return REGISTRY.get_sample_value("kvar_older_than_known_total", labels) or 0


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
    await StudentWriter(students, units, CLOCK).process([*(risk("s", n) for n in range(1, 9)), enrolment("s")])
    assert students.writes == 1
    [stored] = students.stored.values()
    assert stored.view.risk is not None
    assert stored.view.risk.revision == 8
    assert units.marks == [{A}]


async def test_a_repetition_writes_nothing_but_asks_for_a_count(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    writer = StudentWriter(students, units, CLOCK)
    await writer.process([risk("s")])
    await writer.process([risk("s")])
    assert students.writes == 1
    assert units.marks == [{A}, {A}]


async def test_a_unit_left_before_an_outage_is_counted_after_it(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    writer = StudentWriter(students, units, CLOCK)
    await writer.process([risk("s", 1, unit="A")])
    students.outages_after_writing = 2
    await writer.process([risk("s", 2, unit="B")])
    assert units.marks == [{A}, {A, B}]
    assert students.stored[pseudonym("s")].view.units == {B}


async def test_a_lost_race_is_merged_again_and_loses_neither_side(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    students.faster = [enrolment("s", groups=["G"]), risk("other")]
    await StudentWriter(students, units, CLOCK).process([risk("s", 3), risk("t")])
    view = students.stored[pseudonym("s")].view
    assert view.stays(CLOCK.day)[A].groups == ("G",)
    assert view.risk is not None
    assert view.risk.revision == 3
    assert students.writes == 3


async def test_an_event_that_cannot_be_stored_fails_alone(students: StudentsInMemory, units: MarksInMemory) -> None:
    students.refused = {pseudonym("bad")}
    async with Batcher(StudentWriter(students, units, CLOCK).process, max_size=3, max_wait=0.05) as batcher:
        sent = [batcher.submit(risk(name)) for name in ("s", "bad", "t")]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert students.stored.keys() == {pseudonym("s"), pseudonym("t")}


async def test_what_comes_after_a_newer_version_is_counted_once_whatever_happens_to_the_write(
    students: StudentsInMemory, units: MarksInMemory
) -> None:
    writer = StudentWriter(students, units, CLOCK)
    before = older_than_known()
    students.outages_after_writing = 2
    await writer.process([enrolment("s", 1), enrolment("s", 2), risk("s", 2), risk("s", 1)])
    assert older_than_known() == before
    await writer.process([enrolment("s", 2), enrolment("s", 3), enrolment("s", 1)])
    assert older_than_known() == before + 1


@pytest.mark.parametrize(
    ("queue", "event"),
    [
        pytest.param("risk", enrolment("s"), id="an enrolment among the risks"),
        pytest.param("risk", climate("group:G"), id="climate among the risks"),
        pytest.param("events", risk("s"), id="a risk among the events"),
        pytest.param("events", signal("group:G"), id="a signal among the events"),
    ],
)
async def test_a_type_that_the_queue_does_not_hold_is_refused_at_once(
    students: StudentsInMemory, units: MarksInMemory, queue: str, event: AnyEvent
) -> None:
    async with Batcher(StudentWriter(students, units, CLOCK).process, max_size=1, max_wait=0) as batcher:
        handlers = Handlers(batcher, NoClimate(), NoSignals())
        with pytest.raises(Reject, match=event.type):
            await getattr(handlers, queue)(event)
    assert students.stored == {}
