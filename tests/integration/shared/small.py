"""A service small enough to see through: takes `scoring.s00`, keeps every event's id in the database, in batches."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aio_pika
import httpx
from fastapi import FastAPI

from deploy.local.broker import COUNTS_SECONDS
from deploy.local.ports import free_ports
from deploy.local.queues import Drain, QueueCounts
from shared import mongo
from shared.events import AnyEvent
from shared.messaging import topology
from shared.messaging.batching import Batcher, Outcomes
from shared.messaging.broker import subscribe
from shared.messaging.parking import operating
from shared.service import Running, build_app, connect
from shared.settings import Settings
from shared.waiting import through_outages
from tests.builders import MONDAY, attendance, pseudonym, school_days
from tests.integration.shared.waiting import until
from tests.mongo_proxy import MongoProxy
from tests.proxy import Proxy

SERVICE = "scoring"
QUEUE = "scoring.s00"
KEY = "s00.attendance.recorded"
SHARDS = 1

Check = Callable[[AnyEvent], None]


def events(count: int) -> list[AnyEvent]:
    return [attendance(pseudonym("åsa"), day, unexcused=60) for day in school_days(MONDAY, count)]


def accept(_event: AnyEvent) -> None:
    """Finds nothing wrong."""


def build(settings: Settings, check: Check = accept, handled: list[str] | None = None) -> FastAPI:
    """`check` raises what is wrong with an event; `handled` gets the id of each that has been kept."""
    running = connect(SERVICE, settings)
    kept = running.database["kept"]

    async def keep(batch: Sequence[AnyEvent]) -> None:
        await mongo.bulk_write(
            kept, [mongo.UpdateOne({"_id": event.id}, {"$inc": {"times": 1}}, upsert=True) for event in batch]
        )

    async def process(batch: Sequence[AnyEvent]) -> Outcomes:
        await through_outages(lambda: keep(batch), service=SERVICE)
        return [None] * len(batch)

    batcher = Batcher[AnyEvent](process, max_size=20, max_wait=0.01)

    async def handle(event: AnyEvent) -> None:
        check(event)
        await batcher.submit(event)
        if handled is not None:
            handled.append(event.id)

    subscribe(running.broker, QUEUE, handle, prefetch=20, title="test")

    @asynccontextmanager
    async def start(_: Running) -> AsyncIterator[None]:
        async with batcher:
            yield

    return build_app(running, start, title="test", description="test")


@dataclass
class Small:
    """The service's surroundings: a broker and a database, each behind a proxy, and ways around both."""

    amqp_url: str
    mongo_url: str
    counts: QueueCounts
    to_broker: Proxy
    to_database: MongoProxy
    settings: Settings
    databases: list[mongo.Database] = field(default_factory=list)

    @classmethod
    def of(cls, amqp_url: str, mongo_url: str, metrics_url: str, **settings: float) -> Small:
        broker, database = urlsplit(amqp_url), urlsplit(mongo_url)
        ports = free_ports(2)
        return cls(
            amqp_url,
            mongo_url,
            QueueCounts(metrics_url, broker.path.removeprefix("/")),
            Proxy(ports[0], broker.hostname or "", broker.port or 0),
            MongoProxy(ports[1], database.hostname or "", database.port or 0),
            Settings(
                amqp_url=amqp_url.replace(f":{broker.port}", f":{ports[0]}"),
                mongo_url=mongo_url.replace(f":{database.port}", f":{ports[1]}"),
                mongo_database=f"test_{secrets.token_hex(6)}",
                shards=SHARDS,
                **settings,  # type: ignore[arg-type]
            ),
        )

    async def up(self) -> None:
        await self.to_broker.up()
        await self.to_database.up()

    async def close(self) -> None:
        await self.to_broker.down()
        await self.to_database.down()
        await self.counts.close()
        for database in self.databases:
            database.client.close()

    @asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
        """The service, ready, and its HTTP."""
        async with self.started(app) as http:
            await until(lambda: says(http, 200, "ready"), "the service to be ready")
            yield http

    @asynccontextmanager
    async def started(self, app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
        """The service, whatever its state, and its HTTP."""
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
        ):
            yield http

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        connection = await aio_pika.connect(self.amqp_url)
        async with connection, connection.channel() as channel:
            await topology.declare(channel, SHARDS)
            yield channel

    async def publish(self, some: Sequence[AnyEvent], headers: aio_pika.abc.HeadersType | None = None) -> None:
        async with self.channel() as channel:
            exchange = await channel.get_exchange(topology.EVENTS)
            for event in some:
                message = aio_pika.Message(event.encode(), message_id=event.id, headers=headers, delivery_mode=2)
                await exchange.publish(message, KEY)

    async def waiting_and_consumers(self) -> tuple[int, int]:
        """Ready messages and consumers of the service's queue, as the broker says at once."""
        async with self.channel() as channel:
            result = (await channel.declare_queue(QUEUE, passive=True)).declaration_result
        return result.message_count or 0, result.consumer_count or 0

    async def parked(self) -> int:
        """How many messages are parked."""
        return await self._ready(topology.parking_queue(SERVICE))

    async def held(self) -> int:
        """How many messages are held."""
        return await self._ready(topology.held_queue(SERVICE))

    async def _ready(self, queue: str) -> int:
        async with self.channel() as channel:
            result = (await channel.declare_queue(queue, passive=True)).declaration_result
        return result.message_count or 0

    async def looked_at(self, *, held: bool) -> list[aio_pika.abc.AbstractIncomingMessage]:
        """What is held, or parked, as an operator sees it: in order, and it stays there."""
        async with operating(self.amqp_url) as desk, desk.round(SERVICE, held=held) as walk:
            return await walk.take(1000)

    async def kept(self) -> set[str]:
        if not self.databases:
            self.databases.append(mongo.connect(self.mongo_url, self.settings.mongo_database, service="test"))
        return {found["_id"] async for found in self.databases[0]["kept"].find()}

    def holds(self, some: Sequence[AnyEvent]) -> Callable[[], Awaitable[bool]]:
        async def all_there() -> bool:
            return {event.id for event in some} <= await self.kept()

        return all_there

    def drained(self) -> Callable[[], Awaitable[bool]]:
        """Whether nothing waits and nothing is being worked on, to be asked until it is so.

        The broker counts what is held only now and then: one look may be older than the messages. What `waiting_and_consumers`
        says is exact, and for a service that has ended it is everything.
        """
        return Drain(self.counts, 2 * COUNTS_SECONDS).is_done


async def says(http: httpx.AsyncClient, status: int, word: str) -> bool:
    answer = await http.get("/health/ready")
    return answer.status_code == status and word in answer.text
