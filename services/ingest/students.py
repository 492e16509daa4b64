"""Who a reference is, for somebody who asks with the service token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.ingest.identity_store import Aliases, People
from services.ingest.people import PersonRecord
from services.ingest.pseudonyms import KeyedHashes, in_a_space
from services.ingest.spaces import Spaces


@dataclass(frozen=True, slots=True)
class Student:
    """What is known of a reference.

    Attributes:
        space: Where the reference lives; None when it is the authority's.
        under: Its keyed hash, as facts bear it.
        since: When it was first met.
        other_references: How many more are linked to the same student.
        person: As enrolments told.
    """

    pseudonym: str
    space: str | None
    under: str
    since: datetime
    other_references: int
    person: PersonRecord


class Students:
    """Looks references up."""

    def __init__(self, hashes: KeyedHashes, spaces: Spaces, aliases: Aliases, people: People) -> None:
        self._hashes = hashes
        self._spaces = spaces
        self._aliases = aliases
        self._people = people

    async def find(self, authority: str, system: str, reference: str) -> Student | None:
        """The student of a reference, as a system sends it; None when it was never met.

        Raises:
            Outage: the database is away.
        """
        space = self._spaces.of(authority, system)
        under = self._hashes.of_reference(authority, space, reference)
        link = await self._aliases.show((authority, under))
        if link is None:
            return None
        found = await self._people.find([link.pseudonym])
        person, _ = found.get(link.pseudonym, (PersonRecord(authority), 0))
        where = space if in_a_space(reference) else None
        return Student(link.pseudonym, where, under, link.since, link.others, person)
