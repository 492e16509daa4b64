"""The collections of who is who. Nothing else reads or writes them, and this is the only place that knows their fields.

| collection | one document | |
| --- | --- | --- |
| `aliases` | a reference's pseudonym, since when | `_id`: authority, `|`, keyed hash of the reference; never changed |
| `people` | a person's names and flags, keyed hashes of national ids | `_id`: pseudonym |
| `staff_known` | name and address of a staff id as last accepted | `_id`: authority, `|`, `staff:SPACE/ID` |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from services.ingest.aliases import NEW_VERSION, Key, Version
from services.ingest.nationals import KnownIds, NationalId
from services.ingest.people import PersonRecord
from services.ingest.reading import find_by_id
from services.ingest.staff import KnownStaff, StaffKey
from shared.errors import Stale
from shared.mongo import ASCENDING, IndexModel, InsertOne, UpdateOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database


@dataclass(frozen=True, slots=True)
class Link:
    """A reference's link. `since`: when it was first met; `others`: how many more references are linked to the pseudonym."""

    pseudonym: str
    since: datetime
    others: int


class Aliases:
    """Links of references to pseudonyms, see `services.ingest.aliases`."""

    def __init__(self, database: Database) -> None:
        self._links: Collection = database["aliases"]

    async def prepare(self) -> None:
        """Creates indexes."""
        await ensure_indexes(self._links, [IndexModel([("pseudonym", ASCENDING)])])

    async def find(self, keys: Sequence[Key]) -> dict[Key, str]:
        """The links that exist."""
        by_id = {_id(key): key for key in keys}
        found = await find_by_id(self._links, list(by_id))
        return {by_id[document["_id"]]: document["pseudonym"] for document in found}

    async def claim(self, links: Mapping[Key, str], now: datetime) -> dict[Key, str]:
        """Writes links; returns what holds for each key: the first writer's."""
        keys = list(links)
        outcome = await bulk_write(
            self._links, [InsertOne({"_id": _id(key), "pseudonym": links[key], "since": now}) for key in keys]
        )
        return dict(links) | await self.find([keys[index] for index in outcome.duplicates])

    async def show(self, key: Key) -> Link | None:
        """One link, for somebody who asks."""
        with outages():
            document = await self._links.find_one({"_id": _id(key)})
            if document is None:
                return None
            count = await self._links.count_documents({"pseudonym": document["pseudonym"]})
        return Link(document["pseudonym"], document["since"], count - 1)


class People:
    """Names and flags of persons. They leave through internal endpoints only."""

    def __init__(self, database: Database) -> None:
        self._people: Collection = database["people"]

    async def find(self, pseudonyms: Sequence[str]) -> dict[str, tuple[PersonRecord, Version]]:
        """Records and their versions, by pseudonym."""
        found = await find_by_id(self._people, pseudonyms)
        return {document["_id"]: (_person(document), document["version"]) for document in found}

    async def replace(self, records: Mapping[str, tuple[PersonRecord, Version]]) -> None:
        """Writes records over the version they were made from (0: none).

        Raises:
            Stale: another replica was faster with one of them: read again.
        """
        await _replace(self._people, {each: (_person_fields(one), old) for each, (one, old) in records.items()})


class StaffRecords:
    """What was last accepted of each staff id."""

    def __init__(self, database: Database) -> None:
        self._staff: Collection = database["staff_known"]

    async def find(self, keys: Sequence[StaffKey]) -> dict[StaffKey, tuple[KnownStaff, Version]]:
        """Records and their versions."""
        by_id = {_id(key): key for key in keys}
        found = await find_by_id(self._staff, list(by_id))
        return {
            by_id[each["_id"]]: (KnownStaff(each["name"], each["email"], each["revision"]), each["version"])
            for each in found
        }

    async def replace(self, records: Mapping[StaffKey, tuple[KnownStaff, Version]]) -> None:
        """Writes records over the version they were made from (0: none).

        Raises:
            Stale: another replica was faster with one of them: read again.
        """
        await _replace(self._staff, {_id(key): (asdict(one), version) for key, (one, version) in records.items()})


async def _replace(collection: Collection, documents: Mapping[str, tuple[dict[str, Any], Version]]) -> None:
    operations = [
        UpdateOne(
            {"_id": each, "version": version},
            {"$set": {**fields, "version": version + 1}},
            upsert=version == NEW_VERSION,
        )
        for each, (fields, version) in documents.items()
    ]
    outcome = await bulk_write(collection, operations)
    if outcome.matched + outcome.upserted < len(operations):
        raise Stale(f"{collection.name}: a record was changed meanwhile")


def _id(key: tuple[str, str]) -> str:
    authority, rest = key
    return f"{authority}|{rest}"


def _person_fields(record: PersonRecord) -> dict[str, Any]:
    turns_18_on = record.turns_18_on
    return {**asdict(record), "turns_18_on": turns_18_on.isoformat() if turns_18_on else None}


def _person(document: dict[str, Any]) -> PersonRecord:
    fields = {name: value for name, value in document.items() if name not in {"_id", "version"}}
    if (turns_18_on := fields["turns_18_on"]) is not None:
        fields["turns_18_on"] = date.fromisoformat(turns_18_on)
    known = fields["national_ids"]
    valid = NationalId(**known["valid"]) if known["valid"] is not None else None
    fields["national_ids"] = KnownIds(valid, tuple(known["other"]))
    return PersonRecord(**fields)
