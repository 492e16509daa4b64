"""Scoring's collections of signals and climate reports, and what signals read of students.

`scoring_signals` holds one document a school unit, written by compare-and-set on `rev`:
{_id: "2480|gy-aspen", rev, authority, school_unit, groups: […], said: {subject: {n, worse}}, forgotten, outbox,
holder, held_until, computed_at, answered}. `answered` tells up to which asking (`scoring_asked`) the unit was computed.
`scoring_climate` is append-only, one document for each version.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from services.scoring import signal_documents
from services.scoring.climate import Version
from services.scoring.records import OutboxEntry, Unit
from services.scoring.signal_documents import KeptReport, Seen, UnitRecord
from services.scoring.signal_messages import subject_key
from shared import mongo

STUDENTS_AT_A_TIME = 50
LONG_STATE = 200_000
"""Characters of a student's state that take some milliseconds to read: after each such one others may go on."""
KEYS_AT_A_TIME = 200
STRANDED_AT_ONCE = 20
"""Units whose outboxes are read together."""
USERS_AT_MOST = 100
"""Units with one code of a group that matter: a report that names no unit is nobody's when there are two."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Head:
    """What a round must know of a unit. `worse`: how many signals stand, by indicator."""

    unit: Unit
    computed_at: datetime
    answered: int
    worse: Mapping[str, int]


class Reports(NamedTuple):
    """Versions of climate reports by subject: of those that name their unit, and of those that name none."""

    named: dict[str, list[Version]]
    unnamed: dict[str, list[Version]]


class SignalStore:
    """Reads and writes of signals. Every method may raise `Outage`."""

    def __init__(self, database: mongo.Database) -> None:
        self._students = database["scoring_students"]
        self._units = database["scoring_signals"]
        self._climate = database["scoring_climate"]

    async def prepare(self) -> None:
        """Creates the indexes."""
        await mongo.ensure_indexes(
            self._units,
            [
                mongo.IndexModel([("authority", mongo.ASCENDING), ("groups", mongo.ASCENDING)], name="groups"),
                mongo.IndexModel([("outbox.since", mongo.ASCENDING)], name="outbox_since", sparse=True),
            ],
        )
        keys = [("key", mongo.ASCENDING), ("period", mongo.ASCENDING)]
        await mongo.ensure_indexes(self._climate, [mongo.IndexModel(keys, name="key_period")])

    async def heads(self, units: Collection[Unit]) -> dict[Unit, Head]:
        """Of those of the units that have been computed."""
        fields = ("authority", "school_unit", "computed_at", "answered", "worse")
        query = {"_id": {"$in": [unit.key for unit in units]}}
        with mongo.outages():
            found = [_head(document) async for document in self._units.find(query, dict.fromkeys(fields, 1))]
        return {head.unit: head for head in found}

    async def take(
        self, unit: Unit, holder: str, now: datetime, *, until: datetime, idle_since: datetime
    ) -> UnitRecord | None:
        """Holds a unit for a while; nothing when another does, or when it was computed after `idle_since`.

        Two that hold it do the same work twice, no more.
        """
        with mongo.outages():
            document = await self._units.find_one({"_id": unit.key})
        known: Mapping[str, Any] = document or {"rev": 0}
        is_held = known.get("held_until", LONG_AGO) > now and known["holder"] != holder
        if is_held or known.get("computed_at", LONG_AGO) > idle_since:
            return None
        record = signal_documents.unit_record(unit, known)
        fields = {"authority": unit.authority, "school_unit": unit.code, "holder": holder, "held_until": until}
        return record if await self._write(record, {"$set": fields}, upsert=document is None) else None

    async def write(self, record: UnitRecord, entries: Sequence[tuple[str, OutboxEntry]], until: datetime) -> bool:
        """Writes what is said now, with the messages that say it; False when another has overtaken."""
        update: dict[str, Any] = {"$set": {**signal_documents.said_fields(record), "held_until": until}}
        if entries:
            update["$push"] = {"outbox": {"$each": signal_documents.outbox_fields(entries)}}
        return await self._write(record, update)

    async def write_groups(self, record: UnitRecord, groups: Sequence[str]) -> bool:
        """Notes which groups the unit has; False when another has overtaken."""
        return await self._write(record, {"$set": {"groups": list(groups)}})

    async def finish(self, record: UnitRecord, now: datetime, answered: int | None) -> None:
        """Lets go of a unit after it was computed, with all that follows from it; never mind when another has overtaken."""
        fields: dict[str, Any] = {"computed_at": now, "held_until": LONG_AGO, "holder": ""}
        await self._write(record, {"$set": {**fields, "answered": answered} if answered is not None else fields})

    async def _write(self, record: UnitRecord, update: Mapping[str, Any], *, upsert: bool = False) -> bool:
        condition = {"_id": record.unit.key, "rev": record.rev}
        changes = {**update, "$set": {**update["$set"], "rev": record.rev + 1}}
        outcome = await mongo.bulk_write(self._units, [mongo.UpdateOne(condition, changes, upsert=upsert)])
        record.rev += 1
        return outcome.matched + outcome.upserted == 1

    async def clear_outbox(self, published: Mapping[Unit, Sequence[str]]) -> None:
        """Takes published entries out of the outboxes."""
        await mongo.bulk_write(
            self._units,
            [
                mongo.UpdateOne({"_id": unit.key}, {"$pull": {"outbox": {"id": {"$in": list(ids)}}}})
                for unit, ids in published.items()
            ],
        )

    async def stranded(self, now: datetime, age: timedelta) -> list[tuple[Unit, list[tuple[str, OutboxEntry]]]]:
        """Outbox entries of some of the units with any older than `age`."""
        fields = dict.fromkeys(("authority", "school_unit", "outbox"), 1)
        with mongo.outages():
            query = self._units.find({"outbox.since": {"$lt": now - age}}, fields).limit(STRANDED_AT_ONCE)
            found = [one async for one in query]
        return [(Unit(one["authority"], one["school_unit"]), signal_documents.outbox_entries(one)) for one in found]

    async def students(self, listed: Sequence[str], today: int) -> AsyncIterator[list[Seen]]:
        """Students as signals see them on a day (a day number), some at a time."""
        for start in range(0, len(listed), STUDENTS_AT_A_TIME):
            query = {"_id": {"$in": listed[start : start + STUDENTS_AT_A_TIME]}}
            students = list[Seen]()
            with mongo.outages():
                async for document in self._students.find(query, {"state": 1}):
                    students.append(signal_documents.seen(document, today))
                    if len(document["state"]) > LONG_STATE:
                        await asyncio.sleep(0)
            yield students

    async def keep_report(self, report: KeptReport) -> None:
        """Adds a version of a climate report; a repetition changes nothing."""
        await mongo.bulk_write(self._climate, [mongo.InsertOne(signal_documents.report_document(report))])

    async def reports(self, unit: Unit, subjects: Sequence[str], weeks: tuple[str, str]) -> Reports:
        """The valid versions of the reports of a unit and its groups, those that name the unit and those that name none.

        `weeks`: the first and the last (2026-W07).
        """
        named = {subject_key(unit, subject): subject for subject in subjects}
        unnamed = {subject_key(unit._replace(code=""), subject): subject for subject in subjects}
        valid: dict[tuple[str, str], Version] = {}
        keys, (first, last) = [*named, *unnamed], weeks
        for start in range(0, len(keys), KEYS_AT_A_TIME):
            of_some = {"$in": keys[start : start + KEYS_AT_A_TIME]}
            with mongo.outages():
                async for document in self._climate.find({"key": of_some, "period": {"$gte": first, "$lte": last}}):
                    key, version = signal_documents.climate_version(document)
                    known = valid.get((key, version.period))
                    if known is None or version.precedence > known.precedence:
                        valid[key, version.period] = version
        found = Reports({}, {})
        for (key, _), version in valid.items():
            if key in named:
                found.named.setdefault(named[key], []).append(version)
            else:
                found.unnamed.setdefault(unnamed[key], []).append(version)
        return found

    async def units_with(self, authority: str, groups: Sequence[str]) -> dict[str, list[Unit]]:
        """Units by the codes of their groups, of the codes asked for; of each code `USERS_AT_MOST`."""
        found: dict[str, list[Unit]] = {}
        wanted = frozenset(groups)
        query = {"authority": authority, "groups": {"$in": list(groups)}}
        with mongo.outages():
            async for document in self._units.find(query, {"school_unit": 1, "groups": 1}):
                for code in wanted.intersection(document["groups"]):
                    users = found.setdefault(code, [])
                    if len(users) < USERS_AT_MOST:
                        users.append(Unit(authority, document["school_unit"]))
        return found


def _head(document: Mapping[str, Any]) -> Head:
    return Head(
        Unit(document["authority"], document["school_unit"]),
        document.get("computed_at", LONG_AGO),
        document.get("answered", 0),
        document.get("worse", {}),
    )
