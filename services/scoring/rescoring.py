"""One batch of events to new scores, with exactly-once effect: the algorithm, over any store and publisher.

1. keep the facts (append-only, repetitions are harmless);
2. read the students, and only then any further facts: the other order loses updates;
3. apply and assess (pure); a change of level adds an outbox entry with the next number;
4. write all by compare-and-set; who was overtaken is read again and redone, alone;
5. publish score and outbox of every student of the batch, also where all was repetition: a replica may have died between
   writing and publishing; then clear the outboxes. Only a score that says the same as the one before is not said again;
6. only then may the caller acknowledge.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from services.scoring.indicators import MODEL_VERSION
from services.scoring.store import DIGEST_LENGTH, KeptFact, OutboxEntry, ScoringStore, StudentRecord, latest_received
from services.scoring.student import Assessment, Needs, from_facts
from shared import metrics
from shared.events import Level, RiskLevelChanged, RiskLevelChangedEvent, RiskScored, RiskScoredEvent, content_digest
from shared.messaging.broker import Publish
from shared.messaging.topology import LEVEL_CHANGED_KEY, SCORED_KEY
from shared.waiting import through_outages

SOURCE = "/kvar/scoring"
SERVICE = "scoring"

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A fact as it comes from the queue, with the authority it belongs to."""

    kept: KeptFact
    authority: str


@dataclass(frozen=True, slots=True)
class Rescored:
    """A student after a batch: `entries` are new level changes, already numbered; `score` is None when it is no news."""

    record: StudentRecord
    changed: bool
    entries: tuple[OutboxEntry, ...]
    score: RiskScored | None


class Rescoring:
    """Processes batches. Any number of replicas may run side by side."""

    def __init__(self, store: ScoringStore, publish: Publish, clock: Clock) -> None:
        self._store = store
        self._publish = publish
        self._clock = clock

    async def process(self, batch: Sequence[Incoming]) -> Sequence[None]:
        """Handles a batch to the end, through outages and conflicts."""
        metrics.BATCH_SIZE.labels(SERVICE).observe(len(batch))
        await through_outages(lambda: self._store.keep_facts([item.kept for item in batch]), service=SERVICE)
        remaining: dict[str, list[Incoming]] = defaultdict(list)
        for item in batch:
            remaining[item.kept.student].append(item)
        while remaining:
            work = dict(remaining)
            overtaken = await through_outages(lambda work=work: self._attempt(work), service=SERVICE)  # type: ignore[misc]
            metrics.CONFLICTS.labels(SERVICE).inc(len(overtaken))
            remaining = defaultdict(list, {student: work[student] for student in overtaken})
        now = self._clock()
        for item in batch:
            metrics.EVENT_TO_SCORE.observe(max(0.0, (now - item.kept.recorded_time).total_seconds()))
        return [None] * len(batch)

    async def _attempt(self, work: dict[str, list[Incoming]]) -> frozenset[str]:
        records = await self._store.read_students({student: items[0].authority for student, items in work.items()})
        rescored = [
            await self._rescore(records[student], [item.kept for item in items]) for student, items in work.items()
        ]
        overtaken = await self._store.write_students([(one.record, one.entries) for one in rescored if one.changed])
        await self._tell([one for one in rescored if one.record.id not in overtaken])
        return overtaken

    async def _rescore(self, record: StudentRecord, kept: list[KeptFact]) -> Rescored:
        facts = [item.fact for item in kept]
        needs = record.state.needs(facts)
        if needs.everything:
            before, record.state = record.state, from_facts(await self._store.read_facts(record.id, needs))
            changed = record.state != before
        else:
            older = await self._store.read_facts(record.id, needs) if needs.days else []
            changed = record.state.apply([*older, *facts])
        assessment = record.state.assess()
        entries = self._level_change(record, assessment, kept) if changed else ()
        score = scored(record, assessment, revision=record.rev + 1 if changed else record.rev)
        said, record.said = (
            record.said,
            content_digest(score.model_dump(mode="json", exclude={"revision"}))[:DIGEST_LENGTH],
        )
        # Only with all facts at hand is it sure that something here is new, and no repetition after a crash.
        no_news = changed and needs == Needs() and said == record.said
        return Rescored(record, changed, entries, None if no_news else score)

    def _level_change(
        self, record: StudentRecord, assessment: Assessment, kept: list[KeptFact]
    ) -> tuple[OutboxEntry, ...]:
        if assessment.level == record.level:
            return ()
        record.alerts += 1
        points = {reason.indicator: reason.points for reason in assessment.reasons}
        now = self._clock()
        event = level_changed(record, assessment, points, received_at=latest_received(kept), now=now)
        record.level, record.points = assessment.level, points
        return (OutboxEntry(event.id, now, event.encode().decode()),)

    async def _tell(self, rescored: list[Rescored]) -> None:
        now = self._clock()
        outboxes = {one.record.id: [*one.record.outbox, *one.entries] for one in rescored}
        await asyncio.gather(
            *(self._publish_score(one.record, one.score, now) for one in rescored if one.score is not None),
            *(self._publish_entry(entry) for entries in outboxes.values() for entry in entries),
        )
        published = {student: [entry.id for entry in entries] for student, entries in outboxes.items() if entries}
        await self._store.clear_outbox(published)

    async def _publish_score(self, record: StudentRecord, score: RiskScored, now: datetime) -> None:
        event = RiskScoredEvent(
            id=f"{record.id}:scored:{score.revision}",
            source=SOURCE,
            subject=record.id,
            time=now,
            authority=record.authority,
            dataschema="urn:kvar:risk.scored.v1",
            data=score,
        )
        await self._publish(event.encode(), routing_key=SCORED_KEY, message_id=event.id)

    async def _publish_entry(self, entry: OutboxEntry) -> None:
        await self._publish(entry.body.encode(), routing_key=LEVEL_CHANGED_KEY, message_id=entry.id)

    async def sweep(self, age: timedelta, limit: int) -> int:
        """Publishes level changes that a crash left in outboxes; returns how many students had any."""
        stranded = await self._store.stranded(self._clock(), age, limit)
        for _, entries in stranded:
            for entry in entries:
                await self._publish_entry(entry)
        await self._store.clear_outbox({student: [entry.id for entry in entries] for student, entries in stranded})
        if stranded:
            logger.warning("published stranded level changes", extra={"students": len(stranded)})
        oldest = await self._store.oldest_outbox_entry()
        metrics.OUTBOX_AGE.set((self._clock() - oldest).total_seconds() if oldest else 0.0)
        return len(stranded)


def scored(record: StudentRecord, assessment: Assessment, *, revision: int) -> RiskScored:
    """What there is to say of a student's risk as it stands."""
    return RiskScored(
        school_unit=record.state.school_unit(),
        groups=record.state.groups(),
        score=assessment.score,
        level=assessment.level,
        reasons=list(assessment.reasons),
        as_of=_date(assessment.as_of),
        fresh_until=_date(assessment.fresh_until),
        model_version=MODEL_VERSION,
        revision=revision,
    )


def level_changed(
    record: StudentRecord, assessment: Assessment, points: dict[str, int], *, received_at: datetime, now: datetime
) -> RiskLevelChangedEvent:
    """The message that an alert is made from; `record` still bears the level and points before the change."""
    indicators = sorted({*points, *record.points})
    return RiskLevelChangedEvent(
        id=f"{record.id}:{record.alerts}",
        source=SOURCE,
        subject=record.id,
        time=now,
        authority=record.authority,
        dataschema="urn:kvar:risk.level_changed.v1",
        data=RiskLevelChanged(
            n=record.alerts,
            from_level=Level(record.level),
            to_level=assessment.level,
            score=assessment.score,
            reasons=list(assessment.reasons),
            changes={
                name: points.get(name, 0) - record.points.get(name, 0)
                for name in indicators
                if points.get(name, 0) != record.points.get(name, 0)
            },
            school_unit=record.state.school_unit(),
            groups=record.state.groups(),
            as_of=_date(assessment.as_of) or now.date(),
            fresh_until=_date(assessment.fresh_until),
            received_at=received_at,
            model_version=MODEL_VERSION,
        ),
    )


def _date(day: int | None) -> date | None:
    return date.fromordinal(day) if day else None


def utc_now() -> datetime:
    """The wall clock; the core itself never looks at one."""
    return datetime.now(UTC)
