"""Scoring's collections of facts and students.

`scoring_facts` holds one document for each version of each fact, never changed; what cannot count any more is deleted.
`scoring_students` holds one document a student,
written by compare-and-set on `rev`; `scoring_listings` says beside it what the student is found by. `scoring_asked`
counts, for each school unit, how often something came that its groups should look at. `scoring_said` keeps every level
change and withdrawal as it was published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.scoring import documents
from services.scoring.facts import Fact
from services.scoring.records import Basis, KeptFact, OutboxEntry, StudentRecord, Unit
from services.scoring.student import Needs
from shared import mongo

AT_ONCE = 10_000
"""Facts that one answer of the database holds, so that no second question is needed; larger answers come in several."""
TAKEN_AT_ONCE = 500
"""Of these; between two such portions others may go on."""
WHOLE_TOGETHER = 8
"""Students whose facts are all read at the same time."""
STATES_AT_ONCE = 32 * 2**20
"""Characters of states that are read together: 2,000 usual ones, eight of the largest that there can be."""
ENTRIES_AT_ONCE = 1_000
"""Outbox entries that are read together, roughly."""
SAID_AT_MOST = 1_000
"""Messages about one subject that are read, the newest."""


@dataclass(frozen=True, slots=True)
class Write:
    """A record to write with its new outbox entries."""

    record: StudentRecord
    entries: Sequence[OutboxEntry]


class ScoringStore:
    """Reads and writes of scoring. Every method may raise `Outage`."""

    def __init__(self, database: mongo.Database) -> None:
        self._students = database["scoring_students"]
        self._listings = database["scoring_listings"]
        self._asked = database["scoring_asked"]
        self._authorities = database["scoring_authorities"]
        self._facts = database["scoring_facts"]
        self._said = database["scoring_said"]

    async def prepare(self) -> None:
        """Creates the indexes."""
        await mongo.ensure_indexes(
            self._students,
            [mongo.IndexModel([("outbox.since", mongo.ASCENDING)], name="outbox_since", sparse=True)],
        )
        await mongo.ensure_indexes(
            self._listings,
            [
                mongo.IndexModel([("unit", mongo.ASCENDING)], name="unit"),
                mongo.IndexModel([("basis", mongo.ASCENDING)], name="basis"),
                mongo.IndexModel([("moves_on", mongo.ASCENDING)], name="moves_on"),
            ],
        )
        # `_id` begins with the same, but the embedded database answers ranges from secondary indexes only: by `_id` it
        # read the whole collection for each late register, 1.4 s among 20,000 facts.
        await mongo.ensure_indexes(self._facts, [mongo.IndexModel([("part", mongo.ASCENDING)], name="part")])
        await mongo.ensure_indexes(self._said, [mongo.IndexModel([("subject", mongo.ASCENDING)], name="subject")])

    async def keep_facts(self, facts: Sequence[KeptFact]) -> frozenset[tuple[str, Fact]]:
        """Adds facts to the store; those that are there already stay as they are, and are returned (with their student)."""
        unique = {document["_id"]: (kept, document) for kept in facts for document in [documents.fact_document(kept)]}
        each = list(unique.values())
        outcome = await mongo.bulk_write(self._facts, [mongo.InsertOne(document) for _, document in each])
        known = [each[position][0] for position in outcome.duplicates]
        return frozenset((kept.student, kept.fact) for kept in known)

    async def read_students(self, authorities: Mapping[str, str]) -> dict[str, StudentRecord]:
        """The records of students (pseudonym → authority); one that is not there yet comes as new. When they are very large some
        are left out, never all.
        """
        found: dict[str, StudentRecord] = {}
        size = 0
        with mongo.outages():
            cursor = self._students.find({"_id": {"$in": list(authorities)}}, batch_size=len(authorities) + 1)
            async for document in cursor:
                found[document["_id"]] = documents.student_record(document)
                size += len(document["state"])
                if size > STATES_AT_ONCE:
                    await cursor.close()
                    return found
        new = {student: StudentRecord(student, authority) for student, authority in authorities.items()}
        return {**new, **found}

    async def read_facts(self, needs: Mapping[str, Needs], take: Callable[[KeptFact], None]) -> None:
        """Hands over what students need of their facts: the lessons of some days in one query for all, however many."""
        parts = [documents.lessons_part(student, day) for student, each in needs.items() for day in sorted(each.days)]
        if parts:
            await self._find_facts({"part": {"$in": parts}}, take)
        whole = [student for student, each in needs.items() if each.everything]
        for start in range(0, len(whole), WHOLE_TOGETHER):
            some = whole[start : start + WHOLE_TOGETHER]
            await asyncio.gather(*(self.read_all_facts(student, take) for student in some))

    async def read_all_facts(self, student: str, take: Callable[[KeptFact], None]) -> None:
        """Hands over every version of every fact of a student that is still kept."""
        await self._find_facts({"part": {"$gte": f"{student}|", "$lt": f"{student}}}"}}, take)  # "}" comes after "|"

    async def _find_facts(self, query: dict[str, Any], take: Callable[[KeptFact], None]) -> None:
        with mongo.outages():
            cursor = self._facts.find(query, {"_id": 0}, batch_size=AT_ONCE)
            while found := await cursor.to_list(TAKEN_AT_ONCE):
                for document in found:
                    take(documents.kept_fact(document))

    async def forget(self, facts: Mapping[str, Iterable[Fact]]) -> None:
        """Deletes facts of students that nothing depends on."""
        for student, each in facts.items():
            ids = [documents.fact_id(student, fact) for fact in each]
            with mongo.outages():
                await self._facts.delete_many({"_id": {"$in": ids}})

    async def forget_lessons(self, student: str, before: int) -> None:
        """Deletes what was known of a student's lessons before a day (day number), and what was said before it."""
        earlier = {"$gte": documents.lessons_part(student, 0), "$lt": documents.lessons_part(student, before)}
        since = datetime.combine(datetime.fromordinal(before), datetime.min.time(), UTC)
        with mongo.outages():
            await self._facts.delete_many({"part": earlier})
            await self._said.delete_many({"subject": student, "time": {"$lt": since}})

    async def write_students(self, writes: Sequence[Write]) -> frozenset[str]:
        """Writes each record if its `rev` still stands, and its new outbox entries with it; tells who was overtaken."""
        outcome = await mongo.bulk_write(self._students, [_operation(write) for write in writes])
        return frozenset(writes[position].record.id for position in outcome.duplicates)

    async def list_students(self, records: Sequence[StudentRecord], today: int) -> None:
        """Notes what students are found by, as written; what is known of a later state stays. `today`: a day number."""
        added = [record for record in records if record.rev == 1]
        outcome = await mongo.bulk_write(
            self._listings,
            [mongo.InsertOne({"_id": record.id, **documents.listing_fields(record, today)}) for record in added],
        )
        there = [
            *(added[position] for position in outcome.duplicates),
            *(record for record in records if record.rev > 1),
        ]
        await mongo.bulk_write(
            self._listings,
            [
                mongo.UpdateOne(
                    {"_id": record.id, "rev": {"$not": {"$gt": record.rev}}},
                    {"$set": documents.listing_fields(record, today)},
                    upsert=True,
                )
                for record in there
            ],
        )

    async def ask(self, units: Collection[Unit]) -> None:
        """Has school units look at their groups again."""
        update = {"$inc": {"asked": 1}}
        operations = [
            mongo.UpdateOne(
                {"_id": unit.key},
                {**update, "$setOnInsert": {"authority": unit.authority, "school_unit": unit.code}},
                upsert=True,
            )
            for unit in sorted(units)
        ]
        while operations:
            duplicates = (await mongo.bulk_write(self._asked, operations)).duplicates
            operations = [operations[position] for position in duplicates]  # somebody has just made it; now it is there

    async def asked(self, after: str = "", limit: int = 0) -> dict[Unit, int]:
        """How often school units have been asked, in the order of their keys, from the one behind `after` on; without `limit`
        all.
        """
        with mongo.outages():
            query = self._asked.find({"_id": {"$gt": after}}).sort("_id", mongo.ASCENDING).limit(limit)
            found = [document async for document in query]
        return {Unit(document["authority"], document["school_unit"]): document["asked"] for document in found}

    async def students_of(self, unit: Unit, limit: int = 0) -> list[str]:
        """The students of a school unit, in order; with a `limit` so many at most, any of them."""
        with mongo.outages():
            query = self._listings.find({"unit": unit.key}, {"_id": 1}).limit(limit)
            return sorted([found["_id"] async for found in query])

    async def outdated(self, authority: str, basis: Basis, limit: int) -> list[str]:
        """Students of an authority whose state was made by something older."""
        query = {"basis": {"$gte": f"{authority}|", "$lt": f"{authority}|{basis.text()}"}}
        with mongo.outages():
            return [found["_id"] async for found in self._listings.find(query, {"_id": 1}).limit(limit)]

    async def moved_by(self, today: int, limit: int) -> dict[str, Unit | None]:
        """Students whom the calendar has taken somewhere else by a day (a day number), with the units where they are found."""
        with mongo.outages():
            # With a lower bound: the embedded database walks all whom no day moves without one.
            query = {"moves_on": {"$gt": 0, "$lte": today}}
            found = await self._listings.find(query, {"unit": 1}).limit(limit).to_list(limit)
        return {each["_id"]: Unit.of(each["unit"]) for each in found}

    async def add_authority(self, authority: str) -> None:
        """Notes that there are students of an authority."""
        await mongo.bulk_write(self._authorities, [mongo.InsertOne({"_id": authority})])

    async def authorities(self) -> list[str]:
        """All authorities that have students."""
        with mongo.outages():
            return sorted([found["_id"] async for found in self._authorities.find({})])

    async def keep_said(self, entries: Iterable[tuple[str, OutboxEntry]]) -> None:
        """Notes what was published (subject, entry); a repetition changes nothing."""
        await mongo.bulk_write(
            self._said,
            [
                mongo.InsertOne({"_id": entry.id, "subject": subject, "time": entry.since, "body": entry.body})
                for subject, entry in entries
            ],
        )

    async def said(self, subject: str, until: datetime) -> list[str]:
        """Bodies of what was published of a subject until a time, the newest `SAID_AT_MOST`, in the order of time."""
        query = {"subject": subject, "time": {"$lte": until}}
        with mongo.outages():
            cursor = self._said.find(query).sort("time", mongo.DESCENDING).limit(SAID_AT_MOST)
            found = [(entry["time"], entry["body"]) async for entry in cursor]
        return [body for _, body in sorted(found)]

    async def clear_outbox(self, published: Mapping[str, Sequence[str]]) -> None:
        """Takes published entries (student → message ids) out of the outboxes; `rev` stays, it guards the facts only."""
        await mongo.bulk_write(
            self._students,
            [
                mongo.UpdateOne({"_id": student}, {"$pull": {"outbox": {"id": {"$in": list(ids)}}}})
                for student, ids in published.items()
            ],
        )

    async def stranded(self, now: datetime, age: timedelta, limit: int) -> list[tuple[str, list[OutboxEntry]]]:
        """Outbox entries older than `age`, of at most `limit` students; of fewer when they have very many."""
        found: list[tuple[str, list[OutboxEntry]]] = []
        entries = 0
        with mongo.outages():
            cursor = self._students.find({"outbox.since": {"$lt": now - age}}, {"outbox": 1}, batch_size=limit)
            async for document in cursor.limit(limit):
                found.append((document["_id"], documents.outbox_entries(document)))
                entries += len(found[-1][1])
                if entries > ENTRIES_AT_ONCE:
                    await cursor.close()
                    break
        return found

    async def oldest_outbox_entry(self) -> datetime | None:
        """When the oldest waiting message was written."""
        with mongo.outages():
            found = await self._students.find(
                {"outbox.since": {"$gt": datetime(2000, 1, 1, tzinfo=UTC)}}, {"outbox.since": 1}
            ).to_list(1000)
        return min((entry["since"] for document in found for entry in document["outbox"]), default=None)


def _operation(write: Write) -> mongo.UpdateOne:
    record = write.record
    update: dict[str, Any] = {"$set": {"rev": record.rev + 1, "state": documents.encode_record(record)}}
    if write.entries:
        update["$push"] = {"outbox": {"$each": documents.outbox_fields(write.entries)}}
    return mongo.UpdateOne({"_id": record.id, "rev": record.rev}, update, upsert=True)
