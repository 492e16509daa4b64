"""One batch of events to new scores, with exactly-once effect: the algorithm, over any store and publisher.

1. keep the facts (they are added and never changed, repetitions are harmless);
2. read the students, and only then any further facts: the other order loses updates;
3. apply and assess (pure); a change of level and an alert that has become wrong add outbox entries with the next numbers;
4. write all by compare-and-set; who was overtaken is read again and redone, alone;
5. publish score and outbox of every student of the batch, also where all was repetition: a replica may have died between
   writing and publishing; then clear the outboxes. Only a score that says the same as the one before is not said again.
   Likewise note where students are to be found, and ask their school units to look at their groups again. Delete what cannot
   count any more (`bounds`);
6. only then may the caller acknowledge.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo

from services.scoring.bounds import Unusable
from services.scoring.facts import Fact, LessonFact, MarkFact, PlaceFact
from services.scoring.gathered import Gathered
from services.scoring.indicators import Model
from services.scoring.messages import Assessed, Change, announce, digest, scored
from services.scoring.news import Applied, compare
from services.scoring.records import STATE_FORMAT, Basis, KeptFact, Noted, OutboxEntry, StudentRecord, Unit
from services.scoring.retention import kept_from
from services.scoring.rule_store import RuleBook
from services.scoring.store import WHOLE_TOGETHER, ScoringStore, Write
from services.scoring.student import EVERYTHING, NOTHING, Needs, Raised, Student, from_facts
from shared import metrics
from shared.events import RiskScoredEvent
from shared.messaging.broker import Publish
from shared.messaging.topology import SCORED_KEY
from shared.skipping import Skipping
from shared.waiting import through_outages

SERVICE = "scoring"
REMEMBERED_AT_MOST = 10_000
"""Students with something unusable; who is forgotten is read again."""
NAMED_AT_MOST = 3
"""Students whom one line of the log names."""

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A fact as it comes from the queue, with the authority it belongs to."""

    kept: KeptFact
    authority: str


@dataclass(slots=True)
class Work:
    """What there is to do for one student; with nothing in it, the student is assessed by the rules and the place of today.
    `added`: of the facts those that were stored with this batch. `listed`: the school unit where the student was found.
    """

    authority: str
    kept: list[KeptFact] = field(default_factory=list)
    added: set[Fact] = field(default_factory=set)
    noted: Noted | None = None
    noted_by: Unit | None = None
    listed: Unit | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a student's record as it was read. `needs`: facts to be read for it.

    `is_outdated`: what the state was made by is older than what holds now, `basis`.
    """

    record: StudentRecord
    work: Work
    model: Model
    basis: Basis
    is_outdated: bool
    needs: Needs


@dataclass(frozen=True, slots=True)
class Rescored:
    """A student after a batch: `entries` are new in the outbox; `score` is to be published, None when it is no news.

    `units`: school units whose groups may say something else now. `is_to_list`: where the student is found may have changed.
    `is_refreshed`: found by what its state was made by. `applied`: what became of the facts. `needless`: facts that need not be
    stored any more.
    """

    record: StudentRecord
    changed: bool
    entries: Sequence[OutboxEntry]
    score: RiskScoredEvent | None
    units: frozenset[Unit | None] = frozenset()
    is_to_list: bool = False
    is_refreshed: bool = False
    applied: Applied | None = None
    needless: Sequence[Fact] = ()


class Rescoring:
    """Processes batches. Any number of replicas may run side by side.

    `zone`: of the authorities; the clock there says which day it is. `school_years`: for how many school years lessons are
    kept, this one included.
    """

    def __init__(
        self,
        store: ScoringStore,
        publish: Publish,
        clock: Clock,
        book: RuleBook,
        *,
        zone: tzinfo,
        school_years: int = 2,
    ) -> None:
        self._store = store
        self._book = book
        self._publish = publish
        self._clock = clock
        self._zone = zone
        self._school_years = school_years
        self._authorities: set[str] = set()
        self._refreshing, self._moving, self._noting, self._sweeping = (
            Skipping[str](SERVICE, work) for work in ("refreshing", "moving", "noting", "sweeping")
        )
        self._unusable: dict[str, Unusable] = {}

    async def process(self, batch: Sequence[Incoming]) -> Sequence[None]:
        """Handles a batch of facts to the end, through outages and conflicts."""
        metrics.BATCH_SIZE.labels(SERVICE).observe(len(batch))
        first_kept = self._kept_from()
        kept = [item for item in batch if not _is_before(item.kept.fact, first_kept)]
        metrics.BEYOND_RETENTION.inc(len(batch) - len(kept))
        news = [item.kept for item in kept if not self._is_unusable(item.kept)]
        stored = await through_outages(lambda: self._store.keep_facts(news), service=SERVICE)
        work: dict[str, Work] = {}
        for item in kept:
            work.setdefault(item.kept.student, Work(item.authority)).kept.append(item.kept)
        for each in news:
            if (each.student, each.fact) not in stored:
                work[each.student].added.add(each.fact)
        await self._settle(work)
        now = self._clock()
        for item in batch:
            metrics.EVENT_TO_SCORE.observe(max(0.0, (now - item.kept.recorded_time).total_seconds()))
        return [None] * len(batch)

    def _is_unusable(self, kept: KeptFact) -> bool:
        known = self._unusable.get(kept.student)
        return known is not None and known.holds(kept.fact)

    def _remember(self, record: StudentRecord) -> None:
        """What is written down as unusable, so that more of it need not be stored first."""
        if record.state.unusable:
            if len(self._unusable) >= REMEMBERED_AT_MOST:
                self._unusable.clear()
            self._unusable[record.id] = record.state.unusable

    async def note(self, unit: Unit, notes: Mapping[str, Noted]) -> None:
        """Takes down what their groups say of a unit's students; the score that says something new by it is told. A student who
        has left the unit meanwhile is left alone, one whose score fails is skipped.
        """
        await self._noting.together(
            notes,
            lambda some: self._settle(
                {student: Work(unit.authority, noted=notes[student], noted_by=unit) for student in some}
            ),
        )

    async def refresh(self, limit: int) -> int:
        """Assesses students anew whose state was made by older rules, another format, or lessons that are kept no longer.

        Returns how many there were, `limit` at most.
        """
        await self._book.look(at_once=True)
        students: list[str] = []
        for authority in await self._store.authorities():
            basis = Basis(self._kept_from(), STATE_FORMAT, self._book.model(authority).number)
            missing = limit - len(students)
            found = await self._store.outdated(authority, basis, missing + len(self._refreshing))
            students += self._refreshing.in_turn(found)[:missing]
            if len(students) == limit:
                break
        await self._refreshing.together(students, lambda some: self._settle({student: Work("") for student in some}))
        return len(students)

    async def move(self, limit: int) -> int:
        """Takes down where those students are now whose place has begun or ended by the calendar; how many, `limit` at most."""
        units = await self._store.moved_by(self._today().toordinal(), limit + len(self._moving))
        students = self._moving.in_turn(units)[:limit]
        # The unit left must look again, also when a replica has died after it wrote where the student is now.
        await self._moving.together(
            students, lambda some: self._settle({student: Work("", listed=units[student]) for student in some})
        )
        return len(students)

    async def _settle(self, work: dict[str, Work]) -> None:
        remaining = work
        while remaining:
            attempt = remaining
            undone = await through_outages(lambda work=attempt: self._attempt(work), service=SERVICE)  # type: ignore[misc]
            remaining = {student: attempt[student] for student in undone}

    async def _attempt(self, work: dict[str, Work]) -> Collection[str]:
        """Returns who is to be done once more: who was overtaken, and whose state there was no room for beside others'."""
        await self._book.look()
        records = await self._store.read_students({student: each.authority for student, each in work.items()})
        if any(record.basis.rules > self._book.model(record.authority).number for record in records.values()):
            await self._book.look(at_once=True)
        plans = [self._plan(record, work[student]) for student, record in records.items()]
        undone = work.keys() - records.keys()
        for some in _portions([plan for plan in plans if plan is not None]):
            undone |= await self._carry_out(some)
        return undone

    async def _carry_out(self, plans: Sequence[Plan]) -> frozenset[str]:
        """Returns who was overtaken."""
        gathered = await self._gathered(plans)
        rescored = [self._rescore(plan, gathered[plan.record.id]) for plan in plans]
        overtaken = await self._store.write_students(
            [Write(one.record, one.entries) for one in rescored if one.changed]
        )
        metrics.CONFLICTS.labels(SERVICE).inc(len(overtaken))
        written = [one for one in rescored if one.record.id not in overtaken]
        for one in written:
            one.record.rev += one.changed
            self._count(one)
            self._remember(one.record)
        if unusable := [one.record.id for one in written if one.applied and one.applied.unusable]:
            some = {"students": len(unusable), "such_as": unusable[:NAMED_AT_MOST]}
            logger.warning("more is told of students than any school has", extra=some)
        await self._tell(written)
        await self._store.forget({one.record.id: one.needless for one in written if one.needless})
        return overtaken

    def _plan(self, record: StudentRecord, work: Work) -> Plan | None:
        """Nothing for a student who is not there yet, or not any more where a group's findings are noted."""
        if not record.rev and not work.kept:
            return None
        if work.noted_by is not None:
            unit = record.state.where(self._today().toordinal()).school_unit
            if work.noted_by != Unit(record.authority, unit or ""):
                return None
        model = self._book.model(record.authority)
        # The rules may go back: a replica that cannot read the newest ones says by which it has scored.
        basis = record.basis.joined(Basis(self._kept_from(), STATE_FORMAT))._replace(rules=model.number)
        is_outdated = record.rev > 0 and record.basis != basis
        needs = EVERYTHING if is_outdated else record.state.needs(item.fact for item in work.kept)
        return Plan(record, work, model, basis, is_outdated, needs)

    async def _gathered(self, plans: Sequence[Plan]) -> Mapping[str, Gathered]:
        """The facts that the plans need, by student: after the records were read, for all students together."""
        for plan in plans:
            if plan.record.rev and plan.basis.kept_from > plan.record.basis.kept_from:
                await self._store.forget_lessons(plan.record.id, plan.basis.kept_from)
        gathered = {plan.record.id: Gathered(plan.work.kept) for plan in plans}
        needs = {plan.record.id: plan.needs for plan in plans if plan.needs != NOTHING}
        await self._store.read_facts(needs, lambda kept: gathered[kept.student].add(kept))
        return gathered

    def _rescore(self, plan: Plan, stored: Gathered) -> Rescored:
        record, work = plan.record, plan.work
        before, where, is_new = record.basis, record.where, not record.rev
        is_by_rules = not is_new and plan.basis.rules != before.rules
        first = self._by_rules(plan, stored) if is_by_rules and work.kept else []
        applied, changed = self._apply(plan, stored)
        needless = [*(fact for fact in applied.beyond if fact in work.added), *stored.surplus]
        record.basis = plan.basis
        unit = record.unit
        record.where = record.state.where(self._today().toordinal())
        if record.unit != unit:
            record.noted = Noted()
        by_rules_alone = is_by_rules and not work.kept
        change = Change(_corrected(applied, record.state), _received(work, self._clock()), by_rules_alone)
        assessed = Assessed(record, record.state.assess(plan.model), plan.model, change)
        if work.noted is not None:
            return self._noted(assessed, work.noted, changed=changed)
        units = frozenset({unit, record.unit, work.listed})
        if not work.kept:
            refreshed = self._refreshed(assessed, changed or record.where != where, units)
            return replace(refreshed, applied=applied, needless=needless)
        # Sure is only that nothing here is a repetition after a crash: with all facts at hand, and each of them news.
        is_all_news = plan.needs == NOTHING and len(applied.news) == len(work.kept)
        has_places = any(isinstance(item.fact, PlaceFact) for item in work.kept)
        is_to_list = not is_all_news or is_new or has_places or record.unit != unit or record.basis != before
        rescored = self._by_facts(assessed, changed or record.where != where, is_all_news=is_all_news)
        return replace(
            rescored,
            entries=[*first, *rescored.entries],
            units=units,
            is_to_list=is_to_list,
            applied=applied,
            needless=needless,
        )

    def _by_rules(self, plan: Plan, stored: Gathered) -> list[OutboxEntry]:
        """What new rules alone have to say, before the facts that come with them: each is told by its own cause."""
        record = plan.record
        record.state = _made_anew(stored.valid_before(), plan)
        change = Change((), self._clock(), is_by_rules=True)
        return announce(Assessed(record, record.state.assess(plan.model), plan.model, change), self._clock())

    def _apply(self, plan: Plan, stored: Gathered) -> tuple[Applied, bool]:
        """Brings the record's state up to the facts; says what became of them, and whether there is anything to write."""
        record = plan.record
        facts = [item.fact for item in plan.work.kept]
        if not plan.needs.everything:
            applied = record.state.apply(facts, stored.valid_before())
            return applied, applied.changes
        state = _made_anew(stored.valid(), plan)
        applied = compare(facts, stored.known_before, state.holds, state.counts_otherwise)
        found = state.unusable.beyond(record.state.unusable)
        applied.news += [fact for fact in facts if found.holds(fact)]
        applied.give_up(found)
        if not (plan.is_outdated or applied.news or found):
            # What was known already is in the state; to make it anew would only write the same in other words.
            return applied, False
        record.state = state
        return applied, True

    def _count(self, one: Rescored) -> None:
        authority, applied = one.record.authority, one.applied
        if applied is None:
            return
        for fact in applied.outdated:
            metrics.OLDER_THAN_KNOWN.labels(SERVICE, authority, _type(fact)).inc()
        if applied.baseless:
            metrics.BASELESS_RETRACTIONS.labels(authority).inc(len(applied.baseless))
        for what, number in applied.unusable.counted().items():
            metrics.UNUSABLE.labels(authority, what).inc(number)

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

    def _noted(self, assessed: Assessed, noted: Noted, *, changed: bool) -> Rescored:
        record = assessed.record
        differs, record.noted = noted != record.noted, noted
        return self._by_itself(assessed, changed or differs)

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
        await self._store.list_students(records, self._today().toordinal())

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
        stranded = dict(await self._store.stranded(self._clock(), age, limit + len(self._sweeping)))
        await self._sweeping.together(
            stranded, lambda some: self._tell_again({student: stranded[student] for student in some})
        )
        if stranded:
            logger.warning("published what was stranded in outboxes", extra={"students": len(stranded)})
        oldest = await self._store.oldest_outbox_entry()
        metrics.OUTBOX_AGE.set((self._clock() - oldest).total_seconds() if oldest else 0.0)
        return len(stranded)

    async def _tell_again(self, outboxes: Mapping[str, Sequence[OutboxEntry]]) -> None:
        for entries in outboxes.values():
            for entry in entries:
                await self._publish_entry(entry)
        await self._told(outboxes)

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()

    def _kept_from(self) -> int:
        return kept_from(self._today(), self._school_years)


def _received(work: Work, now: datetime) -> datetime:
    return max((item.recorded_time for item in work.kept), default=now)


def _made_anew(facts: Iterable[Fact], plan: Plan) -> Student:
    """A state from all facts, and the alerts that stand."""
    first_kept = plan.basis.kept_from
    known = [fact for fact in facts if not _is_before(fact, first_kept)]
    state = from_facts(known, plan.record.state.unusable.since(first_kept))
    raised = plan.record.state.raised
    state.raised = [Raised(each.n, each.day, each.rank) for each in raised if each.day >= first_kept]
    return state


def _portions(plans: Sequence[Plan]) -> Iterator[Sequence[Plan]]:
    """Those together that need little of what is stored; then, a few at a time, those that need all."""
    if light := [plan for plan in plans if not plan.needs.everything]:
        yield light
    heavy = [plan for plan in plans if plan.needs.everything]
    for start in range(0, len(heavy), WHOLE_TOGETHER):
        yield heavy[start : start + WHOLE_TOGETHER]


def _corrected(applied: Applied, state: Student) -> list[Fact]:
    """What can have made an alert wrong: what was corrected, else what had not been known; valid versions only."""
    found = applied.corrections or applied.additions
    return [fact for fact in found if state.holds(fact) or applied.unusable.holds(fact)]


def _type(fact: Fact) -> str:
    match fact:
        case LessonFact():
            return "kvar.attendance.recorded.v1"
        case MarkFact():
            return "kvar.grade.recorded.v1"
        case PlaceFact():
            return "kvar.enrolment.changed.v1"


def _is_before(fact: Fact, day: int) -> bool:
    return isinstance(fact, LessonFact) and fact.day < day
