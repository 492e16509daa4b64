"""Scoring's collections, and the only place that knows their fields.

`facts` is append-only: one document for each version of each fact, `_id` made from its content, so that a repetition is
a duplicate key. `students` holds one document a student, written by compare-and-set on `rev`. Its `state` is JSON text:
the document is always read and written whole, and as nested BSON it costs the database twice as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from services.scoring.facts import Day, Fact, Lesson, LessonFact, Mark, MarkFact, Place, PlaceFact
from services.scoring.level import Standing
from services.scoring.student import Needs, Student
from shared import mongo
from shared.events import Level

DIGEST_LENGTH = 16
"""Hex digits kept of a content digest: 64 bits order ties as well as 256 do."""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A level change that is written but not yet known to be published. `id` is the message's id."""

    id: str
    since: datetime
    body: str


@dataclass(slots=True)
class StudentRecord:
    """A student's document. `rev` 0: not there yet. `alerts` counts level changes; `points` are those at the last one.

    `said`: digest of what was last said of the student's risk.
    """

    id: str
    authority: str
    rev: int = 0
    level: Level = Level.UNIVERSAL
    alerts: int = 0
    points: dict[str, int] = field(default_factory=dict)
    said: str = ""
    outbox: list[OutboxEntry] = field(default_factory=list)
    state: Student = field(default_factory=Student)


@dataclass(frozen=True, slots=True)
class KeptFact:
    """A fact with the student it is about and when ingest received it."""

    student: str
    fact: Fact
    recorded_time: datetime


class ScoringStore:
    """Reads and writes of scoring. Every method may raise `Outage`."""

    def __init__(self, database: mongo.Database) -> None:
        self._students = database["scoring_students"]
        self._facts = database["scoring_facts"]

    async def prepare(self) -> None:
        """Creates the indexes."""
        await mongo.ensure_indexes(
            self._students, [mongo.IndexModel([("outbox.since", mongo.ASCENDING)], name="outbox_since", sparse=True)]
        )
        # `_id` begins with the same, but the embedded database answers ranges from secondary indexes only: by `_id` it
        # read the whole collection for each late register, 1.4 s among 20,000 facts.
        await mongo.ensure_indexes(self._facts, [mongo.IndexModel([("part", mongo.ASCENDING)], name="part")])

    async def keep_facts(self, facts: Sequence[KeptFact]) -> None:
        """Adds facts to the store; those that are there already stay as they are."""
        unique = {_fact_id(kept): kept for kept in facts}
        await mongo.bulk_write(
            self._facts,
            [
                mongo.InsertOne(
                    {
                        "_id": key,
                        "part": _part(kept),
                        "recordedtime": kept.recorded_time,
                        "fact": _fact_fields(kept.fact),
                    }
                )
                for key, kept in unique.items()
            ],
        )

    async def read_students(self, authorities: Mapping[str, str]) -> dict[str, StudentRecord]:
        """The records of students (pseudonym → authority); one that is not there yet comes as new."""
        records = {student: StudentRecord(student, authority) for student, authority in authorities.items()}
        with mongo.outages():
            async for document in self._students.find({"_id": {"$in": list(authorities)}}, batch_size=len(records) + 1):
                records[document["_id"]] = decode_record(
                    document["_id"], document["rev"], document["state"], _outbox(document)
                )
        return records

    async def read_facts(self, student: str, needs: Needs) -> list[Fact]:
        """All facts of a student, or the lessons of some days."""
        query: dict[str, Any] = {"$in": [_lessons(student, day) for day in sorted(needs.days)]}
        if needs.everything:
            query = {"$gte": f"{student}|", "$lt": f"{student}}}"}  # "}" comes after "|"
        with mongo.outages():
            return [_fact(document["fact"]) async for document in self._facts.find({"part": query})]

    async def write_students(self, changed: Sequence[tuple[StudentRecord, Sequence[OutboxEntry]]]) -> frozenset[str]:
        """Writes each record if its `rev` still stands, and its new outbox entries with it; tells who was overtaken."""
        outcome = await mongo.bulk_write(
            self._students, [_student_write(record, entries) for record, entries in changed]
        )
        return frozenset(changed[position][0].id for position in outcome.duplicates)

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
        """Outbox entries older than `age`, of at most `limit` students."""
        with mongo.outages():
            query = {"outbox.since": {"$lt": now - age}}
            documents = await self._students.find(query, {"outbox": 1}).to_list(limit)
        return [(document["_id"], _outbox(document)) for document in documents]

    async def oldest_outbox_entry(self) -> datetime | None:
        """When the oldest waiting level change was written."""
        with mongo.outages():
            found = await self._students.find(
                {"outbox.since": {"$gt": datetime(2000, 1, 1, tzinfo=UTC)}}, {"outbox": 1}
            ).to_list(1000)
        return min((entry.since for document in found for entry in _outbox(document)), default=None)


def _student_write(record: StudentRecord, entries: Sequence[OutboxEntry]) -> mongo.UpdateOne:
    update: dict[str, Any] = {"$set": {"rev": record.rev + 1, "state": encode_record(record)}}
    if entries:
        documents = [{"id": entry.id, "since": entry.since, "body": entry.body} for entry in entries]
        update["$push"] = {"outbox": {"$each": documents}}
    return mongo.UpdateOne({"_id": record.id, "rev": record.rev}, update, upsert=True)


def _outbox(document: Mapping[str, Any]) -> list[OutboxEntry]:
    return [OutboxEntry(entry["id"], entry["since"], entry["body"]) for entry in document.get("outbox", ())]


def _fact_id(kept: KeptFact) -> str:
    fact, version = kept.fact, kept.fact.version
    match fact:
        case LessonFact():
            key = f"lesson|{fact.day}|{fact.lesson}"
        case MarkFact():
            key = f"mark|{fact.kind}|{fact.course}"
        case PlaceFact():
            key = f"place|{fact.starts_on}|{fact.school_unit}"
    return f"{kept.student}|{key}|{version.revision}|{version.digest}"


def _part(kept: KeptFact) -> str:
    """The part of a student's facts that is read together: the lessons of a day, or all that are no lessons."""
    fact = kept.fact
    return _lessons(kept.student, fact.day) if isinstance(fact, LessonFact) else f"{kept.student}|other"


def _lessons(student: str, day: int) -> str:
    return f"{student}|lesson|{day}"


def _fact_fields(fact: Fact) -> dict[str, Any]:
    match fact:
        case LessonFact():
            return {"kind": "lesson", "day": fact.day, "lesson": fact.lesson, **fact.version._asdict()}
        case MarkFact():
            return {"kind": "mark", "course": fact.course, "mark_kind": fact.kind, **fact.version._asdict()}
        case PlaceFact():
            place = {**fact.version._asdict(), "groups": list(fact.version.groups)}
            return {"kind": "place", "school_unit": fact.school_unit, "starts_on": fact.starts_on, **place}


def _fact(fields: Mapping[str, Any]) -> Fact:
    match fields["kind"]:
        case "lesson":
            return LessonFact(fields["day"], fields["lesson"], Lesson(*(fields[name] for name in Lesson._fields)))
        case "mark":
            return MarkFact(fields["course"], fields["mark_kind"], Mark(*(fields[name] for name in Mark._fields)))
        case _:
            version = Place(fields["revision"], fields["digest"], fields["status"], tuple(fields["groups"]))
            return PlaceFact(fields["school_unit"], fields["starts_on"], version)


def encode_record(record: StudentRecord) -> str:
    """A record as JSON text, without `id`, `rev` and outbox: arrays in the order of the types' fields."""
    state = record.state
    return orjson.dumps(
        {
            "authority": record.authority,
            "level": record.level,
            "alerts": record.alerts,
            "points": record.points,
            "said": record.said,
            "days": [tuple(day) for day in state.days.values()],
            "open": [
                [day, [[lesson, *version] for lesson, version in known.items()]] for day, known in state.open.items()
            ],
            "marks": [[*key, [tuple(version) for version in versions]] for key, versions in state.marks.items()],
            "places": [[*key, *version] for key, version in state.places.items()],
            "base": tuple(state.base),
            "base_day": state.base_day,
            "trail": [[day, *standing] for day, standing in state.trail.items()],
            "newest": state.newest,
            "fresh_until": state.fresh_until,
        }
    ).decode()


def decode_record(student: str, rev: int, text: str, outbox: list[OutboxEntry]) -> StudentRecord:
    """The inverse of `encode_record`."""
    known = orjson.loads(text)
    state = Student(
        days={day[0]: Day(*day) for day in known["days"]},
        open={day: {lesson[0]: Lesson(*lesson[1:]) for lesson in lessons} for day, lessons in known["open"]},
        marks={(course, kind): [Mark(*version) for version in versions] for course, kind, versions in known["marks"]},
        places={
            (unit, starts_on): Place(revision, digest, status, tuple(groups))
            for unit, starts_on, revision, digest, status, groups in known["places"]
        },
        base=_standing(*known["base"]),
        base_day=known["base_day"],
        trail={day: _standing(*standing) for day, *standing in known["trail"]},
        newest=known["newest"],
        fresh_until=known["fresh_until"],
    )
    return StudentRecord(
        id=student,
        authority=known["authority"],
        rev=rev,
        level=Level(known["level"]),
        alerts=known["alerts"],
        points=known["points"],
        said=known["said"],
        outbox=outbox,
        state=state,
    )


def _standing(rank: int, score: int, above: list[int], below: list[int]) -> Standing:
    return Standing(rank, score, (above[0], above[1]), (below[0], below[1]))


def latest_received(facts: Iterable[KeptFact]) -> datetime:
    """When the newest of some facts was received."""
    return max(kept.recorded_time for kept in facts)
