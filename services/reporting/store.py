"""Reporting's collections: `student_views`, `unit_views`, `climate_views`.

`student_views` is written by compare-and-set on `rev`: whoever loses reads again and merges again. In which lists a student
stands is stored as of the day of writing, with the day on which that changes next. A unit's numbers are counted afresh from
its students, never added up: after each write the unit is *marked*, and whoever counts it clears the mark only if it is still
the one seen before counting.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from services.reporting import documents
from services.reporting.units import UnitCounts
from services.reporting.views import StudentView, UnitKey, order_range
from shared import mongo
from shared.events import Level
from shared.events.places import Presence

if TYPE_CHECKING:
    from shared.mongo import Database, Document

NEW = 0
"""The `rev` of a student who is not stored yet."""
MARKS_AT_ONCE = 100
"""Units of one authority that are counted in one round: after some seconds those of the others are looked at again."""
MOST_UNITS = 5_000
"""Units of one authority that are listed; the largest authorities have some dozens of schools."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A view with the `rev` it was read at."""

    view: StudentView
    rev: int


class StudentStore:
    """One document for each student."""

    def __init__(self, database: Database) -> None:
        self._students = database["student_views"]

    async def ensure_indexes(self) -> None:
        """Creates what listing and counting need, students of a list in the order of need, and what finding those due needs."""
        keys = [("lists", mongo.ASCENDING), ("order", mongo.ASCENDING)]
        due = mongo.IndexModel([("next_change", mongo.ASCENDING)], name="next_change")
        await mongo.ensure_indexes(self._students, [mongo.IndexModel(keys, name="lists_order"), due])

    async def read(self, pseudonyms: Iterable[str]) -> dict[str, Stored]:
        """The students that are stored, by pseudonym.

        Raises:
            Outage: the database is away.
        """
        with mongo.outages():
            found = await self._students.find({"_id": {"$in": list(pseudonyms)}}).to_list(None)
        return _stored(found)

    async def due(self, day: int, limit: int) -> list[str]:
        """Students whose lists no longer hold on this day.

        Raises:
            Outage: the database is away.
        """
        with mongo.outages():
            found = await self._students.find(_due_on(day), {"_id": 1}).limit(limit).to_list(None)
        return [item["_id"] for item in found]

    async def read_due(self, pseudonyms: Iterable[str], day: int) -> dict[str, Stored]:
        """Those of the students whose lists no longer hold on this day, by pseudonym.

        Raises:
            Outage: the database is away.
        """
        query = {"_id": {"$in": list(pseudonyms)}, **_due_on(day)}
        with mongo.outages():
            return _stored(await self._students.find(query).to_list(None))

    async def write(self, changed: Mapping[str, Stored], day: int) -> set[str]:
        """Replaces each student whose `rev` is still the one read; returns those where another replica was faster.

        `day`: the day on which the lists shall hold.

        Raises:
            Outage: the database is away or the outcome unknown: read again before repeating.
        """
        order = list(changed)
        operations: list[mongo.WriteOperation] = [
            mongo.ReplaceOne(
                {"_id": name, "rev": changed[name].rev},
                documents.student_document(changed[name].view, changed[name].rev + 1, day),
                upsert=True,
            )
            for name in order
        ]
        outcome = await mongo.bulk_write(self._students, operations)
        return {order[position] for position in outcome.duplicates}

    async def page(
        self,
        *,
        presence: Presence,
        unit: UnitKey | None,
        levels: Iterable[Level | None],
        stale: bool = False,
        after: str,
        limit: int,
    ) -> list[StudentView]:
        """The next students of a list, most at risk first, `after` the `order` of the last one seen. `stale`: only stale ones.

        One query for each level, since the embedded database sorts all that matches before it cuts off: asked for a whole
        authority it would read every student to show fifty.

        Raises:
            Outage: the database is away.
        """
        views: list[StudentView] = []
        for level in sorted(levels, key=order_range):
            first, end = order_range(level)
            if len(views) >= limit or after >= end:
                continue
            above = {"$gt": after} if after >= first else {"$gte": first}
            query = {"lists": documents.list_of(presence, unit, stale=stale), "order": {**above, "$lt": end}}
            with mongo.outages():
                cursor = self._students.find(query).sort("order", mongo.ASCENDING).limit(limit - len(views))
                views += [documents.read_student(item) for item in await cursor.to_list(None)]
        return views

    async def rows_of(self, unit: UnitKey) -> AsyncIterator[Document]:
        """What counting needs of every student of a unit, one after the other.

        Raises:
            Outage: the database is away.
        """
        lists = [documents.list_of(presence, unit) for presence in Presence]
        with mongo.outages():
            async for row in self._students.find({"lists": {"$in": lists}}, documents.ROW_FIELDS):
                yield row


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """A unit's numbers and when they were counted."""

    key: UnitKey
    counts: UnitCounts
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """A unit that waits to be counted, and the token of the newest reason for it."""

    unit: UnitKey
    token: str


class UnitStore:
    """One document for each unit that any student ever stood in."""

    def __init__(self, database: Database) -> None:
        self._units = database["unit_views"]

    async def ensure_indexes(self) -> None:
        """Creates what finding marked units, units due for a recount, and a unit by its code need."""
        fields = ("marked", "counted_at", "school_unit", "authority")
        await mongo.ensure_indexes(
            self._units, [mongo.IndexModel([(name, mongo.ASCENDING)], name=name) for name in fields]
        )

    async def mark(self, units: Iterable[UnitKey]) -> None:
        """Asks for a count of these units. Call it after the students are written.

        A duplicate key means that another replica marked the new unit in the same moment, later than our students were
        written: its mark serves us too.

        Raises:
            Outage: the database is away or the outcome unknown: mark again.
        """
        token = secrets.token_hex(8)
        operations: list[mongo.WriteOperation] = [
            mongo.UpdateOne(
                {"_id": str(unit)},
                {
                    "$set": {"marked": True, "token": token},
                    "$setOnInsert": {"authority": unit.authority, "school_unit": unit.school_unit},
                },
                upsert=True,
            )
            for unit in units
        ]
        await mongo.bulk_write(self._units, operations)

    async def marked(self) -> list[Mark]:
        """Units that wait to be counted; some of them where they are very many, those of all authorities in turn.

        Raises:
            Outage: the database is away.
        """
        return await self._marks({"marked": True})

    async def counted_before(self, moment: datetime) -> list[Mark]:
        """Units that nobody has counted since the moment; see `marked`.

        Raises:
            Outage: the database is away.
        """
        return await self._marks({"counted_at": {"$lt": moment}})

    async def _marks(self, query: Document) -> list[Mark]:
        found: dict[str, list[Mark]] = defaultdict(list)
        with mongo.outages():
            async for item in self._units.find(query, {"authority": 1, "school_unit": 1, "token": 1}):
                of_authority = found[item["authority"]]
                if len(of_authority) < MARKS_AT_ONCE:
                    of_authority.append(Mark(_key(item), item["token"]))
        return [mark for each in zip_longest(*found.values()) for mark in each if mark is not None]

    async def write(self, mark: Mark, counts: UnitCounts, now: datetime) -> None:
        """Stores numbers counted after `mark` was read. Under a newer mark they are shown, and the unit stays marked.

        Raises:
            Outage: the database is away or the outcome unknown: the mark is still there, count again.
        """
        numbers = {**documents.counts_document(counts), "counted_at": now}
        key = str(mark.unit)
        with mongo.outages():
            done = await self._units.update_one(
                {"_id": key, "token": mark.token}, {"$set": {**numbers, "marked": False}}
            )
            if not done.matched_count:
                await self._units.update_one({"_id": key}, {"$set": {**numbers, "marked": True}})

    async def units(self) -> list[UnitRecord]:
        """All units with students, by authority and code, without their groups; of an authority the first `MOST_UNITS`.

        Raises:
            Outage: the database is away.
        """
        found: dict[str, list[UnitRecord]] = defaultdict(list)
        with mongo.outages():
            async for item in self._units.find({"students": {"$gt": 0}}, {"groups": 0}):
                of_authority = found[item["authority"]]
                of_authority.append(_record(item))
                if len(of_authority) > 2 * MOST_UNITS:
                    of_authority.sort(key=_order)
                    del of_authority[MOST_UNITS:]
        first = [record for each in found.values() for record in sorted(each, key=_order)[:MOST_UNITS]]
        return sorted(first, key=_order)

    async def own_groups(self, record: UnitRecord) -> set[str]:
        """Groups of the unit's active students whose code no other unit of the authority uses.

        Raises:
            Outage: the database is away.
        """
        own = set(record.counts.groups)
        query = {"authority": record.key.authority, "students": {"$gt": 0}}
        with mongo.outages():
            async for item in self._units.find(query, {"authority": 1, "school_unit": 1, "groups": 1}):
                if _key(item) != record.key:
                    own.difference_update(item["groups"])
        return own

    async def find(self, school_unit: str) -> list[UnitRecord]:
        """Units with this code: one, unless several authorities use it.

        Raises:
            Outage: the database is away.
        """
        query = {"school_unit": school_unit, "students": {"$gt": 0}}
        with mongo.outages():
            return sorted([_record(item) async for item in self._units.find(query)], key=_order)


def _due_on(day: int) -> Document:
    """With a lower bound, since the embedded database would else walk through all those who have no next change."""
    return {"next_change": {"$gt": 0, "$lte": day}}


def _stored(found: Iterable[Document]) -> dict[str, Stored]:
    return {item["_id"]: Stored(documents.read_student(item), item["rev"]) for item in found}


def _record(document: Document) -> UnitRecord:
    return UnitRecord(_key(document), documents.read_counts(document), document["counted_at"])


def _order(record: UnitRecord) -> str:
    return str(record.key)


def _key(document: Document) -> UnitKey:
    return UnitKey(document["authority"], document["school_unit"])
