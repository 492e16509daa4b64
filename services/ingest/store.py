"""The archive of accepted events. Nothing else reads or writes these collections; who is who: `services.ingest.identity_store`.

| collection | one document | |
| --- | --- | --- |
| `events_archive` | an accepted event | `_id`: source, a space, id (a source holds no white space) |
| `events_unpublished` | the keys of a batch that may not be published yet | removed when the broker has confirmed all |

An event is *published* unless its batch stands in `events_unpublished` with the event's key. One note a batch instead of a
flag on each event: on the embedded database 500 inserts take 40 ms, 500 updates of a flag 180 ms more (280 with an index).
`set_aside_at` of a note says when its events could not be published for another reason than an outage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.ingest.reading import find_by_id
from shared.mongo import ASCENDING, IndexModel, InsertOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
MOST_COUNTED = 10_000


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
        await ensure_indexes(
            self._unpublished, [IndexModel([("opened_at", ASCENDING)]), IndexModel([("set_aside_at", ASCENDING)])]
        )

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

    async def note_published(self, batch: str, left: Sequence[str], *, set_aside_at: datetime | None = None) -> None:
        """All of the batch is published but `left`; with `set_aside_at`, these need not be tried again soon."""
        with outages():
            if left:
                fields = {"keys": list(left), "set_aside_at": set_aside_at}
                await self._unpublished.update_one({"_id": batch}, {"$set": fields})
            else:
                await self._unpublished.delete_one({"_id": batch})

    async def oldest_unpublished(self) -> datetime | None:
        """Since when the oldest batch waits that is not set aside."""
        found = await self._batches({"set_aside_at": None}, "opened_at", 1)
        return found[0].opened_at if found else None

    async def unpublished_batches(self, before: datetime, limit: int, *, skip: int = 0) -> list[UnpublishedBatch]:
        """Batches opened before, with something unpublished that is not set aside, the oldest first, without the first `skip`."""
        return await self._batches({"set_aside_at": None, "opened_at": {"$lt": before}}, "opened_at", limit, skip)

    async def batches_set_aside(self, before: datetime, limit: int) -> list[UnpublishedBatch]:
        """Batches that were set aside before, the longest first."""
        return await self._batches({"set_aside_at": {"$lt": before}}, "set_aside_at", limit)

    async def events_set_aside(self) -> int:
        """How many events are set aside; of very many, `MOST_COUNTED` batches are counted."""
        with outages():
            found = self._unpublished.find({"set_aside_at": {"$gt": LONG_AGO}}, {"keys": 1}).limit(MOST_COUNTED)
            return sum([len(document["keys"]) async for document in found])

    async def _batches(self, query: dict[str, Any], order: str, limit: int, skip: int = 0) -> list[UnpublishedBatch]:
        with outages():
            cursor = self._unpublished.find(query).sort(order, ASCENDING).skip(skip).limit(limit)
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
    """Whatever stands there: what is missing is found out when the event is to be published, and is that event's alone."""
    fields = {each.name: document.get(each.name) for each in dataclass_fields(Archived) if each.name != "key"}
    return Archived(key=document["_id"], **fields)  # type: ignore[arg-type]
