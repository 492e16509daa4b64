"""Replicas of scoring that advance only when told: each call of the store and each publish waits at a gate.

Between two gates a replica only computes, so that every interleaving of any number of replicas, and a death before or
after any effect, is an order of opening gates. What lies behind a gate is real.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, TypeVar, cast

from services.scoring.handlers import incoming
from services.scoring.rescoring import Clock, Rescoring
from services.scoring.rule_store import RuleBook, RuleStore
from services.scoring.store import ScoringStore
from shared.errors import Outage
from shared.events import AnyEvent
from shared.messaging.broker import Publish
from tests.builders import STOCKHOLM

ResultT = TypeVar("ResultT")
Build = Callable[[ScoringStore, Publish, Clock], Rescoring]

ACKNOWLEDGE = "acknowledge"
_BULK_WRITES = frozenset({"keep_facts", "write_students", "keep_said", "clear_outbox", "list_students"})
_TURNS_WITHOUT_NEWS = 12
"""Turns of the event loop after which a replica without an effect under way is taken to stand still; `gather`, the deepest
that scoring nests, takes five."""


class DefaultRules(RuleBook):
    """No authority has set any rules: nothing to look up behind a gate's back."""

    async def look(self, *, at_once: bool = False) -> None:
        """Finds nothing new."""


def correct(store: ScoringStore, publish: Publish, clock: Clock) -> Rescoring:
    """The algorithm as it is."""
    return Rescoring(store, publish, clock, DefaultRules(cast("RuleStore", None)), zone=STOCKHOLM)


class Fate(Enum):
    """What becomes of a step."""

    DONE = "done"
    AWAY = "the other side is away: nothing done"
    HALF = "half of a bulk write is done, and the answer gets lost"
    UNKNOWN = "done, but the answer gets lost"


class ProcessDiedError(BaseException):
    """What a dead process tries to do next."""


@dataclass(eq=False, slots=True)
class Message:
    """One delivery of an event; redelivered until acknowledged."""

    event: AnyEvent


@dataclass(eq=False, slots=True)
class _Ticket:
    name: str
    fate: asyncio.Future[Fate]


class Gate:
    """Where the steps of one process wait."""

    def __init__(self) -> None:
        self.waiting: list[_Ticket] = []
        self._dead = False
        self._under_way = 0
        self._still = asyncio.Event()
        self._still.set()

    async def step(self, name: str, effect: Callable[[bool], Awaitable[ResultT]]) -> ResultT:
        """Waits to be let through, then has the effect (whole, or half when the argument is true)."""
        if self._dead:
            raise ProcessDiedError
        ticket = _Ticket(name, asyncio.get_running_loop().create_future())
        self.waiting.append(ticket)
        try:
            fate = await ticket.fate
        finally:
            self.waiting.remove(ticket)
        self._under_way += 1
        self._still.clear()
        try:
            return await self._have(effect, fate)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._still.set()

    async def _have(self, effect: Callable[[bool], Awaitable[ResultT]], fate: Fate) -> ResultT:
        if fate is Fate.AWAY:
            raise Outage("nothing done")
        result = await effect(fate is Fate.HALF)
        if fate is not Fate.DONE:
            raise Outage("who knows what is done")
        return result

    async def open(self, position: int, fate: Fate) -> None:
        """Lets one of the waiting steps through and waits until the process stands still again."""
        tickets = [ticket for ticket in self.waiting if not ticket.fate.done()]
        tickets[position % len(tickets)].fate.set_result(fate)
        await self.stand_still()

    async def stand_still(self) -> None:
        """Waits until no effect is under way and nothing is left to compute."""
        turns = 0
        while turns < _TURNS_WITHOUT_NEWS:
            await self._still.wait()
            await asyncio.sleep(0)
            turns = turns + 1 if self._still.is_set() else 0

    def die(self) -> None:
        """From now on nothing of this process has any effect."""
        self._dead = True
        for ticket in self.waiting:
            ticket.fate.cancel()


class GatedStore:
    """The store with a gate before each of its methods, whatever their names."""

    def __init__(self, store: ScoringStore, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def gated(*arguments: Any, **named: Any) -> Any:
            async def effect(half: bool) -> Any:
                if half and name in _BULK_WRITES:
                    return await method(_half(arguments[0]), *arguments[1:], **named)
                return await method(*arguments, **named)

            return await self._gate.step(name, effect)

        return gated


def _half(items: Sequence[Any] | Mapping[Any, Any]) -> Sequence[Any] | Mapping[Any, Any]:
    if isinstance(items, Mapping):
        return dict(list(items.items())[: len(items) // 2])
    return items[: len(items) // 2]


class Replica:
    """A process of scoring with the messages it holds. After a death it begins anew, without them."""

    def __init__(self, store: ScoringStore, publish: Publish, clock: Clock, build: Build) -> None:
        self._store, self._publish, self._clock, self._build = store, publish, clock, build
        self._begin()

    def _begin(self) -> None:
        self.gate = Gate()
        self.unacknowledged: list[Message] = []
        self._tasks: list[asyncio.Task[Any]] = []
        store = cast("ScoringStore", GatedStore(self._store, self.gate))
        self._rescoring = self._build(store, self._gated_publish(self.gate), self._clock)

    def _gated_publish(self, gate: Gate) -> Publish:
        async def publish(body: bytes, *, routing_key: str, message_id: str) -> None:
            async def effect(_half: bool) -> None:
                await self._publish(body, routing_key=routing_key, message_id=message_id)

            await gate.step(f"publish {message_id}", effect)

        return publish

    @property
    def is_busy(self) -> bool:
        """Whether anything waits for a step."""
        return bool(self.gate.waiting)

    @property
    def meets_outages(self) -> bool:
        """Whether what it does next may fail and be tried again; an acknowledgement is lost only by dying."""
        return self.is_busy and all(ticket.name != ACKNOWLEDGE for ticket in self.gate.waiting)

    async def take(self, messages: list[Message]) -> None:
        """Begins with a batch."""
        self.unacknowledged = messages
        await self._start(self._handle([incoming(message.event, STOCKHOLM) for message in messages]))

    async def _handle(self, batch: list[Any]) -> None:
        outcomes = await self._rescoring.process(batch)
        assert list(outcomes) == [None] * len(batch), outcomes

        async def acknowledge(_half: bool) -> None:
            self.unacknowledged = []

        await self.gate.step(ACKNOWLEDGE, acknowledge)

    async def sweep(self, age: timedelta) -> None:
        """Begins a round of the sweeper."""
        await self._start(self._sweep(age))

    async def _sweep(self, age: timedelta) -> None:
        with contextlib.suppress(Outage):  # the next round makes it good
            await self._rescoring.sweep(age, 10)

    async def _start(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))
        await self.gate.stand_still()
        self.raise_failures()

    async def step(self, position: int, fate: Fate = Fate.DONE) -> None:
        """Lets one waiting step through."""
        await self.gate.open(position, fate)
        self.raise_failures()

    def raise_failures(self) -> None:
        """Forgets what is done; raises what any of it raised."""
        done = [task for task in self._tasks if task.done()]
        self._tasks = [task for task in self._tasks if not task.done()]
        for task in done:
            task.result()

    async def die(self) -> list[Message]:
        """Kills the process where it stands; returns what the broker will redeliver."""
        lost = self.unacknowledged
        self.gate.die()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._begin()
        return lost


class TickingClock:
    """A clock that goes on by a second whenever somebody looks."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now
