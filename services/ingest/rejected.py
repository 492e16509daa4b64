"""What was refused at the door, kept where its publisher can read it, mend it, and send it again.

The same refused item again is counted, not kept twice. Items hold references and names: they are gone 90 days after they
were last seen, and their content as soon as a replay has succeeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from shared.errors import FieldError
from shared.mongo import ASCENDING, IndexModel, UpdateOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

LONGEST_CONTENT = 64 * 1024
KEPT = timedelta(days=90)
MOST_ERRORS = 50


class RejectedStatus(StrEnum):
    """What became of a rejected item."""

    OPEN = "open"
    """Refused when it was last seen."""
    REPLAYED = "replayed"
    """Accepted (or found to be a duplicate) in the end."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One refused item. `content` is its JSON text without forbidden fields, or the text that was no JSON.

    `authority` is None when the item came over AMQP and speaks for no authority that we know. `content` is None when it is
    too long to be kept (64 KiB), or no longer needed. `count`: how often it was refused.
    """

    id: str
    authority: str | None
    door: str
    received_at: datetime
    last_seen_at: datetime
    content: str | None
    reason: str
    errors: tuple[FieldError, ...]
    status: RejectedStatus = RejectedStatus.OPEN
    count: int = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends: the last item's time of receipt and id."""

    received_at: datetime
    id: str


class RejectedItems:
    """The collection `rejected`."""

    def __init__(self, database: Database) -> None:
        self._items: Collection = database["rejected"]

    async def prepare(self) -> None:
        """Creates indexes."""
        await ensure_indexes(
            self._items,
            [
                IndexModel([("authority", ASCENDING), ("received_at", ASCENDING), ("_id", ASCENDING)]),
                IndexModel([("last_seen_at", ASCENDING)], expireAfterSeconds=int(KEPT.total_seconds())),
            ],
        )

    async def keep(self, items: Sequence[Rejected]) -> None:
        """Keeps items, or counts those that are there already.

        Raises:
            Outage: some may be kept, some not; keeping them again only counts too much.
        """
        waiting: dict[str, Rejected] = {}
        for item in items:
            same = waiting.get(item.id)
            waiting[item.id] = item if same is None else replace(item, count=same.count + item.count)
        while waiting:
            operations = [_keep_operation(item) for item in waiting.values()]
            outcome = await bulk_write(self._items, operations)
            # Another replica kept the same item first: now it is there, and can be counted.
            ids = list(waiting)
            waiting = {ids[index]: waiting[ids[index]] for index in outcome.duplicates}

    async def find(self, item_id: str, authority: str | None) -> Rejected | None:
        """One item. `authority` None: whoever's it is."""
        with outages():
            document = await self._items.find_one(_owned({"_id": item_id}, authority))
        return None if document is None else _rejected(document)

    async def page(self, authority: str | None, *, limit: int, after: Cursor | None) -> list[Rejected]:
        """Items in order of first receipt. `authority` None: everybody's."""
        query = _owned({}, authority)
        if after is not None:
            query["$or"] = [
                {"received_at": {"$gt": after.received_at}},
                {"received_at": after.received_at, "_id": {"$gt": after.id}},
            ]
        order = [("received_at", ASCENDING), ("_id", ASCENDING)]
        with outages():
            documents = await self._items.find(query).sort(order).limit(limit).to_list(limit)
        return [_rejected(document) for document in documents]

    async def mark_replayed(self, item_id: str) -> None:
        """The item has come in after all; its content is not needed any more."""
        with outages():
            await self._items.update_one(
                {"_id": item_id}, {"$set": {"status": RejectedStatus.REPLAYED.value, "content": None}}
            )


def _owned(query: dict[str, Any], authority: str | None) -> dict[str, Any]:
    return query if authority is None else query | {"authority": authority}


def _keep_operation(item: Rejected) -> UpdateOne:
    return UpdateOne(
        {"_id": item.id},
        {
            "$setOnInsert": {"authority": item.authority, "received_at": item.received_at},
            "$set": {
                "door": item.door,
                "last_seen_at": item.last_seen_at,
                "content": item.content,
                "reason": item.reason,
                "errors": [asdict(error) for error in item.errors[:MOST_ERRORS]],
                "status": item.status.value,
            },
            "$inc": {"count": item.count},
        },
        upsert=True,
    )


def _rejected(document: dict[str, Any]) -> Rejected:
    fields = {"id" if name == "_id" else name: value for name, value in document.items()}
    fields["errors"] = tuple(FieldError(**error) for error in fields["errors"])
    fields["status"] = RejectedStatus(fields["status"])
    return Rejected(**fields)
