"""What goes wrong during a run: drawn from the seed beforehand, then done one after the other and over each other."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.world import Process, Replica, World
from tests.proxy import Proxy


class Fault(StrEnum):
    """Kinds of faults."""

    KILL = "kill -9"
    """A replica is killed and started again a moment later; at times its way to the broker is slow just before, so that it
    dies between writing and publishing.
    """
    STOP = "stop"
    """A replica is asked to end, as at every release, and started again."""
    PAUSE = "pause"
    """A replica sleeps (SIGSTOP); at times its connections are cut meanwhile, so that others get its messages and it
    wakes up with a state that is stale."""
    CUT = "cut connections"
    """All connections of a replica, or of everybody, to broker, database or both are dropped."""
    REFUSE = "refuse connections"
    """Broker, database or both cannot be reached by a replica, or by anybody, for a while."""
    SLOW = "slow network"
    """Everything between a replica and broker or database takes longer for a while."""
    BROKER_KILL = "broker kill -9"
    BROKER_RESTART = "broker restart"
    DATABASE_KILL = "database kill -9"
    DATABASE_RESTART = "database restart"


WEIGHTS = {
    Fault.KILL: 54,
    Fault.STOP: 4,
    Fault.PAUSE: 13,
    Fault.CUT: 12,
    Fault.REFUSE: 6,
    Fault.SLOW: 4,
    Fault.BROKER_KILL: 2,
    Fault.BROKER_RESTART: 1,
    Fault.DATABASE_KILL: 2,
    Fault.DATABASE_RESTART: 2,
}
SERVER_FAULTS = (Fault.BROKER_KILL, Fault.BROKER_RESTART, Fault.DATABASE_KILL, Fault.DATABASE_RESTART)
EVERYBODY = "all"
SLOWLY_SECONDS = 0.3
SCORING_SHARE = 0.4
"""Of the faults of single replicas; the rest is spread over the other services."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault with everything drawn: when (seconds from the start), of whom, how long, on which way.

    `cut`: whether a paused replica loses its connections, and one that is killed publishes slowly just before.
    `ways`: `broker`, `database` or both.
    """

    at: float
    kind: Fault
    target: str
    seconds: float
    ways: tuple[str, ...] = ()
    cut: bool = False


def draw(seed: int, count: int, seconds: float, replicas: dict[str, list[str]]) -> list[Planned]:
    """So many faults over so many seconds; the same for the same arguments. `replicas`: names by service."""
    chance = random.Random(f"faults {seed}")
    times = sorted(chance.uniform(0.0, seconds) for _ in range(count))
    kinds = _kinds(chance, count)
    return [_planned(chance, at, kind, replicas) for at, kind in zip(times, kinds, strict=True)]


def _kinds(chance: random.Random, count: int) -> list[Fault]:
    """By weight, with one of each kind at least where there is room for that."""
    kinds = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
    if count >= 5 * len(Fault):
        for place, kind in zip(chance.sample(range(count), len(Fault)), Fault, strict=True):
            kinds[place] = kind
    return kinds


def _planned(chance: random.Random, at: float, kind: Fault, replicas: dict[str, list[str]]) -> Planned:
    service = "scoring" if chance.random() < SCORING_SHARE else chance.choice(sorted(replicas))
    target = chance.choice(replicas[service])
    if kind in {Fault.CUT, Fault.REFUSE} and chance.random() < 0.3:
        target = EVERYBODY
    return Planned(
        round(at, 2),
        kind,
        target if kind not in SERVER_FAULTS else kind.split()[0],
        round(chance.uniform(0.2, 6.0 if kind in {Fault.PAUSE, Fault.SLOW} else 2.5), 2),
        chance.choice((("broker",), ("database",), ("broker", "database"))),
        cut=chance.random() < 0.6,
    )


@dataclass
class Mischief:
    """Does what is planned. A fault whose target is still under an earlier one waits for it, so all are done."""

    world: World
    say: Callable[[str], None]
    done: Counter[tuple[Fault, str]] = field(default_factory=Counter)
    ended_by_themselves: list[str] = field(default_factory=list)

    async def do_all(self, plan: list[Planned]) -> None:
        """Returns when everything is done and every program was started again."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for planned in plan:
                await asyncio.sleep(max(0.0, began + planned.at - asyncio.get_running_loop().time()))
                group.create_task(self._do(planned))

    async def _do(self, planned: Planned) -> None:
        deeds: dict[Fault, Callable[[Planned], Awaitable[None]]] = {
            Fault.KILL: self._end,
            Fault.STOP: self._end,
            Fault.PAUSE: self._pause,
            Fault.CUT: self._cut,
            Fault.REFUSE: self._refuse,
            Fault.SLOW: self._slow,
        }
        await deeds.get(planned.kind, self._end_server)(planned)
        self.done[planned.kind, planned.target.partition("-")[0]] += 1

    async def _end(self, planned: Planned) -> None:
        [replica] = self._targets(planned)
        async with replica.process.busy:
            self._look_at(replica.process)
            slowly = planned.kind is Fault.KILL and planned.cut
            self.say(f"{planned.kind}: {replica.name}{', while it publishes slowly' if slowly else ''}")
            if slowly:
                replica.to_broker.delay_seconds = SLOWLY_SECONDS
                await asyncio.sleep(2 * SLOWLY_SECONDS)
            await replica.process.restart(kill=planned.kind is Fault.KILL, pause_seconds=planned.seconds / 4)
            replica.to_broker.delay_seconds = 0.0

    async def _pause(self, planned: Planned) -> None:
        [replica] = self._targets(planned)
        async with replica.process.busy:
            self.say(f"{planned.kind}: {replica.name} for {planned.seconds} s{', cut off' if planned.cut else ''}")
            replica.process.signal(signal.SIGSTOP)
            try:
                if planned.cut:
                    for link in replica.links:
                        await link.cut()
                await asyncio.sleep(planned.seconds)
            finally:
                replica.process.signal(signal.SIGCONT)

    async def _cut(self, planned: Planned) -> None:
        self.say(f"{planned.kind}: {planned.target} from {' and '.join(planned.ways)}")
        for replica in self._targets(planned):
            for link in _links(replica, planned):
                await link.cut()
        if planned.target == EVERYBODY and "broker" in planned.ways:
            await self.world.publisher_link.cut()

    async def _refuse(self, planned: Planned) -> None:
        self.say(f"{planned.kind}: {planned.target} from {' and '.join(planned.ways)} for {planned.seconds} s")
        links = [link for replica in self._targets(planned) for link in _links(replica, planned)]
        for link in links:
            await link.down()
        await asyncio.sleep(planned.seconds)
        for link in links:
            if link.server is None:
                await link.up()

    async def _slow(self, planned: Planned) -> None:
        self.say(f"{planned.kind}: {planned.target} to {' and '.join(planned.ways)} for {planned.seconds} s")
        links = [link for replica in self._targets(planned) for link in _links(replica, planned)]
        for link in links:
            link.delay_seconds = 0.02 + planned.seconds / 40
        await asyncio.sleep(planned.seconds)
        for link in links:
            link.delay_seconds = 0.0

    async def _end_server(self, planned: Planned) -> None:
        server = self.world.broker if planned.kind in SERVER_FAULTS[:2] else self.world.database
        async with server.busy:
            self._look_at(server)
            self.say(planned.kind)
            await server.restart(kill=planned.kind in {Fault.BROKER_KILL, Fault.DATABASE_KILL})
            await server.ready()

    def _targets(self, planned: Planned) -> list[Replica]:
        return [one for one in self.world.replicas if planned.target in {EVERYBODY, one.name}]

    def _look_at(self, process: Process) -> None:
        """Notes a program that ended without anybody's doing."""
        assert process.child is not None
        if not process.child.is_running():
            status = process.child.process.returncode
            self.ended_by_themselves.append(f"{process.name} ended by itself with exit status {status}")

    async def heal(self) -> None:
        """Everything up and ready again, all ways open."""
        for proxy in self.world.proxies:
            proxy.delay_seconds = 0.0
            if proxy.server is None:
                await proxy.up()
        for process in self.world.processes:
            self._look_at(process)
            assert process.child is not None
            if not process.child.is_running():
                process.start()
        await asyncio.gather(*(process.ready() for process in self.world.processes))


def _links(replica: Replica, planned: Planned) -> list[Proxy]:
    ways = {"broker": replica.to_broker, "database": replica.to_database}
    return [ways[way] for way in planned.ways]
