"""The one way in, for every door: check, resolve, archive, publish, answer. Nothing is accepted that could be lost."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

import orjson

from services.ingest import checks
from services.ingest.arrivals import Arrival, Door, Outcome, Status, Turn, Unreadable
from services.ingest.bodies import LONGEST_ITEM, read_item
from services.ingest.composing import in_nfc
from services.ingest.contradictions import Contradiction
from services.ingest.identities import Entrant, Identified, Identities
from services.ingest.publishing import Publishing
from services.ingest.refusals import Refusals, responsible, unreadable
from services.ingest.rejected import Rejected, RejectedItems
from services.ingest.spaces import Spaces, staff_id
from services.ingest.store import Archived, EventArchive, UnpublishedBatch, archive_key
from shared import metrics
from shared.errors import FieldError, Outage, Reject, decoding
from shared.events import DOOR_TYPES, DoorEnrolmentChanged, canonical_json
from shared.events.door import DoorEnrolmentEvent, DoorEvent, DoorStaffEvent

TOGETHER = 500
"""Items archived and published together: longer batches gain nothing and delay the first."""
BYTES_TOGETHER = 2 * 1024 * 1024
"""Text of the items that are read at the same time: they take many times as much room then."""
SLICE_SECONDS = 0.002
"""Computing after which others have the loop in between."""

CHANGED = (
    "known with different content: what was accepted first stands; a correction needs a new id and a higher revision"
)


@dataclass(slots=True)
class Candidate:
    """An item that may come in. `entrant`: its event and where that one's references live."""

    position: int
    item: dict[str, Any]
    entrant: Entrant
    key: str
    digest: str

    @property
    def event(self) -> DoorEvent:
        """The event."""
        return self.entrant.event


@dataclass(slots=True)
class Batch:
    """Items that are taken together, and what is known of them so far, by position."""

    arrivals: Sequence[Arrival]
    door: Door
    now: datetime
    told: Refusals
    items: list[Any] = field(default_factory=list)
    cleaned: dict[int, Any] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    refusals: list[Rejected] = field(default_factory=list)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    contradictions: Counter[tuple[str, str]] = field(default_factory=Counter)


class Intake:
    """The core of ingest. Any number may run side by side on the same collections."""

    def __init__(
        self,
        archive: EventArchive,
        identities: Identities,
        rejected: RejectedItems,
        publishing: Publishing,
        *,
        zone: tzinfo,
        spaces: Spaces,
    ) -> None:
        self._archive = archive
        self._identities = identities
        self._rejected = rejected
        self._publishing = publishing
        self._zone = zone
        self._spaces = spaces

    async def receive(
        self, arrivals: Sequence[Arrival], *, door: Door, now: datetime, turn: Turn = nullcontext
    ) -> list[Outcome]:
        """See `Receiver`."""
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        told = Refusals(self._identities.hashes, door, now)
        outcomes: list[Outcome] = []
        for some in together(arrivals):
            batch = Batch(some, door, now, told)
            async with turn():
                await self._take(batch)
            outcomes += [batch.outcomes[position] for position in range(len(some))]
        if (summed := told.sum()) is not None:
            await self._rejected.keep([summed])
        return outcomes

    async def _take(self, batch: Batch) -> None:
        firsts: dict[str, Candidate] = {}
        repeats: list[tuple[Candidate, Candidate]] = []
        for candidate in await self._checked(batch):
            first = firsts.setdefault(candidate.key, candidate)
            if first is not candidate:
                repeats.append((candidate, first))
        await self._accept(batch, firsts)
        for repeat, first in repeats:
            self._answer_repeat(batch, repeat, first)
        await self._rejected.keep(batch.refusals)
        _count(batch)

    async def _checked(self, batch: Batch) -> list[Candidate]:
        candidates = []
        began = time.monotonic()
        for position, arrival in enumerate(batch.arrivals):
            batch.items.append(read_item(arrival.text))
            try:
                with decoding():
                    candidates.append(self._check(batch, position, arrival))
            except Reject as refusal:
                self._refuse(batch, position, refusal)
            if time.monotonic() - began > SLICE_SECONDS:
                await asyncio.sleep(0)
                began = time.monotonic()
        return candidates

    def _check(self, batch: Batch, position: int, arrival: Arrival) -> Candidate:
        read = batch.items[position]
        if isinstance(read, Unreadable):
            raise unreadable(read)
        cleaned = checks.clean(read)
        batch.cleaned[position] = item = cleaned.item
        for name in cleaned.dropped:
            batch.dropped[responsible(arrival, read) or "unknown", name] += 1
        event = checks.check(item, arrival.authorities, batch.now, self._zone, self._spaces)
        digest = self._identities.hashes.of_content(event.authority, _content(item))
        entrant = Entrant(event, self._spaces.of_event(event), arrival.is_confirmed)
        return Candidate(position, item, entrant, archive_key(event.source, event.id), digest)

    async def _accept(self, batch: Batch, firsts: dict[str, Candidate]) -> None:
        """Archives and publishes what is new, and publishes again what is archived but was not confirmed."""
        # What changes who is known is looked up first, since it does so before it is archived; for all others the insert tells.
        known = await self._archive.find(
            key for key, each in firsts.items() if isinstance(each.event, DoorEnrolmentEvent | DoorStaffEvent)
        )
        fresh = await self._resolved(batch, [each for key, each in firsts.items() if key not in known])
        note = UnpublishedBatch(uuid.uuid4().hex, batch.now, tuple(event.key for event in fresh))
        met = await self._archive.add(note, fresh) if fresh else set()
        known |= await self._archive.find(met)
        again = await self._archive.unpublished(known.values())
        await self._publish(note, [event for event in fresh if event.key not in met], [known[key] for key in again])
        for key, candidate in firsts.items():
            if key in known and key not in again:
                self._answer_duplicate(batch, candidate, known[key].digest)
            elif candidate.position not in batch.outcomes:
                batch.outcomes[candidate.position] = Outcome(Status.ACCEPTED, candidate.event.id)

    async def _resolved(self, batch: Batch, candidates: list[Candidate]) -> list[Archived]:
        """The candidates as they will be archived; those that contradict what is known of who somebody is are refused."""
        answers = await self._identities.identify([candidate.entrant for candidate in candidates], batch.now)
        resolved = []
        for candidate, answer in zip(candidates, answers, strict=True):
            if isinstance(answer, Contradiction):
                batch.contradictions[candidate.event.authority, answer.kind] += 1
            if isinstance(answer, Reject):
                self._refuse(batch, candidate.position, answer)
            else:
                resolved.append((candidate, answer))
        await self._identities.remember([(candidate.event, answer.subject) for candidate, answer in resolved])
        return [_archived(candidate, answer, batch.now) for candidate, answer in resolved]

    async def _publish(self, note: UnpublishedBatch, new: list[Archived], again: list[Archived]) -> None:
        problems = await self._publishing.publish_all([*new, *again])
        if note.keys:
            await self._archive.note_published(note.batch, [key for key in note.keys if key in problems])
        if outages := [each for each in problems.values() if isinstance(each, Outage)]:
            raise Outage(f"{len(outages)} events are archived but not confirmed: {outages[0]}")

    def _refuse(self, batch: Batch, position: int, refusal: Reject) -> None:
        arrival, item = batch.arrivals[position], batch.items[position]
        outcome, rejected = batch.told.add(arrival, item, batch.cleaned.get(position), refusal)
        batch.outcomes[position] = outcome
        if rejected is not None:
            batch.refusals.append(rejected)

    def _answer_repeat(self, batch: Batch, repeat: Candidate, first: Candidate) -> None:
        """A repetition within the batch shares the fate of the first."""
        outcome = batch.outcomes[first.position]
        if outcome.status is Status.REJECTED:
            batch.outcomes[repeat.position] = outcome
        else:
            self._answer_duplicate(batch, repeat, first.digest)

    def _answer_duplicate(self, batch: Batch, candidate: Candidate, digest: str) -> None:
        note = None if candidate.digest == digest else CHANGED
        batch.outcomes[candidate.position] = Outcome(Status.DUPLICATE, candidate.event.id, note=note)


def together(arrivals: Sequence[Arrival]) -> Iterator[Sequence[Arrival]]:
    """The arrivals, as many at once as are taken together: at least one."""
    start, size = 0, 0
    for end, arrival in enumerate(arrivals):
        if end > start and (end - start == TOGETHER or size + len(arrival.text) > BYTES_TOGETHER):
            yield arrivals[start:end]
            start, size = end, 0
        size += len(arrival.text)
    if start < len(arrivals):
        yield arrivals[start:]


def _content(item: dict[str, Any]) -> bytes:
    """What the event says, the same for either spelling of its letters in Unicode."""
    content = canonical_json(item)
    if len(content) > LONGEST_ITEM:  # some numbers are longer when they are written out
        found, expected = f"{len(content)} bytes", f"at most {LONGEST_ITEM} bytes"
        raise Reject("the event is too long", (FieldError("$", found, expected),))
    return in_nfc(content.decode()).encode()


def _archived(candidate: Candidate, identified: Identified, now: datetime) -> Archived:
    """The event at rest: everything the publisher said but forbidden fields and who the student is."""
    event = candidate.event
    data = {name: value for name, value in candidate.item["data"].items() if name != "person"}
    data |= _coaches(candidate.entrant)
    stamps = {"recordedtime": now.isoformat(), "under": identified.under}
    item = candidate.item | {"subject": identified.subject, **stamps, "data": data}
    return Archived(
        key=candidate.key,
        authority=event.authority,
        type=event.type,
        subject=identified.subject,
        recorded_at=now,
        digest=candidate.digest,
        event=orjson.dumps(item).decode(),
    )


def _coaches(entrant: Entrant) -> dict[str, Any]:
    """The coaches of an enrolment as they are called behind the door."""
    place, space = entrant.event.data, entrant.space
    if not isinstance(place, DoorEnrolmentChanged):
        return {}
    coach = {"coach": staff_id(place.coach, space)} if place.coach is not None else {}
    return coach | ({"coaches": [staff_id(one, space) for one in place.coaches]} if place.coaches else {})


def _count(batch: Batch) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    for position, outcome in batch.outcomes.items():
        arrival, item = batch.arrivals[position], batch.items[position]
        kind = item.get("type") if isinstance(item, dict) else None
        known = isinstance(kind, str) and kind in DOOR_TYPES
        counts[responsible(arrival, item) or "unknown", str(kind) if known else "unknown", _counted_as(outcome)] += 1
    for labels, count in counts.items():
        metrics.EVENTS.labels(*labels).inc(count)
    for (authority, name), count in batch.dropped.items():
        metrics.DROPPED_FIELDS.labels(authority, name).inc(count)
    for (authority, kind), count in batch.contradictions.items():
        metrics.CONTRADICTIONS.labels(authority, kind).inc(count)


def _counted_as(outcome: Outcome) -> str:
    return "changed" if outcome.note is not None else outcome.status.value
