"""The alias map at work: reads and writes what `services.ingest.aliases` says, until every claim has its answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.ingest.aliases import (
    NEW_VERSION,
    Claim,
    Key,
    Known,
    Linking,
    NewPseudonym,
    Version,
    link,
    unread_national_ids,
)
from services.ingest.people import PersonRecord
from shared import metrics
from shared.errors import Reject, Stale


class AliasStore(Protocol):
    """Where links are kept."""

    async def find(self, keys: Sequence[Key]) -> dict[Key, str]:
        """The links that exist. Raises Outage."""

    async def claim(self, links: Mapping[Key, str], now: datetime) -> dict[Key, str]:
        """Writes links and returns what holds for each key: the first writer's. Raises Outage."""


class PersonStore(Protocol):
    """Where person records are kept."""

    async def find(self, pseudonyms: Sequence[str]) -> dict[str, tuple[PersonRecord, Version]]:
        """The records that exist. Raises Outage."""

    async def replace(self, records: Mapping[str, tuple[PersonRecord, Version]]) -> None:
        """Writes records over the versions that they were made from. Raises Outage, and Stale when one is another by now."""


class AliasMap:
    """Links of references to pseudonyms, remembered in process up to `capacity` (about 250 bytes each)."""

    def __init__(self, store: AliasStore, people: PersonStore, new: NewPseudonym, *, capacity: int = 100_000) -> None:
        self._store = store
        self._people = people
        self._new = new
        self._capacity = capacity
        self._remembered: OrderedDict[Key, str] = OrderedDict()

    async def resolve(self, claims: Sequence[Claim], now: datetime) -> list[str | Reject]:
        """The pseudonym of each claim, in order, or why there is none.

        Raises:
            Outage: the database is away; some links may have been written, which is harmless.
        """
        known = Known()
        await self._look_up(known, list(dict.fromkeys(key for claim in claims for key in claim.keys)))
        linking = link(claims, known, self._new)
        while linking.unread or linking.records or linking.links:
            await self._step(known, linking, now)
            linking = link(claims, known, self._new)
        self._remember(known.links)
        return linking.answers

    async def _step(self, known: Known, linking: Linking, now: datetime) -> None:
        if linking.unread:  # Whatever else was found rests on records that were not read yet.
            await self._read(known, linking.unread)
            return
        if linking.links:
            known.links |= await self._store.claim(linking.links, now)
        if linking.records:
            await self._settle(known, linking)

    async def _look_up(self, known: Known, keys: list[Key]) -> None:
        known.links |= {key: self._remembered[key] for key in keys if key in self._remembered}
        if missing := [key for key in keys if key not in known.links]:
            known.links |= await self._store.find(missing)

    async def _read(self, known: Known, authorities: Mapping[str, str]) -> None:
        found = await self._people.find(list(authorities))
        for pseudonym, authority in authorities.items():
            known.people[pseudonym] = found.get(pseudonym, (PersonRecord(authority), NEW_VERSION))
        await self._look_up(known, unread_national_ids(known, authorities))

    async def _settle(self, known: Known, linking: Linking) -> None:
        try:
            await self._people.replace(linking.records)
        except Stale:
            metrics.CONFLICTS.labels("ingest").inc()
            for pseudonym in linking.records:  # Some may have been written: all are read again.
                del known.people[pseudonym]
        else:
            written = linking.records.items()
            known.people |= {pseudonym: (record, version + 1) for pseudonym, (record, version) in written}

    def _remember(self, links: Mapping[Key, str]) -> None:
        for key, pseudonym in links.items():
            self._remembered[key] = pseudonym
            self._remembered.move_to_end(key)
        while len(self._remembered) > self._capacity:
            self._remembered.popitem(last=False)
