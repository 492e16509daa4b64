"""Who an event is about: its subject behind the door, and what an enrolment tells of the person, which stays here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from services.ingest.aliases import AliasMap, Claim
from services.ingest.people import PersonRecord, fold
from services.ingest.pseudonyms import Pseudonyms, normal_reference
from services.ingest.store import People
from shared.errors import Reject, Stale
from shared.events import DoorEnrolmentChanged, StudentFact
from shared.events.door import DoorEvent

NEW_VERSION = 0


def claim_of(event: DoorEvent) -> Claim | None:
    """What the event says about references; None when it is about no student."""
    if not isinstance(event.data, StudentFact):
        return None
    references = [event.subject]
    if isinstance(event.data, DoorEnrolmentChanged) and (person := event.data.person) is not None:
        references += person.references
        references += [f"civic:{person.national_id}"] if person.national_id else []
    return Claim(event.authority, tuple(dict.fromkeys(map(normal_reference, references))))


class Identities:
    """All that knows who is who."""

    def __init__(self, pseudonyms: Pseudonyms, aliases: AliasMap, people: People) -> None:
        self.pseudonyms = pseudonyms
        self._aliases = aliases
        self._people = people

    async def subjects(self, events: Sequence[DoorEvent]) -> list[str | Reject]:
        """Each event's subject behind the door (a student's pseudonym, else as it came), in order; each knows those before it.

        Raises:
            Outage: the database is away.
        """
        claims = [claim_of(event) for event in events]
        answers = iter(await self._aliases.resolve([claim for claim in claims if claim is not None]))
        return [event.subject if claim is None else next(answers) for event, claim in zip(events, claims, strict=True)]

    async def remember(self, events: Sequence[tuple[DoorEvent, str]]) -> None:
        """Keeps what enrolments tell of the persons behind these pseudonyms.

        Raises:
            Outage: the database is away; repeating is harmless.
        """
        told: dict[str, list[tuple[str, DoorEnrolmentChanged]]] = defaultdict(list)
        for event, pseudonym in events:
            if isinstance(event.data, DoorEnrolmentChanged):
                told[pseudonym].append((event.authority, event.data))
        while told:
            known = await self._people.find(list(told))
            records = {}
            for pseudonym, enrolments in told.items():
                record, version = known.get(pseudonym, (PersonRecord(enrolments[0][0]), NEW_VERSION))
                changed = record
                for _, enrolment in enrolments:
                    changed = fold(changed, enrolment)
                if changed != record:
                    records[pseudonym] = (changed, version)
            try:
                await self._people.replace(records)
            except Stale:
                continue
            return
