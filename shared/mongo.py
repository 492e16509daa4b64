"""The only import of the database driver: connection, compare-and-set in bulk, indexes, errors mapped to our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from shared.errors import Outage

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase

    Document = dict[str, Any]
    Database = AsyncIOMotorDatabase[Document]
    Collection = AsyncIOMotorCollection[Document]
    WriteOperation = InsertOne[Document] | UpdateOne | UpdateMany | ReplaceOne[Document] | DeleteOne

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "BulkOutcome",
    "DeleteOne",
    "DuplicateKeyError",
    "IndexModel",
    "InsertOne",
    "ReplaceOne",
    "UpdateMany",
    "UpdateOne",
    "bulk_write",
    "connect",
    "ensure_indexes",
    "outages",
    "writable",
]

DUPLICATE_KEY = 11000
TIMEOUT_MS = 10_000

_OUTAGES = (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of an unordered bulk write. `duplicates`: positions of operations that met an existing key."""

    duplicates: frozenset[int]
    matched: int
    modified: int
    upserted: int


def connect(url: str, database: str, *, service: str) -> Database:
    """A database handle with majority writes. Connects lazily: the first use may raise, see `outages`."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        url,
        appname=f"kvar-{service}",
        tz_aware=True,
        w="majority",
        serverSelectionTimeoutMS=TIMEOUT_MS,
        connectTimeoutMS=TIMEOUT_MS,
        socketTimeoutMS=3 * TIMEOUT_MS,
        wTimeoutMS=TIMEOUT_MS,
        maxPoolSize=20,
    )
    return client[database]


@contextmanager
def outages() -> Iterator[None]:
    """Turns every driver error that means "away, or outcome unknown" into `Outage`; all others pass."""
    try:
        yield
    except _OUTAGES as error:
        raise Outage(f"the database: {error}") from error


async def bulk_write(collection: Collection, operations: Sequence[WriteOperation]) -> BulkOutcome:
    """Writes all operations, unordered; duplicate keys are an outcome, everything else an error.

    Raises:
        Outage: the database is away or the outcome unknown: read again before repeating.
    """
    if not operations:
        return BulkOutcome(frozenset(), 0, 0, 0)
    with outages():
        try:
            result = await collection.bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            details = error.details or {}
            failures = details.get("writeErrors", [])
            if details.get("writeConcernErrors"):
                raise Outage("the database: write concern not met") from error
            if any(failure["code"] != DUPLICATE_KEY for failure in failures):
                raise
            return BulkOutcome(
                frozenset(failure["index"] for failure in failures),
                details.get("nMatched", 0),
                details.get("nModified", 0),
                details.get("nUpserted", 0),
            )
    return BulkOutcome(frozenset(), result.matched_count, result.modified_count, result.upserted_count)


async def ensure_indexes(collection: Collection, indexes: Sequence[IndexModel]) -> None:
    """Creates the indexes that are missing."""
    with outages():
        await collection.create_indexes(list(indexes))


async def writable(database: Database, service: str) -> None:
    """Proves with one real write that the database takes writes.

    Raises:
        Outage: it does not.
    """
    with outages():
        await database["health"].update_one({"_id": service}, {"$inc": {"checks": 1}}, upsert=True)
