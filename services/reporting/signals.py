"""Groups and units that worsen together: `group_signals`, one document for each unit, subject and indicator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from services.reporting.views import UnitKey
from shared import mongo
from shared.events import GroupIndicator, GroupSignalChangedEvent, content_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.mongo import Database, Document

_OF_UNIT = "unit:"
SHOWN_AT_MOST = 1_000
UNITS_AT_ONCE = 1_000
"""Asked about in one query."""


@dataclass(frozen=True, slots=True)
class Signal:
    """How a group or unit stands in one indicator. `subject`: `unit:CODE` or `group:CODE`.

    `numbers` have their units in the names; `students`: how many are counted, never fewer than five.
    """

    unit: UnitKey
    subject: str
    indicator: GroupIndicator
    state: Literal["worse", "usual"]
    numbers: dict[str, float | int]
    students: int
    first_day: date
    last_day: date


class SignalStore:
    """Keeps, for each authority, unit, subject and indicator, what the highest `n` says.

    The unit belongs to it: two units may use one code of a group, and count their `n` apart.
    """

    def __init__(self, database: Database) -> None:
        self._signals = database["group_signals"]

    async def ensure_indexes(self) -> None:
        """Creates what finding a unit's signals needs."""
        keys = [("unit", mongo.ASCENDING), ("state", mongo.ASCENDING)]
        await mongo.ensure_indexes(self._signals, [mongo.IndexModel(keys, name="unit_state")])

    async def keep(self, event: GroupSignalChangedEvent) -> None:
        """Stores the event unless one as new is there. A lost race is repeated: the guard then decides.

        Raises:
            Outage: the database is away or the outcome unknown: keep it again.
        """
        document = _document(event)
        key = content_digest([document["unit"], event.subject, event.data.indicator])
        older = {"_id": key, "n": {"$lt": event.data.n}}
        content = {"$set": document}
        outcome = await mongo.bulk_write(self._signals, [mongo.UpdateOne(older, content, upsert=True)])
        if outcome.duplicates:
            await mongo.bulk_write(self._signals, [mongo.UpdateOne(older, content)])

    async def of(self, unit: UnitKey) -> list[Signal]:
        """The signals of a unit and its groups: worse before usual, the unit itself before its groups; of either the newest
        `SHOWN_AT_MOST`.

        Raises:
            Outage: the database is away.
        """
        found: list[Document] = []
        newest = [("to", mongo.DESCENDING), ("_id", mongo.ASCENDING)]
        for state in ("worse", "usual"):
            with mongo.outages():
                query = self._signals.find({"unit": str(unit), "state": state}).sort(newest).limit(SHOWN_AT_MOST)
                found += [item async for item in query]
        return sorted((_read(item) for item in found), key=_order)

    async def worse(self, units: Iterable[UnitKey]) -> dict[UnitKey, int]:
        """How many signals of each unit, its groups included, say worse.

        Raises:
            Outage: the database is away.
        """
        counts = dict.fromkeys(units, 0)
        names = {str(unit): unit for unit in counts}
        keys = list(names)
        for start in range(0, len(keys), UNITS_AT_ONCE):
            query = {"unit": {"$in": keys[start : start + UNITS_AT_ONCE]}, "state": "worse"}
            with mongo.outages():
                async for item in self._signals.find(query, {"unit": 1}):
                    counts[names[item["unit"]]] += 1
        return counts


def _document(event: GroupSignalChangedEvent) -> Document:
    own = event.subject.removeprefix(_OF_UNIT) if event.subject.startswith(_OF_UNIT) else None
    school_unit = own or event.data.school_unit or ""
    return {
        **event.data.model_dump(mode="json", by_alias=True),
        "authority": event.authority,
        "subject": event.subject,
        "school_unit": school_unit,
        "unit": str(UnitKey(event.authority, school_unit)),
    }


def _read(document: dict[str, Any]) -> Signal:
    return Signal(
        unit=UnitKey(document["authority"], document["school_unit"]),
        subject=document["subject"],
        indicator=GroupIndicator(document["indicator"]),
        state=document["state"],
        numbers=document["numbers"],
        students=document["students"],
        first_day=date.fromisoformat(document["from"]),
        last_day=date.fromisoformat(document["to"]),
    )


def _order(signal: Signal) -> tuple[bool, bool, str, str]:
    return signal.state != "worse", not signal.subject.startswith(_OF_UNIT), signal.subject, signal.indicator
