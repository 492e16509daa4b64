"""The archive of accepted events. Nothing else reads or writes these collections; who is who: `services.ingest.identity_store`.

| collection | one document | |
| --- | --- | --- |
| `events_archive` | an accepted event | `_id`: source, a space, id (a source holds no white space) |
| `events_unpublished` | the keys of a batch that may not be published yet | removed when the broker has confirmed all |

An event is *published* unless its batch stands in `events_unpublished` with the event's key. One note a batch instead of a
flag on each event: on the embedded database 500 inserts take 40 ms, 500 updates of a flag 180 ms more (280 with an index).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.ingest.reading import find_by_id
from shared.mongo import ASCENDING, IndexModel, InsertOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database


def archive_key(source: str, event_id: str) -> str:
    """Key of an event in the archive. `source` must hold no white space, which `checks` sees to."""
    return f"{source} {event_id}"


@dataclass(frozen=True, slots=True)
class Archived:
    """An accepted event at rest.

    `event`: JSON text as received, without forbidden fields and person, the subject a pseudonym, staff ids with their space,
    with `recordedtime` and `under`; what readers do not know yet is still in it. `digest` tells whether a repetition has the
    same content. `batch`: the batch it was archived with, given by `EventArchive.add`.
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
        found = await find_by_id(self._events, list(keys))
        return {document["_id"]: _archived(document) for document in found}

    async def unpublished(self, events: Iterable[Archived]) -> set[str]:
        """Which of these archived events are noted as not published, by key."""
        events = list(events)
        notes = await find_by_id(self._unpublished, sorted({event.batch for event in events}))
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
