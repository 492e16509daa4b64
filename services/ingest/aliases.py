"""Who is who: the references of an authority's systems to one student, linked to one pseudonym, for ever.

The first writer of a reference wins, so a link never changes and may be remembered. Facts may arrive before the enrolment that
links their references; when two references have become two students that way, linking them is refused, not guessed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import FieldError, Reject

TWO_STUDENTS = Reject(
    "the references are already known as different students",
    (FieldError("$.data.person.references", "references of different students", "references of one student"),),
)

Derive = Callable[[str, str], str]
"""Pseudonym of (authority, reference)."""

Key = tuple[str, str]
"""Authority and reference."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One event's statement that these references (at least one) mean one student."""

    authority: str
    references: tuple[str, ...]

    @property
    def keys(self) -> list[Key]:
        """The references within their authority."""
        return [(self.authority, reference) for reference in self.references]


class AliasStore(Protocol):
    """Where links are kept."""

    async def find(self, keys: Sequence[Key]) -> dict[Key, str]:
        """The links that exist. Raises Outage."""

    async def claim(self, links: Mapping[Key, str]) -> dict[Key, str]:
        """Writes links and returns what holds for each key: the first writer's. Raises Outage."""


@dataclass(slots=True)
class Linking:
    """What `link` found: one answer for each claim, and the links to write before it can be relied upon."""

    answers: list[str | Reject] = field(default_factory=list)
    writes: dict[Key, str] = field(default_factory=dict)


def link(claims: Sequence[Claim], stored: Mapping[Key, str], derive: Derive) -> Linking:
    """Resolves claims in order, each knowing those before it.

    A new student's first reference is written before the others, so that a replica that writes it at the same moment is
    noticed before anything hangs on it: whoever calls writes, adds what holds to `stored`, and links again until
    nothing is left to write.
    """
    linking = Linking()
    supposed: dict[Key, str] = {}
    for claim in claims:
        keys = claim.keys
        firm = {stored[key] for key in keys if key in stored}
        known = firm | {supposed[key] for key in keys if key in supposed}
        if len(known) > 1:
            linking.answers.append(TWO_STUDENTS)
            continue
        pseudonym = next(iter(known)) if known else derive(*keys[0])
        new = [key for key in keys if key not in stored]
        supposed |= dict.fromkeys(new, pseudonym)
        if firm:
            linking.writes |= dict.fromkeys(new, pseudonym)
        elif not known:
            linking.writes[keys[0]] = pseudonym
        linking.answers.append(pseudonym)
    return linking


class AliasMap:
    """Links of references to pseudonyms, remembered in process up to `capacity` (about 250 bytes each)."""

    def __init__(self, store: AliasStore, derive: Derive, *, capacity: int = 100_000) -> None:
        self._store = store
        self._derive = derive
        self._capacity = capacity
        self._remembered: OrderedDict[Key, str] = OrderedDict()

    async def resolve(self, claims: Sequence[Claim]) -> list[str | Reject]:
        """The pseudonym of each claim, in order, or why there is none.

        Raises:
            Outage: the database is away; some links may have been written, which is harmless.
        """
        wanted = {key for claim in claims for key in claim.keys}
        stored = {key: self._remembered[key] for key in wanted if key in self._remembered}
        if unknown := [key for key in wanted if key not in stored]:
            stored |= await self._store.find(unknown)
        linking = link(claims, stored, self._derive)
        while linking.writes:
            stored |= await self._store.claim(linking.writes)
            linking = link(claims, stored, self._derive)
        self._remember(stored)
        return linking.answers

    def _remember(self, links: Mapping[Key, str]) -> None:
        for key, pseudonym in links.items():
            self._remembered[key] = pseudonym
            self._remembered.move_to_end(key)
        while len(self._remembered) > self._capacity:
            self._remembered.popitem(last=False)
