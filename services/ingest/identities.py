"""Who an event is about: its subject behind the door, and what an enrolment tells of the person, which stays here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.ingest.alias_map import AliasMap, PersonStore
from services.ingest.aliases import NEW_VERSION, Claim, Version
from services.ingest.nationals import read_national_id
from services.ingest.people import PersonRecord, fold
from services.ingest.pseudonyms import KeyedHashes
from services.ingest.spaces import in_space, staff_id
from services.ingest.staff import KnownStaff, StaffClaim, StaffKey, take
from shared import metrics
from shared.errors import Reject, Stale
from shared.events import DoorEnrolmentChanged, StaffChanged, StudentFact
from shared.events.door import DoorEvent

CIVIC = "civic:"


@dataclass(frozen=True, slots=True)
class Entrant:
    """An event at the door, the space of its source, and whether somebody has confirmed it."""

    event: DoorEvent
    space: str
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Identified:
    """An event's subject behind the door: a pseudonym, `staff:SPACE/ID`, else as it came.

    `under`: of a fact about a student, the keyed hash of the reference under which it came.
    """

    subject: str
    under: str | None = None


class StaffStore(Protocol):
    """Where it is kept who a staff id is."""

    async def find(self, keys: Sequence[StaffKey]) -> dict[StaffKey, tuple[KnownStaff, Version]]:
        """The records that exist. Raises Outage."""

    async def replace(self, records: Mapping[StaffKey, tuple[KnownStaff, Version]]) -> None:
        """Writes records over the versions that they were made from. Raises Outage, and Stale when one is another by now."""


def claim_of(entrant: Entrant, hashes: KeyedHashes) -> Claim | None:
    """What the event says about references; None when it is about no student."""
    event, space = entrant.event, entrant.space
    if not isinstance(event.data, StudentFact):
        return None
    references = [(space, event.subject)]
    enrolment = event.data if isinstance(event.data, DoorEnrolmentChanged) else None
    stated: list[str] = []
    if enrolment is not None and (person := enrolment.person) is not None:
        references += [in_space(one, space) for one in person.references]
        stated = [f"{CIVIC}{person.national_id}"] if person.national_id else []
        references += [(space, one) for one in stated]
    keys = {each: hashes.of_reference(event.authority, *each) for each in references}
    if enrolment is not None:
        stated += [reference for _, reference in references if reference.startswith(CIVIC)]
    return Claim(
        event.authority,
        tuple(dict.fromkeys(keys.values())),
        tuple(read_national_id(one.removeprefix(CIVIC), keys[space, one]) for one in dict.fromkeys(stated)),
        enrolment,
        entrant.is_confirmed,
    )


class Identities:
    """All that knows who is who."""

    def __init__(self, hashes: KeyedHashes, aliases: AliasMap, people: PersonStore, staff: StaffStore) -> None:
        self.hashes = hashes
        self._aliases = aliases
        self._people = people
        self._staff = staff

    async def identify(self, entrants: Sequence[Entrant], now: datetime) -> list[Identified | Reject]:
        """Who each event is about, in order, each knowing those before it; or why it contradicts what is known.

        Raises:
            Outage: the database is away.
        """
        claims = [claim_of(entrant, self.hashes) for entrant in entrants]
        students = iter(await self._aliases.resolve([claim for claim in claims if claim is not None], now))
        staff = iter(await self._known_staff([one for one in entrants if isinstance(one.event.data, StaffChanged)]))
        answers: list[Identified | Reject] = []
        for entrant, claim in zip(entrants, claims, strict=True):
            if claim is not None:
                subject = next(students)
                answers.append(subject if isinstance(subject, Reject) else Identified(subject, claim.references[0]))
            elif isinstance(entrant.event.data, StaffChanged):
                answers.append(next(staff))
            else:
                answers.append(Identified(entrant.event.subject))
        return answers

    async def _known_staff(self, entrants: Sequence[Entrant]) -> list[Identified | Reject]:
        claims = [
            StaffClaim((one.event.authority, staff_id(one.event.subject, one.space)), one.event.data, one.is_confirmed)
            for one in entrants
            if isinstance(one.event.data, StaffChanged)
        ]
        while claims:
            known = await self._staff.find(list(dict.fromkeys(claim.staff for claim in claims)))
            answers = take(claims, {key: record for key, (record, _) in known.items()})
            versions = {key: version for key, (_, version) in known.items()}
            try:
                await self._staff.replace(
                    {key: (record, versions.get(key, NEW_VERSION)) for key, record in answers.changed.items()}
                )
            except Stale:
                metrics.CONFLICTS.labels("ingest").inc()
                continue
            said = zip(answers.refusals, claims, strict=True)
            return [refusal or Identified(claim.staff[1]) for refusal, claim in said]
        return []

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
