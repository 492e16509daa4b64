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
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import zip_longest
from typing import TypeVar

from services.scoring.bounds import MOST_LISTED, MOST_MEMBERS
from services.scoring.climate import Version, preferred, week_of
from services.scoring.records import Noted, OutboxEntry, Unit
from services.scoring.rescoring import SERVICE, Clock, Rescoring
from services.scoring.rule_store import RuleBook
from services.scoring.rules import Rules
from services.scoring.signal_documents import Seen, UnitRecord
from services.scoring.signal_messages import MOST_AT_ONCE, announce, forget, subject_key
from services.scoring.signal_store import LONG_AGO, SignalStore
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
UNITS_AT_A_TIME = 1_000
"""Units that a round looks at together, and computes at most."""
CLIMATE_DAYS = 3 * 365
"""How far back climate reports are read: those of two school years, and what they are compared with."""
CLIMATE_DAYS_AHEAD = 365

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
        """Computes units that are due, see `_waiting`, until it has taken long enough; returns how many."""
        started = self._clock()
        await self._sweep()
        computed = 0
        waiting = {unit: (since, asked) for unit, since, asked in await self._waiting()}

        async def compute(unit: Unit) -> None:
            nonlocal computed
            computed += await self._compute(unit, waiting[unit][1])

        for unit in self._skipping.in_turn(waiting):
            if self._clock() - started > ROUND_FOR:
                break
            if waiting[unit][0] + self._every <= self._clock():
                await self._skipping.attempt(unit, compute)
        return computed

    async def _waiting(self) -> list[tuple[Unit, datetime, int]]:
        """The units that are due, since when, and how often they were asked, the longest waiting first: those of all authorities
        in turn, and some of very many. Sets the gauges, too.
        """
        found: dict[str, list[tuple[Unit, datetime, int]]] = defaultdict(list)
        worse: Counter[str] = Counter()
        after: str | None = ""
        while after is not None:
            asked = await self._scoring.asked(after, UNITS_AT_A_TIME)
            heads = await self._store.heads(asked)
            for unit, times in asked.items():
                head = heads.get(unit)
                if times != (head.answered if head else 0):
                    found[unit.authority].append((unit, head.computed_at if head else LONG_AGO, times))
            for head in heads.values():
                worse.update(head.worse)
            for some in found.values():
                some.sort(key=lambda each: (each[1], each[0]))
                del some[UNITS_AT_A_TIME:]
            after = next(reversed(asked)).key if len(asked) == UNITS_AT_A_TIME else None
        # A unit that was never computed comes before all others: one authority can make thousands of them in one request.
        in_turn = zip_longest(*sorted(found.values(), key=lambda some: some[0][1]))
        due = [each for turn in in_turn for each in turn if each is not None][:UNITS_AT_A_TIME]
        oldest = min((since for some in found.values() for _, since, _ in some if since != LONG_AGO), default=None)
        metrics.SIGNALS_AGE.set((self._clock() - oldest).total_seconds() if oldest else 0.0)
        for indicator in GroupIndicator:
            metrics.GROUPS_WORSE.labels(indicator).set(worse[indicator])
        return due

    async def _compute(self, unit: Unit, asked: int) -> bool:
        now = self._clock()
        until, idle_since = now + HELD_FOR, now - self._every
        record = await self._store.take(unit, self._holder, now, until=until, idle_since=idle_since)
        if record is None:
            return False
        today = now.astimezone(self._zone).date().toordinal()
        students = await self._students(unit, today)
        if students is None:
            logger.warning("more students than a school unit has: no signals of it", extra={"unit": unit.key})
            await self._store.finish(record, now, asked)
            return False
        if not all(student.is_readable for student in students):
            # While a new version of Kvar is brought in; the students' states are made anew beside this.
            await self._store.finish(record, now, None)
            return False
        await self._book.look()
        model = self._book.model(unit.authority)
        judged = await self._judge(record, students, model.rules, today)
        if judged is None or not await self._announce(record, judged, model.version, now):
            return False
        await self._note(record, students, judged, model.rules)
        await self._store.finish(record, now, asked)
        return True

    async def _students(self, unit: Unit, today: int) -> list[Seen] | None:
        """The students of a unit; nothing when they are more than any unit has."""
        listed = await self._scoring.students_of(unit, MOST_LISTED + 1)
        students: list[Seen] = []
        members = 0
        async for some in self._store.students(listed, today):
            students += some
            members += sum(student.member is not None for student in some)
            if members > MOST_MEMBERS:
                return None
        return students if len(listed) <= MOST_LISTED else None

    async def _announce(self, record: UnitRecord, judged: UnitJudged, model_version: str, now: datetime) -> bool:
        """Says what has changed, some of it at a time; False when another has overtaken."""
        is_all_said = False
        while not is_all_said:
            record.said, entries = announce(
                record.unit, record.said, judged.by_subject, model_version, now, forgotten=record.forgotten
            )
            is_all_said = len(entries) < MOST_AT_ONCE
            if is_all_said:
                record.said, record.forgotten = forget(record.said, judged.by_subject, record.forgotten)
            if not await self._store.write(record, entries, self._clock() + HELD_FOR):
                return False
            await self._tell(record.unit, [*record.outbox, *entries])
            record.outbox = []
        return True

    async def _judge(self, record: UnitRecord, students: Sequence[Seen], rules: Rules, today: int) -> UnitJudged | None:
        """Nothing when another has overtaken."""
        unit = record.unit
        members = sorted(student.member for student in students if student.member is not None)
        subjects = group_subjects(unit.code, members)
        groups = tuple(subject.removeprefix("group:") for subject in subjects[1:])
        # Before the reports are read: one that comes meanwhile finds the unit by its groups, and asks it again.
        if groups != record.groups and not await self._store.write_groups(record, groups):
            return None
        climate = await self._climate(unit, subjects, frozenset(groups) - frozenset(record.groups), today)
        return await _in_pieces(judge_unit(unit.code, members, climate, rules))

    async def _climate(
        self, unit: Unit, subjects: Sequence[str], new: Collection[str], today: int
    ) -> dict[str, list[Version]]:
        """The reports that are certainly those of the unit's groups. `new`: codes that are in use here since this moment."""
        weeks = week_of(today - CLIMATE_DAYS), week_of(today + CLIMATE_DAYS_AHEAD)
        found = await self._store.reports(unit, subjects, weeks)
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
