"""The only import of the database driver: connection, compare-and-set in bulk, indexes, errors mapped to our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    WriteConcernError,
)

from shared.error_text import named
from shared.errors import KvarError, Outage, Unclear, Unstorable
from shared.mongo_codes import PASSING_LABELS, Meaning, code_name, meaning

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

_OUTAGES = (ConnectionFailure, ProtocolError, WriteConcernError)
"""Errors of the driver that mean "away, or the outcome unknown", whatever their code."""
_UNENCODABLE = (BSONError, OverflowError, UnicodeEncodeError)
"""What the driver raises for a value that BSON has no form for; in words of its own also for a document that is too large."""
_KINDS: dict[Meaning, type[KvarError]] = {
    Meaning.OUTAGE: Outage,
    Meaning.UNSTORABLE: Unstorable,
    Meaning.UNCLEAR: Unclear,
}
_MOST_CODES = 3


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
    """Around every call of the driver: its errors become ours, by what they mean, and leave their text behind, which quotes
    the operation and with it personal data. Only `DuplicateKeyError` passes as it is, to be caught.

    Raises:
        Outage: the database is away, full, read-only, busy, between two primaries, or the outcome is unknown.
        Unclear: it may be that, or a fault of the operation.
        Unstorable: the database will never take this.
    """
    try:
        yield
    except DuplicateKeyError:
        raise
    except (PyMongoError, *_UNENCODABLE) as error:
        failure = _ours(error)
        try:
            raise failure from None
        finally:
            failure.__context__ = None  # it holds the operation, some megabytes of it at worst


def _ours(error: Exception) -> KvarError:
    return _KINDS[_meaning(error)](f"the database: {_described(error)}")


def _meaning(error: Exception) -> Meaning:
    if isinstance(error, _OUTAGES):
        return Meaning.OUTAGE
    if isinstance(error, _UNENCODABLE):
        return Meaning.UNSTORABLE
    if isinstance(error, PyMongoError) and any(map(error.has_error_label, PASSING_LABELS)):
        return Meaning.OUTAGE
    failures = _failures(error)
    if any(not PASSING_LABELS.isdisjoint(failure.get("errorLabels", ())) for failure in failures):
        return Meaning.OUTAGE
    if isinstance(error, BulkWriteError) and error.details.get("writeConcernErrors"):
        return Meaning.OUTAGE
    return meaning(failure.get("code") for failure in failures)


def _failures(error: Exception) -> list[Mapping[str, Any]]:
    """What the server answered to each write that failed, else to the command; duplicate keys are no failures."""
    if isinstance(error, BulkWriteError):
        each = [*error.details.get("writeErrors", ()), *error.details.get("writeConcernErrors", ())]
        return [failure for failure in each if failure.get("code") != DUPLICATE_KEY]
    answered = isinstance(error, OperationFailure | NotPrimaryError) and isinstance(error.details, Mapping)
    return [error.details] if answered else []  # type: ignore[attr-defined]


def _described(error: Exception) -> str:
    names = {code: name for failure in _failures(error) if (code := failure.get("code")) and (name := code_name(code))}
    if not names:
        return named(error)
    return ", ".join([type(error).__name__, *(f"{names[code]} ({code})" for code in sorted(names)[:_MOST_CODES])])


async def bulk_write(collection: Collection, operations: Sequence[WriteOperation]) -> BulkOutcome:
    """Writes all operations, unordered; duplicate keys are an outcome, everything else an error.

    Raises:
        Outage: the database is away or the outcome unknown: read again before repeating.
        Unstorable: it will never take one of them, and may have taken others.
    """
    if not operations:
        return BulkOutcome(frozenset(), 0, 0, 0)
    with outages():
        try:
            result = await collection.bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            details = error.details
            if _failures(error):
                raise
            return BulkOutcome(
                frozenset(failure["index"] for failure in details["writeErrors"]),
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
        Outage: it does not, for whatever reason: nothing can be wrong with this write.
    """
    try:
        with outages():
            await database["health"].update_one({"_id": service}, {"$inc": {"checks": 1}}, upsert=True)
    except DuplicateKeyError:
        pass  # another replica wrote its first one in this moment
    except (Unclear, Unstorable) as error:
        raise Outage(str(error)) from None
