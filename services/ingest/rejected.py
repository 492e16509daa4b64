"""What was refused at the door, kept where its publisher can read it, mend it, and send it again.

The same refused item again is counted, not kept twice. Items hold references and names: they are gone 90 days after they
were last seen, and their content as soon as a replay has succeeded. Each authority has room for so many: the oldest makes
room for the newest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import metrics
from shared.errors import FieldError
from shared.mongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

LONGEST_CONTENT = 64 * 1024
KEPT = timedelta(days=90)
MOST_KEPT = 10_000
"""Items of one authority: 640 MB where each is of the longest, some 10 MB of usual ones."""
ROUNDS_OF_ROOM = 5
"""A fifth of the most is added before the oldest are removed: looking for them takes as long as adding hundreds."""
PAGE_LENGTH = 4 * 1024 * 1024
"""Characters of content after which a page ends, however many items were asked for."""
READ_TOGETHER = 50


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
    too long to be kept (64 KiB), or no longer needed. `count`: how often it was refused. `items`: for how many it stands;
    more than one when it sums up those of a request that are not kept one by one.
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
    items: int = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends: the last item's time of receipt and id."""

    received_at: datetime
    id: str


class Page(NamedTuple):
    """Items, and whether there may be more behind them."""

    items: list[Rejected]
    is_cut: bool


class RejectedItems:
    """The collection `rejected`."""

    def __init__(self, database: Database, most_kept: int = MOST_KEPT) -> None:
        """`most_kept`: items of one authority, up to a fifth more for a moment."""
        self._most_kept = most_kept
        self._items: Collection = database["rejected"]
        self._added: Counter[str | None] = Counter()

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
        new: dict[str, Rejected] = {}
        for item in items:
            same = new.get(item.id)
            new[item.id] = item if same is None else replace(item, count=same.count + item.count)
        # Inserted first: an upsert takes five times as long, and most are new.
        outcome = await bulk_write(self._items, [InsertOne(_document(item)) for item in new.values()])
        ids = list(new)
        known = [ids[index] for index in outcome.duplicates]
        while known:
            again = await bulk_write(self._items, [_count_operation(new[one]) for one in known])
            # What has expired meanwhile was kept anew by another replica first: now it is there, and can be counted.
            known = [known[index] for index in again.duplicates]
        await self._make_room(items)

    async def _make_room(self, items: Sequence[Rejected]) -> None:
        self._added.update(item.authority for item in items)
        for authority in [each for each, added in self._added.items() if added >= self._most_kept // ROUNDS_OF_ROOM]:
            del self._added[authority]
            await self._trim(authority)

    async def _trim(self, authority: str | None) -> None:
        """Removes the oldest items of an authority beyond the most, and those that came together with the last of them."""
        newest_first = [("received_at", DESCENDING), ("_id", DESCENDING)]
        fields = {"received_at": True}
        with outages():
            found = self._items.find({"authority": authority}, fields).sort(newest_first).skip(self._most_kept).limit(1)
            for last in await found.to_list(1):
                gone = await self._items.delete_many(
                    {"authority": authority, "received_at": {"$lte": last["received_at"]}}
                )
                metrics.REJECTED_DROPPED.labels(authority or "unknown").inc(gone.deleted_count)

    async def find(self, item_id: str, authority: str | None) -> Rejected | None:
        """One item. `authority` None: whoever's it is."""
        with outages():
            document = await self._items.find_one(_owned({"_id": item_id}, authority))
        return None if document is None else _rejected(document)

    async def page(self, authority: str | None, *, limit: int, after: Cursor | None) -> Page:
        """Items in order of first receipt. `authority` None: everybody's."""
        query = _owned({}, authority)
        if after is not None:
            query["$or"] = [
                {"received_at": {"$gt": after.received_at}},
                {"received_at": after.received_at, "_id": {"$gt": after.id}},
            ]
        order = [("received_at", ASCENDING), ("_id", ASCENDING)]
        found: list[Rejected] = []
        size = 0
        with outages():
            async for document in self._items.find(query).sort(order).limit(limit).batch_size(READ_TOGETHER):
                found.append(_rejected(document))
                size += len(found[-1].content or "")
                if size >= PAGE_LENGTH:
                    return Page(found, is_cut=True)
        return Page(found, is_cut=len(found) == limit)

    async def mark_replayed(self, item_id: str) -> None:
        """The item has come in after all; its content is not needed any more."""
        with outages():
            await self._items.update_one(
                {"_id": item_id}, {"$set": {"status": RejectedStatus.REPLAYED.value, "content": None}}
            )


def _owned(query: dict[str, Any], authority: str | None) -> dict[str, Any]:
    return query if authority is None else query | {"authority": authority}


def _document(item: Rejected) -> dict[str, Any]:
    return {
        "_id": item.id,
        "authority": item.authority,
        "received_at": item.received_at,
        "count": item.count,
    } | _latest(item)


def _latest(item: Rejected) -> dict[str, Any]:
    return {
        "door": item.door,
        "last_seen_at": item.last_seen_at,
        "content": item.content,
        "reason": item.reason,
        "errors": [asdict(error) for error in item.errors],
        "status": item.status.value,
        "items": item.items,
    }


def _count_operation(item: Rejected) -> UpdateOne:
    return UpdateOne(
        {"_id": item.id},
        {
            "$setOnInsert": {"authority": item.authority, "received_at": item.received_at},
            "$set": _latest(item),
            "$inc": {"count": item.count},
        },
        upsert=True,
    )


def _rejected(document: dict[str, Any]) -> Rejected:
    fields = {"id" if name == "_id" else name: value for name, value in document.items()}
    fields["errors"] = tuple(FieldError(**error) for error in fields["errors"])
    fields["status"] = RejectedStatus(fields["status"])
    return Rejected(**fields)
