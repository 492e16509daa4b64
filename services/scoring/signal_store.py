"""Scoring's collections of signals and climate reports, and what signals read of students.

`scoring_signals` holds one document a school unit, written by compare-and-set on `rev`:
{_id: "2480|gy-aspen", rev, authority, school_unit, groups: […], said: {subject: {n, worse}}, outbox, holder, held_until,
computed_at, asked, answered}. `asked` counts what came that is in no student's document (a climate report, a student who moved
away), `answered` up to which of these the unit was computed. `scoring_climate` is append-only, one document for each version.
A student's `look` tells that the student's groups should look again, `counted_by` which unit last counted the student.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.scoring import signal_documents
from services.scoring.climate import Version
from services.scoring.records import OutboxEntry
from services.scoring.signal_documents import KeptReport, Seen, UnitRecord
from services.scoring.signal_messages import Unit
from shared import mongo

STUDENTS_AT_A_TIME = 50
KEYS_AT_A_TIME = 200
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Head:
    """What a round must know of a unit. `worse`: how many signals stand, by indicator."""

    unit: Unit
    computed_at: datetime
    held_until: datetime
    is_asked: bool
    worse: Mapping[str, int]


class SignalStore:
    """Reads and writes of signals. Every method may raise `Outage`."""

    def __init__(self, database: mongo.Database) -> None:
        self._students = database["scoring_students"]
        self._units = database["scoring_signals"]
        self._climate = database["scoring_climate"]

    async def prepare(self) -> None:
        """Creates the indexes."""
        unit = [("authority", mongo.ASCENDING), ("school_unit", mongo.ASCENDING)]
        await mongo.ensure_indexes(
            self._students,
            [
                mongo.IndexModel(unit, name="authority_unit"),
                mongo.IndexModel([("look", mongo.ASCENDING), *unit], name="look"),
            ],
        )
        await mongo.ensure_indexes(
            self._units,
            [
                mongo.IndexModel([("authority", mongo.ASCENDING), ("groups", mongo.ASCENDING)], name="groups"),
                mongo.IndexModel([("outbox.since", mongo.ASCENDING)], name="outbox_since", sparse=True),
            ],
        )
        await mongo.ensure_indexes(self._climate, [mongo.IndexModel([("key", mongo.ASCENDING)], name="key")])

    async def to_look_at(self) -> set[Unit]:
        """Units with students whose groups should look again. With all of 300,000 students among them, seconds."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"look": True}},
            {"$group": {"_id": {"authority": "$authority", "school_unit": "$school_unit"}}},
        ]
        with mongo.outages():
            found = [group["_id"] async for group in self._students.aggregate(pipeline)]
        return {Unit(one["authority"], one.get("school_unit")) for one in found}

    async def heads(self) -> list[Head]:
        """Of all units."""
        fields = ("authority", "school_unit", "computed_at", "held_until", "asked", "answered", "worse")
        with mongo.outages():
            return [_head(document) async for document in self._units.find({}, dict.fromkeys(fields, 1))]

    async def ask(self, unit: Unit) -> None:
        """Has the unit computed again."""
        update = {
            "$set": {"authority": unit.authority, "school_unit": unit.code},
            "$inc": {"asked": 1},
            "$setOnInsert": {"rev": 0},
        }
        while (
            await mongo.bulk_write(self._units, [mongo.UpdateOne({"_id": unit.key}, update, upsert=True)])
        ).duplicates:
            pass  # somebody else has just made the document; now it is there

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
        update: dict[str, Any] = {"$set": {**signal_documents.said_fields(record.said), "held_until": until}}
        if entries:
            update["$push"] = {"outbox": {"$each": signal_documents.outbox_fields(entries)}}
        return await self._write(record, update)

    async def write_groups(self, record: UnitRecord, groups: Sequence[str]) -> bool:
        """Notes which groups the unit has; False when another has overtaken."""
        return await self._write(record, {"$set": {"groups": list(groups)}})

    async def finish(self, record: UnitRecord, now: datetime, *, is_answered: bool) -> None:
        """Lets go of a unit after it was computed, with all that follows from it; never mind when another has overtaken."""
        fields: dict[str, Any] = {"computed_at": now, "held_until": LONG_AGO, "holder": ""}
        await self._write(record, {"$set": {**fields, "answered": record.asked} if is_answered else fields})

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
        """Outbox entries of units with any older than `age`."""
        with mongo.outages():
            found = [one async for one in self._units.find({"outbox.since": {"$lt": now - age}})]
        return [(Unit(one["authority"], one["school_unit"]), signal_documents.outbox_entries(one)) for one in found]

    async def students(self, unit: Unit) -> AsyncIterator[list[Seen]]:
        """The students of a unit, some at a time; of those without a place only who should be looked at."""
        query: dict[str, Any] = {"authority": unit.authority, "school_unit": unit.code}
        if unit.code is None:
            query["look"] = True
        fields = dict.fromkeys(("rev", "look", "counted_by", "state"), 1)
        cursor = self._students.find(query, fields, batch_size=STUDENTS_AT_A_TIME)
        while True:
            with mongo.outages():
                found = await cursor.to_list(STUDENTS_AT_A_TIME)
            if not found:
                return
            yield [signal_documents.seen(document) for document in found]

    async def looked(self, revs: Mapping[str, int], unit: Unit) -> None:
        """Clears `look` of students whose `rev` still stands; the others have newer facts and stay to be looked at."""
        await mongo.bulk_write(
            self._students,
            [
                mongo.UpdateOne(
                    {"_id": student, "rev": rev}, {"$set": {"counted_by": unit.code}, "$unset": {"look": ""}}
                )
                for student, rev in revs.items()
            ],
        )

    async def keep_report(self, report: KeptReport) -> None:
        """Adds a version of a climate report; a repetition changes nothing."""
        await mongo.bulk_write(self._climate, [mongo.InsertOne(signal_documents.report_document(report))])

    async def reports(self, authority: str, subjects: Sequence[str]) -> dict[str, list[Version]]:
        """All versions of all reports of some groups and units, by subject."""
        found: dict[str, list[Version]] = {}
        for start in range(0, len(subjects), KEYS_AT_A_TIME):
            keys = [f"{authority}|{subject}" for subject in subjects[start : start + KEYS_AT_A_TIME]]
            with mongo.outages():
                async for document in self._climate.find({"key": {"$in": keys}}):
                    subject, version = signal_documents.climate_version(document)
                    found.setdefault(subject, []).append(version)
        return found

    async def units_with(self, authority: str, group: str) -> list[Unit]:
        """Units that have a group of this code."""
        with mongo.outages():
            cursor = self._units.find({"authority": authority, "groups": group}, {"school_unit": 1})
            return [Unit(authority, document["school_unit"]) async for document in cursor]


def _head(document: Mapping[str, Any]) -> Head:
    return Head(
        Unit(document["authority"], document["school_unit"]),
        document.get("computed_at", LONG_AGO),
        document.get("held_until", LONG_AGO),
        document.get("asked", 0) != document.get("answered", 0),
        document.get("worse", {}),
    )
