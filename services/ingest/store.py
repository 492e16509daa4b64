"""Ingest's own collections. Nothing else reads or writes them, and this is the only place that knows their fields.

| collection | one document | |
| --- | --- | --- |
| `events_archive` | an accepted event | `_id`: source, a space, id (a source holds no white space) |
| `events_unpublished` | the keys of a batch that may not be published yet | removed when the broker has confirmed all |
| `aliases` | a reference and its pseudonym | `_id`: authority, `|`, reference; never changed |
| `people` | a person's names and flags | `_id`: pseudonym |

An event is *published* unless its batch stands in `events_unpublished` with the event's key. One note a batch instead of a
flag on each event: on the embedded database 500 inserts take 40 ms, 500 updates of a flag 180 ms more (280 with an index).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from services.ingest.aliases import Key
from services.ingest.people import PersonRecord
from shared.errors import Stale
from shared.mongo import ASCENDING, IndexModel, InsertOne, UpdateOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

FIND_TOGETHER = 500


def archive_key(source: str, event_id: str) -> str:
    """Key of an event in the archive. `source` must hold no white space, which `checks` sees to."""
    return f"{source} {event_id}"


@dataclass(frozen=True, slots=True)
class Archived:
    """An accepted event at rest.

    `event`: JSON text as received, without forbidden fields and person, the subject a pseudonym, with `recordedtime`; what
    readers do not know yet is still in it. `digest` tells whether a repetition has the same content. `batch`: the batch it
    was archived with, given by `EventArchive.add`.
    """

    key: str
    authority: str
    type: str
    subject: str
    recorded_at: datetime
    digest: str
    event: str
    batch: str = ""


@dataclass(frozen=True, slots=True)
class UnpublishedBatch:
    """Events that may not be published yet."""

    batch: str
    opened_at: datetime
    keys: tuple[str, ...]


class EventArchive:
    """Accepted events, and which of them still have to be published."""

    def __init__(self, database: Database) -> None:
        self._events: Collection = database["events_archive"]
        self._unpublished: Collection = database["events_unpublished"]

    async def prepare(self) -> None:
        """Creates indexes."""
        await ensure_indexes(self._unpublished, [IndexModel([("opened_at", ASCENDING)])])

    async def add(self, batch: UnpublishedBatch, events: Sequence[Archived]) -> set[str]:
        """Notes the batch as unpublished, then archives its events; returns the keys that were there before.

        Raises:
            Outage: unknown what was written; all that was is noted as unpublished.
        """
        with outages():
            await self._unpublished.insert_one(
                {"_id": batch.batch, "opened_at": batch.opened_at, "keys": list(batch.keys)}
            )
        outcome = await bulk_write(self._events, [InsertOne(_archive_document(event, batch.batch)) for event in events])
        return {events[index].key for index in outcome.duplicates}

    async def find(self, keys: Iterable[str]) -> dict[str, Archived]:
        """The events that are archived, by key."""
        found = await _find_by_id(self._events, list(keys))
        return {document["_id"]: _archived(document) for document in found}

    async def unpublished(self, events: Iterable[Archived]) -> set[str]:
        """Which of these archived events are noted as not published, by key."""
        events = list(events)
        notes = await _find_by_id(self._unpublished, sorted({event.batch for event in events}))
        keys = {document["_id"]: set(document["keys"]) for document in notes}
        return {event.key for event in events if event.key in keys.get(event.batch, ())}

    async def note_published(self, batch: str, left: Sequence[str]) -> None:
        """All of the batch is published but `left`."""
        with outages():
            if left:
                await self._unpublished.update_one({"_id": batch}, {"$set": {"keys": list(left)}})
            else:
                await self._unpublished.delete_one({"_id": batch})

    async def oldest_unpublished(self, limit: int) -> list[UnpublishedBatch]:
        """Batches with something unpublished, the oldest first."""
        with outages():
            cursor = self._unpublished.find().sort("opened_at", ASCENDING).limit(limit)
            documents = await cursor.to_list(limit)
        return [UnpublishedBatch(each["_id"], each["opened_at"], tuple(each["keys"])) for each in documents]


class Aliases:
    """Links of references to pseudonyms, see `services.ingest.aliases`."""

    def __init__(self, database: Database) -> None:
        self._links: Collection = database["aliases"]

    async def find(self, keys: Sequence[Key]) -> dict[Key, str]:
        """The links that exist."""
        by_id = {_alias_id(key): key for key in keys}
        found = await _find_by_id(self._links, list(by_id))
        return {by_id[document["_id"]]: document["pseudonym"] for document in found}

    async def claim(self, links: Mapping[Key, str]) -> dict[Key, str]:
        """Writes links; returns what holds for each key: the first writer's."""
        keys = list(links)
        outcome = await bulk_write(
            self._links, [InsertOne({"_id": _alias_id(key), "pseudonym": links[key]}) for key in keys]
        )
        return dict(links) | await self.find([keys[index] for index in outcome.duplicates])


class People:
    """Names and flags of persons. They leave through one internal endpoint only."""

    def __init__(self, database: Database) -> None:
        self._people: Collection = database["people"]

    async def find(self, pseudonyms: Sequence[str]) -> dict[str, tuple[PersonRecord, int]]:
        """Records and their versions, by pseudonym."""
        found = await _find_by_id(self._people, pseudonyms)
        return {document["_id"]: (_person(document), document["version"]) for document in found}

    async def replace(self, records: Mapping[str, tuple[PersonRecord, int]]) -> None:
        """Writes records over the version they were made from (0: none).

        Raises:
            Stale: another replica was faster with one of them: read again.
        """
        operations = [
            UpdateOne(
                {"_id": pseudonym, "version": version},
                {"$set": {**_person_fields(record), "version": version + 1}},
                upsert=version == 0,
            )
            for pseudonym, (record, version) in records.items()
        ]
        outcome = await bulk_write(self._people, operations)
        if outcome.matched + outcome.upserted < len(operations):
            raise Stale("people: a record was changed meanwhile")


async def _find_by_id(collection: Collection, ids: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with outages():
        for start in range(0, len(ids), FIND_TOGETHER):
            some = list(ids[start : start + FIND_TOGETHER])
            found += await collection.find({"_id": {"$in": some}}).to_list(len(some))
    return found


def _alias_id(key: Key) -> str:
    authority, reference = key
    return f"{authority}|{reference}"


def _archive_document(event: Archived, batch: str) -> dict[str, Any]:
    return {
        "_id": event.key,
        "authority": event.authority,
        "type": event.type,
        "subject": event.subject,
        "recorded_at": event.recorded_at,
        "digest": event.digest,
        "event": event.event,
        "batch": batch,
    }


def _archived(document: dict[str, Any]) -> Archived:
    return Archived(**{"key" if name == "_id" else name: value for name, value in document.items()})


def _person_fields(record: PersonRecord) -> dict[str, Any]:
    turns_18_on = record.turns_18_on
    return {**asdict(record), "turns_18_on": turns_18_on.isoformat() if turns_18_on else None}


def _person(document: dict[str, Any]) -> PersonRecord:
    fields = {name: value for name, value in document.items() if name not in {"_id", "version"}}
    if (turns_18_on := fields["turns_18_on"]) is not None:
        fields["turns_18_on"] = date.fromisoformat(turns_18_on)
    return PersonRecord(**fields)
