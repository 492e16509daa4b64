"""Replicas of ingest within the test: on the real database, with a broker that confirms or not, and a life that may end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from services.ingest.alias_map import AliasMap
from services.ingest.aliases import Key
from services.ingest.arrivals import Arrival, Door
from services.ingest.identities import Identities
from services.ingest.identity_store import Aliases, People, StaffRecords
from services.ingest.intake import Intake
from services.ingest.people import PersonRecord
from services.ingest.pseudonyms import KeyedHashes, new_pseudonym
from services.ingest.publishing import Publishing
from services.ingest.rejected import RejectedItems
from services.ingest.spaces import Spaces
from services.ingest.store import EventArchive
from shared.errors import Outage
from tests.integration.ingest.stage import PSEUDONYM_KEY, new_id, now
from tests.unit.ingest.builders import attendance, text

if TYPE_CHECKING:
    from shared.mongo import Database

OWN = frozenset({"2480"})
SHARDS = 8


class Broker:
    """Confirms everything or nothing, and keeps what it confirmed."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.confirmed: list[tuple[str, bytes]] = []

    async def __call__(self, body: bytes, *, routing_key: str, message_id: str) -> None:  # noqa: ARG002
        await asyncio.sleep(0)
        if self.is_away:
            raise Outage("the broker is away")
        self.confirmed.append((message_id, body))


class Life:
    """What a replica has left: so many operations on who is who, then its database is away for ever."""

    def __init__(self, operations: int = 1_000_000) -> None:
        self.operations = operations

    def spend(self) -> None:
        self.operations -= 1
        if self.operations < 0:
            raise Outage("dead")


class MortalAliases(Aliases):
    def __init__(self, database: Database, life: Life) -> None:
        super().__init__(database)
        self._life = life

    async def claim(self, links: Mapping[Key, str], now: datetime) -> dict[Key, str]:
        self._life.spend()
        return await super().claim(links, now)


class MortalPeople(People):
    def __init__(self, database: Database, life: Life) -> None:
        super().__init__(database)
        self._life = life

    async def replace(self, records: Mapping[str, tuple[PersonRecord, int]]) -> None:
        self._life.spend()
        await super().replace(records)


def replica(database: Database, broker: Broker, life: Life | None = None) -> Intake:
    """Another ingest on the same collections."""
    life = life or Life()
    people = MortalPeople(database, life)
    aliases = AliasMap(MortalAliases(database, life), people, new_pseudonym)
    identities = Identities(KeyedHashes(PSEUDONYM_KEY), aliases, people, StaffRecords(database))
    return Intake(
        EventArchive(database),
        identities,
        RejectedItems(database),
        Publishing(broker, SHARDS),
        zone=ZoneInfo("Europe/Stockholm"),
        spaces=Spaces(),
    )


async def pseudonym_of(database: Database, reference: str) -> str | None:
    """As the replicas know it, in the space of the system `test`."""
    key = ("2480", KeyedHashes(PSEUDONYM_KEY).of_reference("2480", "test", reference))
    return (await Aliases(database).find([key])).get(key)


def arrival(item: dict[str, Any]) -> Arrival:
    return Arrival(text(item), OWN, "2480")


async def receive(intake: Intake, *items: dict[str, Any]) -> list[str]:
    outcomes = await intake.receive([arrival(item) for item in items], door=Door.HTTP, now=now())
    return [outcome.status.value for outcome in outcomes]


def lesson(student: str = "id:recovery", **changes: Any) -> dict[str, Any]:
    return attendance(student, now=now(), id=new_id(), **changes)
