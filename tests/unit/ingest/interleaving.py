"""Replicas of ingest on collections in memory, stepped one database operation at a time in any order, and killed at any."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from services.ingest.alias_map import AliasMap
from services.ingest.aliases import Key, Version
from services.ingest.identities import Entrant, Identified, Identities
from services.ingest.people import PersonRecord
from services.ingest.pseudonyms import KeyedHashes
from services.ingest.staff import KnownStaff, StaffKey
from shared.errors import Reject, Stale
from tests.unit.ingest.builders import NOW

HASHES = KeyedHashes("a secret of thirty-two characters")


class Turn:
    """Waits until it is this replica's turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class Links:
    """The collection of links: the first writer wins."""

    links: dict[Key, str] = field(default_factory=dict)
    finds: int = 0

    async def find(self, keys: Sequence[Key]) -> dict[Key, str]:
        await Turn()
        self.finds += 1
        return {key: self.links[key] for key in keys if key in self.links}

    async def claim(self, links: Mapping[Key, str], _now: datetime) -> dict[Key, str]:
        held = {}
        for key, pseudonym in links.items():
            await Turn()
            held[key] = self.links.setdefault(key, pseudonym)
        return held


@dataclass
class Records:
    """A collection of records under compare-and-set; of several some may be written and some not."""

    records: dict[Any, tuple[Any, Version]] = field(default_factory=dict)

    async def find(self, keys: Sequence[Any]) -> dict[Any, tuple[Any, Version]]:
        await Turn()
        return {key: self.records[key] for key in keys if key in self.records}

    async def replace(self, records: Mapping[Any, tuple[Any, Version]]) -> None:
        lost = False
        for key, (record, version) in records.items():
            await Turn()
            if self.records.get(key, (None, 0))[1] == version:
                self.records[key] = (record, version + 1)
            else:
                lost = True
        if lost:
            raise Stale("somebody was faster")


@dataclass
class People(Records):
    records: dict[str, tuple[PersonRecord, Version]] = field(default_factory=dict)


@dataclass
class Staff(Records):
    records: dict[StaffKey, tuple[KnownStaff, Version]] = field(default_factory=dict)


@dataclass
class Collections:
    """What all replicas share."""

    links: Links = field(default_factory=Links)
    people: People = field(default_factory=People)
    staff: Staff = field(default_factory=Staff)
    numbers: count[int] = field(default_factory=count)

    def new(self) -> str:
        return f"p{next(self.numbers)}"

    def replica(self) -> Identities:
        return Identities(HASHES, AliasMap(self.links, self.people, self.new), self.people, self.staff)


async def take(replica: Identities, entrants: Sequence[Entrant]) -> list[Identified | Reject]:
    """As the intake does before it archives."""
    answers = await replica.identify(entrants, NOW)
    accepted = [
        (entrant.event, answer.subject)
        for entrant, answer in zip(entrants, answers, strict=True)
        if isinstance(answer, Identified)
    ]
    await replica.remember(accepted)
    return answers


def run(
    work: Sequence[Callable[[], Coroutine[Any, Any, list[Identified | Reject]]]],
    choose: Callable[[int], int] = lambda _: 0,
    kill: Callable[[], bool] = lambda: False,
) -> list[list[Identified | Reject]]:
    """Runs all to their ends, each step of one that is chosen; what is killed begins anew.

    Args:
        work: Makes what is to be run.
        choose: Which of so many takes the next step.
        kill: Whether that one dies instead.
    """
    running = dict(enumerate(make() for make in work))
    answers: dict[int, list[Identified | Reject]] = {}
    try:
        while running:
            which = sorted(running)[choose(len(running))]
            if kill():
                running[which].close()
                running[which] = work[which]()
                continue
            try:
                running[which].send(None)
            except StopIteration as end:
                answers[which] = end.value
                del running[which]
    finally:
        for one in running.values():
            one.close()
    return [answers[which] for which in range(len(work))]
