"""Scoring as it runs, on the private broker and database, and what tests do with it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import orjson

from services.scoring.app import build
from services.scoring.handlers import incoming
from services.scoring.rescoring import Clock, Incoming, Rescoring
from services.scoring.rule_store import RuleBook, RuleStore
from services.scoring.store import ScoringStore
from shared import mongo
from shared.clock import utc_now
from shared.events import AnyEvent
from shared.messaging import topology
from shared.settings import Settings
from tests import oracle
from tests.builders import STOCKHOLM

PATIENCE_SECONDS = 60.0
SHARDS = 3


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Waits for a condition.

    Raises:
        AssertionError: it did not become true in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s in vain for {what}"
        await asyncio.sleep(0.02)


@dataclass
class Stage:
    """A virtual host and a database of one test."""

    settings: Settings
    databases: list[mongo.Database] = field(default_factory=list)

    @classmethod
    def of(cls, amqp_url: str, mongo_url: str) -> Stage:
        database = f"test_{secrets.token_hex(6)}"
        return cls(Settings(amqp_url=amqp_url, mongo_url=mongo_url, mongo_database=database, shards=SHARDS))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """One replica, ready."""
        app = build(self.settings)
        async with app.router.lifespan_context(app):

            async def ready() -> bool:
                return not await app.state.running.health.missing()

            await until(ready, "scoring to be ready")
            yield

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        connection = await aio_pika.connect(self.settings.amqp_url)
        async with connection, connection.channel() as channel:
            await topology.declare(channel, SHARDS)
            yield channel

    async def publish(self, events: Iterable[AnyEvent]) -> None:
        async with self.channel() as channel:
            exchange = await channel.get_exchange(topology.EVENTS)
            for event in events:
                message = aio_pika.Message(event.encode(), message_id=event.id, delivery_mode=2)
                await exchange.publish(message, topology.routing_key(event.type, event.subject, SHARDS))

    async def publish_raw(self, body: bytes, key: str) -> None:
        async with self.channel() as channel:
            exchange = await channel.get_exchange(topology.EVENTS)
            await exchange.publish(aio_pika.Message(body, delivery_mode=2), key)

    async def take(self, queue_name: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
        """Everything that lies in a queue now."""
        found = []
        async with self.channel() as channel:
            queue = await channel.get_queue(queue_name)
            while message := await queue.get(no_ack=True, fail=False):
                found.append(message)
        return found

    async def facts_in_store(self) -> int:
        return int(await self.database()["scoring_facts"].count_documents({}))

    def rescoring(self, publish: Publisher, clock: Clock = utc_now) -> Rescoring:
        database = self.database()
        return Rescoring(ScoringStore(database), publish, clock, RuleBook(RuleStore(database)), zone=STOCKHOLM)

    def database(self) -> mongo.Database:
        self.databases.append(mongo.connect(self.settings.mongo_url, self.settings.mongo_database, service="test"))
        return self.databases[-1]

    def close(self) -> None:
        for database in self.databases:
            database.client.close()


class CrashError(BaseException):
    """The process dies here; nothing in it goes on after that."""


@dataclass
class Publisher:
    """Keeps what is published; dies before the message with number `dies_at`."""

    dies_at: int | None = None
    published: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def __call__(self, body: bytes, *, routing_key: str, message_id: str) -> None:
        if self.dies_at is not None and len(self.published) >= self.dies_at:
            raise CrashError
        self.published.append((routing_key, message_id, orjson.loads(body)))

    def level_changes(self) -> list[str]:
        return [message_id for key, message_id, _ in self.published if key == topology.LEVEL_CHANGED_KEY]


def batch(events: Iterable[AnyEvent]) -> list[Incoming]:
    return [incoming(event, STOCKHOLM) for event in events]


def last_scores(bodies: Iterable[dict[str, Any]]) -> dict[str, oracle.Expected]:
    """What a reader that keeps the highest revision ends with."""
    newest: dict[str, dict[str, Any]] = {}
    for body in bodies:
        kept = newest.get(body["subject"])
        if kept is None or body["data"]["revision"] >= kept["data"]["revision"]:
            newest[body["subject"]] = body
    return {student: _expected(body["data"]) for student, body in newest.items()}


def _expected(data: dict[str, Any]) -> oracle.Expected:
    points = {reason["indicator"]: reason["points"] for reason in data["reasons"] if reason["points"]}
    return oracle.Expected(data["score"], data["level"], points, data.get("as_of"))


def expected(events: Iterable[AnyEvent]) -> dict[str, oracle.Expected]:
    return oracle.expect([orjson.loads(event.encode()) for event in events])
