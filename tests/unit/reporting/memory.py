"""The stores that writing students needs, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.reporting.store import NEW, Stored, StudentStore, UnitStore
from shared.errors import Outage
from tests.unit.reporting.builders import merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.reporting.views import StudentEvent, UnitKey


class StudentsInMemory(StudentStore):
    """Obeys the contract of the store. `outages_after_writing`: how often the answer to a write is lost.

    `refused`: students whose documents the database does not take.
    """

    def __init__(self) -> None:
        self.stored: dict[str, Stored] = {}
        self.days: dict[str, int] = {}
        self.writes = 0
        self.outages_after_writing = 0
        self.refused: set[str] = set()
        self.faster: list[StudentEvent] = []
        self.faster_day = 0

    async def read(self, pseudonyms: Iterable[str]) -> dict[str, Stored]:
        found = {name: self.stored[name] for name in pseudonyms if name in self.stored}
        for event in self.faster:
            known = self.stored.get(event.subject)
            view = merged(known.view if known else None, event)
            self.stored[event.subject] = Stored(view, (known.rev if known else NEW) + 1)
            self.days[event.subject] = self.faster_day
        self.faster = []
        return found

    async def due(self, day: int, limit: int) -> list[str]:
        changes = {name: item.view.next_change(self.days[name]) for name, item in self.stored.items()}
        return [name for name, change in changes.items() if change is not None and change <= day][:limit]

    async def read_due(self, pseudonyms: Iterable[str], day: int) -> dict[str, Stored]:
        due = await self.due(day, len(self.stored))
        return {name: self.stored[name] for name in pseudonyms if name in due}

    async def write(self, changed: Mapping[str, Stored], day: int) -> set[str]:
        if self.refused & changed.keys():
            raise ValueError("a document that the database refuses")
        self.writes += len(changed)
        lost = set()
        for name, item in changed.items():
            if item.rev != (self.stored[name].rev if name in self.stored else NEW):
                lost.add(name)
            else:
                self.stored[name] = Stored(item.view, item.rev + 1)
                self.days[name] = day
        if self.outages_after_writing:
            self.outages_after_writing -= 1
            raise Outage("the answer was lost")
        return lost


class MarksInMemory(UnitStore):
    def __init__(self) -> None:
        self.marks: list[set[UnitKey]] = []

    async def mark(self, units: Iterable[UnitKey]) -> None:
        self.marks.append(set(units))
