"""One batch of events to new scores, with exactly-once effect: the algorithm, over any store and publisher.

1. keep the facts (append-only, repetitions are harmless);
2. read the students, and only then any further facts: the other order loses updates;
3. apply and assess (pure); a change of level and an alert that has become wrong add outbox entries with the next numbers;
4. write all by compare-and-set; who was overtaken is read again and redone, alone;
5. publish score and outbox of every student of the batch, also where all was repetition: a replica may have died between
   writing and publishing; then clear the outboxes. Only a score that says the same as the one before is not said again.
   Likewise note where students are to be found, and ask their school units to look at their groups again;
6. only then may the caller acknowledge.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.scoring.facts import Fact, LessonFact
from services.scoring.messages import Assessed, Change, announce, digest, scored
from services.scoring.records import STATE_FORMAT, Basis, KeptFact, Noted, OutboxEntry, StudentRecord, Unit
from services.scoring.retention import kept_from
from services.scoring.rule_store import RuleBook
from services.scoring.store import ScoringStore, Write
from services.scoring.student import EVERYTHING, NOTHING, Raised, Student, from_facts
from shared import metrics
from shared.events import RiskScoredEvent
from shared.messaging.broker import Publish
from shared.messaging.topology import SCORED_KEY
from shared.waiting import through_outages

SERVICE = "scoring"

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A fact as it comes from the queue, with the authority it belongs to."""

    kept: KeptFact
    authority: str


@dataclass(slots=True)
class Work:
    """What there is to do for one student; with nothing in it, the student is assessed by the rules of today."""

    authority: str
    kept: list[KeptFact] = field(default_factory=list)
    noted: Noted | None = None
    noted_by: Unit | None = None


@dataclass(frozen=True, slots=True)
class Rescored:
    """A student after a batch: `entries` are new in the outbox; `score` is to be published, None when it is no news.

    `units`: school units whose groups may say something else now. `is_to_list`: where the student is found may have changed.
    `is_refreshed`: found by what its state was made by.
    """

    record: StudentRecord
    changed: bool
    entries: Sequence[OutboxEntry]
    score: RiskScoredEvent | None
    units: frozenset[Unit | None] = frozenset()
    is_to_list: bool = False
    is_refreshed: bool = False


class Rescoring:
    """Processes batches. Any number of replicas may run side by side.

    `school_years`: for how many school years lessons are kept, this one included.
    """

    def __init__(
        self, store: ScoringStore, publish: Publish, clock: Clock, book: RuleBook, school_years: int = 2
    ) -> None:
        self._store = store
        self._book = book
        self._publish = publish
        self._clock = clock
        self._school_years = school_years
        self._authorities: set[str] = set()

    async def process(self, batch: Sequence[Incoming]) -> Sequence[None]:
        """Handles a batch of facts to the end, through outages and conflicts."""
        metrics.BATCH_SIZE.labels(SERVICE).observe(len(batch))
        first_kept = self._kept_from()
        kept = [item for item in batch if not _is_before(item.kept.fact, first_kept)]
        metrics.BEYOND_RETENTION.inc(len(batch) - len(kept))
        await through_outages(lambda: self._store.keep_facts([item.kept for item in kept]), service=SERVICE)
        work: dict[str, Work] = {}
        for item in kept:
            work.setdefault(item.kept.student, Work(item.authority)).kept.append(item.kept)
        await self._settle(work)
        now = self._clock()
        for item in batch:
            metrics.EVENT_TO_SCORE.observe(max(0.0, (now - item.kept.recorded_time).total_seconds()))
        return [None] * len(batch)

    async def note(self, unit: Unit, notes: Mapping[str, Noted]) -> None:
        """Takes down what their groups say of a unit's students; the score that says something new by it is told. A student who
        has left the unit meanwhile is left alone.
        """
        await self._settle(
            {student: Work(unit.authority, noted=noted, noted_by=unit) for student, noted in notes.items()}
        )

    async def refresh(self, limit: int) -> int:
        """Assesses students anew whose state was made by older rules, another format, or lessons that are kept no longer.

        Returns how many there were, `limit` at most.
        """
        await self._book.look(at_once=True)
        students: list[str] = []
        for authority in await self._store.authorities():
            basis = Basis(self._kept_from(), STATE_FORMAT, self._book.model(authority).number)
            students += await self._store.outdated(authority, basis, limit - len(students))
            if len(students) == limit:
                break
        await self._settle({student: Work("") for student in students})
        return len(students)

    async def _settle(self, work: dict[str, Work]) -> None:
        remaining = work
        while remaining:
            attempt = remaining
            overtaken = await through_outages(lambda work=attempt: self._attempt(work), service=SERVICE)  # type: ignore[misc]
            metrics.CONFLICTS.labels(SERVICE).inc(len(overtaken))
            remaining = {student: attempt[student] for student in overtaken}

    async def _attempt(self, work: dict[str, Work]) -> Collection[str]:
        await self._book.look()
        records = await self._store.read_students({student: each.authority for student, each in work.items()})
        if any(record.basis.rules > self._book.model(record.authority).number for record in records.values()):
            await self._book.look(at_once=True)
        done = [await self._rescore(records[student], each) for student, each in work.items()]
        rescored = [one for one in done if one is not None]
        overtaken = await self._store.write_students(
            [Write(one.record, one.entries) for one in rescored if one.changed]
        )
        await self._tell([one for one in rescored if one.record.id not in overtaken])
        return overtaken

    async def _rescore(self, record: StudentRecord, work: Work) -> Rescored | None:
        if (not record.rev and not work.kept) or (work.noted_by is not None and work.noted_by != record.unit):
            return None
        model = self._book.model(record.authority)
        facts = [item.fact for item in work.kept]
        basis, unit = record.basis, record.unit
        record.basis = basis.joined(Basis(self._kept_from(), STATE_FORMAT, model.number))
        is_outdated = record.rev > 0 and record.basis != basis
        needs = EVERYTHING if is_outdated else record.state.needs(facts)
        news: Sequence[Fact] = facts
        if needs.everything:
            state = await self._from_all_facts(record, basis)
            changed, record.state = is_outdated or state != record.state, state
        else:
            older = await self._store.read_facts(record.id, needs) if needs.days else []
            news = record.state.apply([*older, *facts])
            changed = bool(news)
        if record.unit != unit:
            record.noted = Noted()
        is_by_rules = record.rev > 0 and record.basis.rules != basis.rules
        change = Change(news, _received(work, self._clock()), is_by_rules)
        assessed = Assessed(record, record.state.assess(model), model, change)
        if work.noted is not None:
            return self._noted(assessed, work.noted)
        units = frozenset({unit, record.unit})
        if not work.kept:
            return self._refreshed(assessed, changed, units)
        # Sure is only that nothing here is a repetition after a crash: with all facts at hand, and each of them news.
        is_all_news = needs == NOTHING and len(news) == len(facts)
        is_to_list = not is_all_news or not record.rev or record.unit != unit or record.basis != basis
        rescored = self._by_facts(assessed, changed, is_all_news=is_all_news)
        return replace(rescored, units=units, is_to_list=is_to_list)

    def _by_facts(self, assessed: Assessed, changed: bool, *, is_all_news: bool) -> Rescored:
        """Redelivered until it is done, so that the score may be published without a trace in the database."""
        record, now = assessed.record, self._clock()
        entries = announce(assessed, now) if changed else []
        said, record.said = record.said, digest(assessed)
        score = None
        if not (is_all_news and said == record.said):
            revision = record.rev + 1 if changed else record.rev
            score = scored(assessed, revision=revision, now=now)
        return Rescored(record, changed, entries, score)

    def _noted(self, assessed: Assessed, noted: Noted) -> Rescored:
        record = assessed.record
        changed, record.noted = noted != record.noted, noted
        return self._by_itself(assessed, changed)

    def _refreshed(self, assessed: Assessed, changed: bool, units: frozenset[Unit | None]) -> Rescored:
        """Listed anew also when nothing has changed: a crash may have been before the listing."""
        return replace(self._by_itself(assessed, changed), units=units, is_refreshed=True)

    def _by_itself(self, assessed: Assessed, changed: bool) -> Rescored:
        """Nobody would repeat this after a crash: the score goes through the outbox, too."""
        record, now = assessed.record, self._clock()
        entries = announce(assessed, now) if changed else []
        said, record.said = record.said, digest(assessed)
        if changed and said != record.said:
            event = scored(assessed, revision=record.rev + 1, now=now)
            entries.append(OutboxEntry(event.id, now, SCORED_KEY, event.encode().decode()))
        return Rescored(record, changed, entries, None)

    async def _from_all_facts(self, record: StudentRecord, before: Basis) -> Student:
        first_kept = record.basis.kept_from
        if record.rev and first_kept > before.kept_from:
            await self._store.forget_lessons(record.id, first_kept)
        facts = await self._store.read_facts(record.id, EVERYTHING)
        state = from_facts([fact for fact in facts if not _is_before(fact, first_kept)])
        state.raised = [
            Raised(raised.n, raised.day, raised.rank) for raised in record.state.raised if raised.day >= first_kept
        ]
        return state

    async def _tell(self, rescored: list[Rescored]) -> None:
        outboxes = {one.record.id: [*one.record.outbox, *one.entries] for one in rescored}
        await asyncio.gather(
            *(self._publish_score(one.score) for one in rescored if one.score is not None),
            *(self._publish_entry(entry) for entries in outboxes.values() for entry in entries),
        )
        await self._told({student: entries for student, entries in outboxes.items() if entries})
        # Who is new in a unit must be found there when it looks; a student refreshed must be found until all is done.
        await self._list([one.record for one in rescored if one.is_to_list and not one.is_refreshed])
        await self._store.ask({unit for one in rescored for unit in one.units if unit is not None})
        await self._list([one.record for one in rescored if one.is_refreshed])

    async def _list(self, records: Sequence[StudentRecord]) -> None:
        for authority in {record.authority for record in records} - self._authorities:
            await self._store.add_authority(authority)
            self._authorities.add(authority)
        await self._store.list_students(records)

    async def _told(self, outboxes: Mapping[str, Sequence[OutboxEntry]]) -> None:
        alerts = [(student, entry) for student, entries in outboxes.items() for entry in entries]
        await self._store.keep_said([(student, entry) for student, entry in alerts if entry.key != SCORED_KEY])
        await self._store.clear_outbox(
            {student: [entry.id for entry in entries] for student, entries in outboxes.items()}
        )

    async def _publish_score(self, event: RiskScoredEvent) -> None:
        await self._publish(event.encode(), routing_key=SCORED_KEY, message_id=event.id)

    async def _publish_entry(self, entry: OutboxEntry) -> None:
        await self._publish(entry.body.encode(), routing_key=entry.key, message_id=entry.id)

    async def sweep(self, age: timedelta, limit: int) -> int:
        """Publishes what a crash left in outboxes; returns how many students had any."""
        stranded = await self._store.stranded(self._clock(), age, limit)
        for _, entries in stranded:
            for entry in entries:
                await self._publish_entry(entry)
        await self._told(dict(stranded))
        if stranded:
            logger.warning("published what was stranded in outboxes", extra={"students": len(stranded)})
        oldest = await self._store.oldest_outbox_entry()
        metrics.OUTBOX_AGE.set((self._clock() - oldest).total_seconds() if oldest else 0.0)
        return len(stranded)

    def _kept_from(self) -> int:
        return kept_from(self._clock().date(), self._school_years)


def _received(work: Work, now: datetime) -> datetime:
    return max((item.recorded_time for item in work.kept), default=now)


def _is_before(fact: Fact, day: int) -> bool:
    return isinstance(fact, LessonFact) and fact.day < day


def utc_now() -> datetime:
    """The wall clock: it decides when something is repeated or forgotten, never what a score says."""
    return datetime.now(UTC)
