"""How often a batch asks the database, counted on the wire."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pymongo import monitoring

from services.scoring.store import ScoringStore
from shared.events import AnyEvent
from shared.messaging import topology
from tests.builders import AUTHORITY, MONDAY, attendance, enrolment, pseudonym, school_days
from tests.integration.scoring.stage import Publisher, Stage, batch, expected, last_scores

pytestmark = pytest.mark.integration

STUDENTS = [pseudonym(f"elev {n}") for n in range(300)]
DAYS = school_days(MONDAY, 12)
LAST_WEEK = DAYS[5]


class Wire(monitoring.CommandListener):
    """Counts the commands of all clients made after it was registered, by command and collection."""

    def __init__(self) -> None:
        self.commands: Counter[tuple[str, str]] = Counter()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        named = event.command.get("collection" if event.command_name == "getMore" else event.command_name)
        self.commands[event.command_name, str(named)] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    listener = Wire()
    known: Any = monitoring._LISTENERS
    monkeypatch.setattr(
        monitoring, "_LISTENERS", known._replace(command_listeners=[*known.command_listeners, listener])
    )
    return listener


async def test_corrections_from_last_week_of_300_students_cost_one_query(stage: Stage, wire: Wire) -> None:
    publisher = Publisher()
    rescoring, store = stage.rescoring(publisher), ScoringStore(stage.database())
    await store.prepare()
    events: list[AnyEvent] = [enrolment(student) for student in STUDENTS]
    events += [attendance(student, day, unexcused=60) for student in STUDENTS for day in DAYS]
    await rescoring.process(batch(events))
    records = await store.read_students(dict.fromkeys(STUDENTS, AUTHORITY))
    assert all(LAST_WEEK.toordinal() not in record.state.open for record in records.values())
    wire.commands.clear()
    corrections = [attendance(student, LAST_WEEK, revision=2) for student in STUDENTS]
    await rescoring.process(batch(corrections))
    many = without_rules(wire)
    assert (many["find", "scoring_facts"], many["getMore", "scoring_facts"]) == (1, 0)
    scores = [body for key, _, body in publisher.published if key == topology.SCORED_KEY]
    assert last_scores(scores) == expected([*events, *corrections])
    wire.commands.clear()
    await rescoring.process(batch([attendance(student, LAST_WEEK, excused=60, revision=3) for student in STUDENTS[:3]]))
    assert many == without_rules(wire), "for many students not oftener than for few"


def without_rules(wire: Wire) -> Counter[tuple[str, str]]:
    """Rules are looked up every few seconds, whatever the batch."""
    return Counter({name: times for name, times in wire.commands.items() if name[1] != "scoring_rules"})
