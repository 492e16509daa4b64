"""Signals of groups and stale students, round after round beside the events: what only many students together can tell.

A school unit is computed as a whole, from the students' documents, when something has come that its groups should look at,
at most every so often:

1. read how often it was asked, then hold it (two replicas that did it at once would do the same work twice, no harm);
2. read its students, note its groups, read the climate reports (pure: `signal_unit`);
3. write what is said now together with the messages that say it, by compare-and-set; publish; clear;
4. note in each student's record what the groups say, where it says something else;
5. note up to which asking it has answered; let go of the unit.

A crash anywhere leaves the unit due: only the end answers. Who is asked meanwhile is computed again. The outbox is swept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Generator, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TypeVar

from services.scoring.climate import Version, preferred
from services.scoring.records import Noted, OutboxEntry, Unit
from services.scoring.rescoring import SERVICE, Clock, Rescoring
from services.scoring.rule_store import RuleBook
from services.scoring.rules import Rules
from services.scoring.signal_documents import Seen, UnitRecord
from services.scoring.signal_messages import announce, subject_key
from services.scoring.signal_store import LONG_AGO, Head, SignalStore
from services.scoring.signal_unit import UnitJudged, group_subjects, judge_unit, noted
from services.scoring.store import ScoringStore
from shared import metrics
from shared.events import GroupIndicator
from shared.messaging.broker import Publish
from shared.skipping import Skipping

HELD_FOR = timedelta(minutes=2)
"""Longer than reading and judging a unit takes, or telling its students; so long it waits when the process that holds it dies."""
ROUND_FOR = timedelta(seconds=20)
"""After that a round begins no other unit, so that outboxes are swept and the pauses between rounds stay short."""
STRANDED_AFTER = timedelta(minutes=1)
NOTED_AT_A_TIME = 50

ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)


class Signalling:
    """Computes units that are due. Any number of replicas may run side by side.

    `every`: how often a unit is computed again at most. `holder`: names this process among all.
    """

    def __init__(
        self,
        store: SignalStore,
        scoring: ScoringStore,
        rescoring: Rescoring,
        book: RuleBook,
        *,
        publish: Publish,
        clock: Clock,
        zone: tzinfo,
        every: timedelta,
        holder: str,
    ) -> None:
        self._store = store
        self._scoring = scoring
        self._rescoring = rescoring
        self._book = book
        self._publish = publish
        self._clock = clock
        self._zone = zone
        self._every = every
        self._holder = holder
        self._skipping = Skipping[Unit](SERVICE, "signalling")
        self._sweeping = Skipping[Unit](SERVICE, "sweeping signals")

    async def round(self) -> int:
        """Computes units that are due, longest waiting first, until it has taken long enough; returns how many."""
        started = self._clock()
        await self._sweep()
        asked = await self._scoring.asked()
        heads = {head.unit: head for head in await self._store.heads()}
        answered = {unit: heads[unit].answered if unit in heads else 0 for unit in asked}
        waiting = {
            unit: heads[unit].computed_at if unit in heads else LONG_AGO
            for unit, times in asked.items()
            if times != answered[unit]
        }
        self._gauge(heads.values(), waiting.values())
        computed = 0

        async def compute(unit: Unit) -> None:
            nonlocal computed
            computed += await self._compute(unit, asked[unit])

        for unit in self._skipping.in_turn(sorted(waiting, key=lambda unit: (waiting[unit], unit))):
            if self._clock() - started > ROUND_FOR:
                break
            if waiting[unit] + self._every <= self._clock():
                await self._skipping.attempt(unit, compute)
        return computed

    def _gauge(self, heads: Iterable[Head], waiting: Iterable[datetime]) -> None:
        oldest = min((since for since in waiting if since != LONG_AGO), default=None)
        metrics.SIGNALS_AGE.set((self._clock() - oldest).total_seconds() if oldest else 0.0)
        known = list(heads)
        for indicator in GroupIndicator:
            metrics.GROUPS_WORSE.labels(indicator).set(sum(head.worse.get(indicator, 0) for head in known))

    async def _compute(self, unit: Unit, asked: int) -> bool:
        now = self._clock()
        until, idle_since = now + HELD_FOR, now - self._every
        record = await self._store.take(unit, self._holder, now, until=until, idle_since=idle_since)
        if record is None:
            return False
        listed = await self._scoring.students_of(unit)
        today = now.astimezone(self._zone).date().toordinal()
        students = [student async for some in self._store.students(listed, today) for student in some]
        if not all(student.is_readable for student in students):
            # While a new version of Kvar is brought in; the students' states are made anew beside this.
            await self._store.finish(record, now, None)
            return False
        await self._book.look()
        model = self._book.model(unit.authority)
        judged = await self._judge(record, students, model.rules)
        if judged is None:
            return False
        record.said, entries = announce(unit, record.said, judged.by_subject, model.version, now)
        if not await self._store.write(record, entries, self._clock() + HELD_FOR):
            return False
        await self._tell(unit, [*record.outbox, *entries])
        await self._note(record, students, judged, model.rules)
        await self._store.finish(record, now, asked)
        return True

    async def _judge(self, record: UnitRecord, students: Sequence[Seen], rules: Rules) -> UnitJudged | None:
        """Nothing when another has overtaken."""
        unit = record.unit
        members = sorted(student.member for student in students if student.member is not None)
        subjects = group_subjects(unit.code, members)
        groups = tuple(subject.removeprefix("group:") for subject in subjects[1:])
        # Before the reports are read: one that comes meanwhile finds the unit by its groups, and asks it again.
        if groups != record.groups and not await self._store.write_groups(record, groups):
            return None
        climate = await self._climate(unit, subjects, frozenset(groups) - frozenset(record.groups))
        return await _in_pieces(judge_unit(unit.code, members, climate, rules))

    async def _climate(self, unit: Unit, subjects: Sequence[str], new: Collection[str]) -> dict[str, list[Version]]:
        """The reports that are certainly those of the unit's groups. `new`: codes that are in use here since this moment."""
        found = await self._store.reports(unit, subjects)
        codes = [subject.removeprefix("group:") for subject in found.unnamed]
        users = await self._store.units_with(unit.authority, codes) if codes else {}
        others = {code: [each for each in users.get(code, ()) if each != unit] for code in codes}
        # Those who took such a report for their own must look again.
        await self._scoring.ask({each for code in new for each in others.get(code, ())})
        for code in [code for code in codes if others[code]]:
            logger.warning(
                "several units use the code of a group whose climate report names none", extra={"group": code}
            )
            del found.unnamed[f"group:{code}"]
        return {
            subject: preferred(found.named.get(subject, ()), found.unnamed.get(subject, ()))
            for subject in {*found.named, *found.unnamed}
        }

    async def _tell(self, unit: Unit, entries: Sequence[tuple[str, OutboxEntry]]) -> None:
        for _, entry in entries:
            await self._publish(entry.body.encode(), routing_key=entry.key, message_id=entry.id)
        if entries:
            await self._scoring.keep_said([(subject_key(unit, subject), entry) for subject, entry in entries])
            await self._store.clear_outbox({unit: [entry.id for _, entry in entries]})

    async def _note(self, record: UnitRecord, students: Sequence[Seen], judged: UnitJudged, rules: Rules) -> None:
        wanted: dict[str, Noted] = {}
        for number, student in enumerate(students):
            if number % NOTED_AT_A_TIME == 0:
                await asyncio.sleep(0)
            told = noted(student.member, judged, record.said, rules)
            if not student.bears(told):
                wanted[student.id] = told
        for some in _portions(list(wanted), NOTED_AT_A_TIME):
            await self._rescoring.note(record.unit, {student: wanted[student] for student in some})
            await asyncio.sleep(0)

    async def _sweep(self) -> None:
        stranded = dict(await self._store.stranded(self._clock(), STRANDED_AFTER))

        async def tell(unit: Unit) -> None:
            await self._tell(unit, stranded[unit])
            logger.warning("published signals that were stranded in an outbox", extra={"unit": unit.key})

        await self._sweeping.one_by_one(stranded, tell)


async def _in_pieces(work: Generator[None, None, ResultT]) -> ResultT:
    """Does it all, and lets others go on between."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: ResultT = done.value
            return result
        await asyncio.sleep(0)


def _portions(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
