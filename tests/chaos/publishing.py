"""Publishers that do not give up: what got no answer is sent again, to whichever replica of ingest comes next."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import aio_pika
import httpx
import orjson
from aio_pika.exceptions import AMQPException

from deploy.demo.doors import AmqpDoor, Answer, DoorError, HttpDoor
from deploy.demo.events import Event
from deploy.local.broker import amqp_url
from shared.messaging import topology
from tests.builders import MONDAY, attendance, pseudonym
from tests.chaos.traffic import AUTHORITY, Parcel, Poison, Traffic
from tests.chaos.world import World

PUBLISHERS = 4
PATIENCE_SECONDS = 240.0
ANSWER_SECONDS = 8.0
AMQP_SECONDS = 10.0
SHARDS = 8
TOPOLOGY_WAIT_SECONDS = 0.2


class GaveUpError(Exception):
    """Nobody took a parcel for minutes."""


@dataclass
class Publishing:
    """Publishes a whole run's traffic, spread evenly over its time; what is late is sent as fast as it is taken."""

    world: World
    traffic: Traffic
    seed: int
    answers: Answer = field(default_factory=Answer)
    attempts_failed: int = 0
    refusals: list[str] = field(default_factory=list)
    """Answers that a publisher must not get for what it sends here, such as 500."""
    sent: int = 0

    async def publish_all(self, seconds: float, progressed: Callable[[], None]) -> None:
        """First who is who, then the rest, in several streams at once, so that not even a parcel's place is sure."""
        chance = random.Random(f"publishing {self.seed}")
        await self._deliver(Parcel(self.traffic.first, over_amqp=False), chance)
        began = asyncio.get_running_loop().time()
        waiting = self.traffic.parcels[::-1]

        async def stream(chance: random.Random) -> None:
            while waiting:
                parcel = waiting.pop()
                due = began + seconds * parcel.at
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                await self._deliver(parcel, chance)
                progressed()

        async with asyncio.TaskGroup() as group:
            for _ in range(PUBLISHERS):
                group.create_task(stream(random.Random(chance.random())))

    async def _deliver(self, parcel: Parcel, chance: random.Random) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        for poison in parcel.poison:
            await self._persist(lambda poison=poison: self._put(poison), until)  # type: ignore[misc]
        if parcel.over_amqp:
            await self._persist(lambda: self._over_amqp(parcel.events), until)
        else:
            await self._persist(lambda: self._over_http(parcel.events, chance), until)
        self.sent += len(parcel.events)

    async def _persist(self, attempt: Callable[[], object], until: float) -> None:
        while True:
            try:
                await attempt()  # type: ignore[misc]
            except (DoorError, AMQPException, OSError, RuntimeError, TimeoutError) as error:
                self.attempts_failed += 1
                if "refuses the events" in str(error):
                    self.refusals.append(str(error)[:300])
                if time.monotonic() > until:
                    raise GaveUpError(f"nobody took a parcel for {PATIENCE_SECONDS:.0f} s: {error!r}") from error
            else:
                return
            await asyncio.sleep(TOPOLOGY_WAIT_SECONDS)

    async def _over_http(self, events: list[Event], chance: random.Random) -> None:
        replica = chance.choice(self.world.of("ingest"))
        token = self.world.secrets.publishers[AUTHORITY]
        client = httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False)
        async with HttpDoor(replica.url, token, patience_seconds=0.0, client=client) as door:
            answer = await door.publish(events)
        self._count(answer)

    async def _over_amqp(self, events: list[Event]) -> None:
        async with asyncio.timeout(AMQP_SECONDS), AmqpDoor(self._url(), patience_seconds=0.0) as door:
            self._count(await door.publish(events))

    async def _put(self, poison: Poison) -> None:
        """Confirmed once and never repeated after that, so that as many must be parked as were put."""
        async with asyncio.timeout(AMQP_SECONDS):
            connection = await aio_pika.connect(self._url())
            async with connection:
                channel = await connection.channel(on_return_raises=True)
                exchange = await channel.get_exchange(topology.EVENTS)
                message = aio_pika.Message(poison_body(poison), message_id=poison.id, delivery_mode=2)
                key = f"s{poison.shard_seed % SHARDS:02d}.attendance.recorded"
                await exchange.publish(message, key, mandatory=True)

    def _url(self) -> str:
        return amqp_url(replace(self.world.ports.broker, amqp=self.world.publisher_link.port))

    def _count(self, answer: Answer) -> None:
        known = self.answers
        self.answers = Answer(
            known.accepted + answer.accepted,
            known.duplicate + answer.duplicate,
            known.rejected + answer.rejected,
            known.unanswered + answer.unanswered,
        )


def poison_body(poison: Poison) -> bytes:
    """What it looks like; it bears its id, so that it is told from all others wherever it ends."""
    match poison.kind:
        case "not JSON":
            return b"<event id='" + poison.id.encode() + b"'>"
        case "not stamped":
            fact = attendance(pseudonym(poison.id), MONDAY, lesson=poison.id)
            return fact.model_copy(update={"recordedtime": None}).encode()
        case _:
            return orjson.dumps({"id": poison.id, "type": "kvar.weather.reported.v7", "data": {}})
