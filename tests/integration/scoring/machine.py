"""Everything that may happen to scoring, as a state machine: the broker is a list, all else is real.

Replicas take messages in any order and any batches, advance step by step, die at any of them, meet outages; messages are
repeated, corrected, retracted; sweepers run. Whenever all messages about a student are acknowledged, what was published of
the student must be what brute force (tests/oracle.py) says of the published facts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.scoring.records import KeptFact
from services.scoring.store import ScoringStore
from services.scoring.student import Needs
from shared import mongo
from shared.events import AnyEvent
from tests.builders import AUTHORITY, attendance
from tests.integration.scoring.draws import DAYS, STUDENTS, crowd, days_of, event_of, facts, topics
from tests.integration.scoring.replica import Build, Fate, Message, Replica, TickingClock, correct
from tests.integration.scoring.said import Said
from tests.integration.scoring.stage import batch
from tests.overfull import usable

ResultT = TypeVar("ResultT")

REPLICAS = 3
BEGINNING = datetime(2027, 1, 4, 8, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """What all runs of a test share: an event loop and a connection to the database server."""

    runner: asyncio.Runner
    client: Any

    def do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Runs something to its end."""
        return self.runner.run(work)


class End(Enum):
    """What a replica does after some steps."""

    STANDS = "stands"
    DIES = "dies"
    SWEEPS = "begins to sweep, if it has nothing else to do"


Move = tuple[int, list[int], End | Fate]
moves = st.tuples(
    st.integers(0, REPLICAS - 1),
    st.lists(st.integers(0, 3), max_size=7),
    st.sampled_from([*[End.STANDS, End.DIES] * 3, End.SWEEPS, Fate.AWAY, Fate.HALF, Fate.UNKNOWN]),
)
"""Which replica, which of its waiting steps it takes, and what then becomes of it."""


class ScoringMachine(RuleBasedStateMachine):
    """The rules of what may happen."""

    def __init__(
        self,
        world: World,
        build: Build = correct,
        only: tuple[int, int] | None = None,
        *,
        is_crowded: bool = False,
        are_bounds_small: bool = False,
    ) -> None:
        """`only`: all that happens is about this student and day, whatever is drawn, so that replicas collide more.

        `is_crowded`: there is so much in the past that what happens is easily too much; `are_bounds_small`: much of what is
        drawn is beyond them. What is too much need not be stored.
        """
        super().__init__()
        self.is_crowded = is_crowded
        self.only = only
        self.are_bounds_small = are_bounds_small
        self.world = world
        self.database: mongo.Database = world.client[f"machine_{id(self)}"]
        self.store = ScoringStore(self.database)
        self.clock = TickingClock(BEGINNING)
        self.said = Said(BEGINNING.date())
        self.replicas = [Replica(self.store, self.said.publish, self.clock, build) for _ in range(REPLICAS)]
        self.plain = correct(self.store, self.said.publish, self.clock)
        self.published: list[AnyEvent] = []
        self.queue: list[Message] = []
        self.days = DAYS[:7]
        self.order = random.Random(0)
        self.is_broken = False

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something; once anything failed, the end is not checked as well."""
        try:
            self.world.do(work)
        except BaseException:
            self.is_broken = True
            raise

    @initialize(
        history=st.sampled_from([7, 50, 0]),
        absent_every=st.sampled_from([0, 7]),
        order=st.integers(0, 1000),
    )
    def begin(self, history: int, absent_every: int, order: int) -> None:
        """Students with a past: none, some days, or one that reaches before `base`."""
        self.days = days_of(history)
        self.order = random.Random(order)
        self.published = [
            attendance(student, day, minutes=500, excused=500 if absent_every and not n % absent_every else 0)
            for student in STUDENTS
            for n, day in enumerate(DAYS[:history])
        ]
        if self.is_crowded:
            self.published += crowd(self.days)
        self.do(self._prepare())

    async def _prepare(self) -> None:
        await self.store.prepare()
        if self.published:
            await self.plain.process(batch(self.published))

    # One rule for all: hypothesis leaves out whole rules in many of its runs, and here each needs the others.
    @rule(
        topic=topics,
        drawn=st.lists(facts, max_size=4),
        repeated=st.lists(st.integers(0, 9), max_size=1),
        picks=st.lists(st.integers(0, 5), max_size=2),
        moves=st.lists(moves, max_size=4),
        is_calm_after=st.sampled_from([True, True, False]),
    )
    def turn(
        self,
        *,
        topic: tuple[int, int],
        drawn: list[Sequence[Any]],
        repeated: list[int],
        picks: list[int],
        moves: list[Move],
        is_calm_after: bool,
    ) -> None:
        """Something is published, something again; a replica gets a batch; some go on; all is done before the next turn."""
        who, position = self.only or topic
        events = [event_of(STUDENTS[who], self.days[position], each) for each in drawn]
        self.published += events
        again = [self.published[-1 - n % len(self.published)] for n in repeated if self.published]
        self.queue += [Message(event) for event in [*events, *again]]
        self.do(self._turn(picks, moves))
        if is_calm_after:
            self.do(self._run_out(dying=0.15))

    async def _turn(self, picks: list[int], moves: list[Move]) -> None:
        idle = [replica for replica in self.replicas if not replica.unacknowledged]
        taken = [self.queue.pop(-1 - pick % len(self.queue)) for pick in picks[: len(self.queue)] if idle]
        if taken:
            await idle[0].take(taken)
        for who, positions, end in moves:
            busy = [replica for replica in self.replicas if replica.is_busy] or self.replicas
            await self._advance(busy[who % len(busy)], positions, end)

    async def _advance(self, replica: Replica, positions: list[int], end: End | Fate) -> None:
        for position in positions:
            if replica.is_busy:
                await self._step(replica, position, Fate.DONE)
        if end is End.DIES:
            self.queue += await replica.die()
        elif end is End.SWEEPS and not replica.is_busy:
            await replica.sweep(timedelta(seconds=self.order.choice([0, 60])))
        elif isinstance(end, Fate) and replica.meets_outages:
            await self._step(replica, 0, end)

    async def _step(self, replica: Replica, position: int, fate: Fate) -> None:
        held = list(replica.unacknowledged)
        await replica.step(position, fate)
        if held and not replica.unacknowledged:
            await self._check_quiet({message.event.subject for message in held})

    async def _check_quiet(self, students: set[str]) -> None:
        """All about a student is acknowledged: then all of it is said, with nobody's help."""
        open_messages = [*self.queue, *(message for replica in self.replicas for message in replica.unacknowledged)]
        for student in sorted(students - {message.event.subject for message in open_messages}):
            events = [event for event in self.published if event.subject == student]
            wanted = self.said.check(student, usable(events) if self.are_bounds_small else events)
            record = (await self.store.read_students({student: AUTHORITY}))[student]
            assert record.level.value == wanted.level
            unsaid = {entry.id for entry in record.outbox} - self.said.alert_ids
            assert not unsaid, f"acknowledged, never said: {unsaid}"

    def teardown(self) -> None:
        """Lets all run to its end and looks at what remains."""
        try:
            if not self.is_broken:
                self.world.do(self._end())
        finally:
            self.world.do(self._clean())

    async def _end(self) -> None:
        await self._run_out()
        self.clock.now += timedelta(minutes=5)
        await self.plain.sweep(timedelta(minutes=1), 10)
        known = {event.subject for event in self.published}
        records = await self.store.read_students(dict.fromkeys(known, AUTHORITY))
        assert not [entry for record in records.values() for entry in record.outbox], "swept, and still something there"
        await self._check_facts()
        # A repetition says again what is stored.
        await self.plain.process(batch({event.subject: event for event in self.published}.values()))
        await self._check_quiet(known)

    async def _run_out(self, dying: float = 0.0) -> None:
        """Delivers and does all there is, in any order and any batches. `dying`: how probable that is after some steps."""
        choose = self.order
        while self.queue or any(replica.is_busy for replica in self.replicas):
            replica = choose.choice(self.replicas)
            if self.queue and not replica.unacknowledged:
                choose.shuffle(self.queue)
                size = choose.randint(1, 2)
                taken, self.queue = self.queue[:size], self.queue[size:]
                await replica.take(taken)
            # A few steps or a whole batch: what overtakes another must get far while the other stands.
            for _ in range(choose.choice([1, 2, 2, 3, 20, 20])):
                if replica.is_busy:
                    await self._step(replica, choose.randrange(4), Fate.DONE)
            if choose.random() < dying:
                self.queue += await replica.die()

    async def _check_facts(self) -> None:
        kept = [(item.kept.student, item.kept.fact) for item in batch(self.published)]
        read = list[KeptFact]()
        await self.store.read_facts(dict.fromkeys(STUDENTS, Needs(everything=True)), read.append)
        found = [(kept.student, kept.fact) for kept in read]
        assert len(found) == len(set(found))
        may_leave_out = self.is_crowded or self.are_bounds_small
        assert set(found) <= set(kept) if may_leave_out else set(found) == set(kept)

    async def _clean(self) -> None:
        for replica in self.replicas:
            await replica.die()
        await self.world.client.drop_database(self.database.name)
