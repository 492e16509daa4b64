"""Reporting as it runs, on the private broker and database: its HTTP, its collections, and publishing to it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import aio_pika
import httpx
import pytest
from pydantic import SecretStr

from services.reporting.app import build
from services.reporting.climate import ClimateStore
from services.reporting.handlers import StudentWriter
from services.reporting.signals import SignalStore
from shared import mongo
from shared.events import AnyEvent, GroupSignalChangedEvent, RiskScoredEvent
from shared.messaging import topology
from shared.messaging.batching import Outcomes
from shared.settings import Settings
from tests.unit.reporting.builders import MONDAY, noon

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel
    from fastapi import FastAPI

PASSWORD = "åtta-tecken-minst"
DEADLINE_SECONDS = 30.0

Publish = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Reporting:
    """One running replica."""

    app: FastAPI
    client: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of a path that must answer 200."""
        answer = await self.client.get(path, params=query or None)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def page(self, path: str, **query: Any) -> str:
        """The HTML of a path that must answer 200."""
        answer = await self.client.get(path, params=query or None)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.text

    async def settled_units(self) -> list[dict[str, Any]]:
        """The units once all of them are counted."""

        async def counted() -> list[dict[str, Any]] | None:
            answer = await self.get("/v1/units")
            return None if answer["recount_due"] else answer["units"]

        units: list[dict[str, Any]] = await eventually(counted, "all units are counted")
        return units


async def eventually(look: Callable[[], Awaitable[Any]], waited_for: str) -> Any:
    """The first result that is not nothing; fails after a deadline, telling what was waited for."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (found := await look()) is None:
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS:.0f} s in vain: {waited_for}"
        await asyncio.sleep(0.05)
    return found


@dataclass
class Today:
    """The day at the schools, for all replicas of a test; it begins on the Monday on which tests look at things."""

    day: date = MONDAY

    def __call__(self) -> datetime:
        """Noon of that day."""
        return noon(self.day)


@pytest.fixture(scope="module")
def module_today() -> Today:
    return Today()


@pytest.fixture
def today(module_today: Today) -> Iterator[Today]:
    """For tests in which days pass."""
    yield module_today
    module_today.day = MONDAY


@asynccontextmanager
async def running(settings: Settings, today: Callable[[], datetime] | None = None) -> AsyncIterator[Reporting]:
    """A replica, ready; stopped at the end."""
    app = build(settings, today or Today())
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://kvar.test", auth=("kvar", PASSWORD)) as client,
    ):

        async def ready() -> bool | None:
            return True if (await client.get("/health/ready")).status_code == 200 else None

        await eventually(ready, "reporting is ready")
        yield Reporting(app, client)


def _settings(amqp_url: str, mongo_url: str, database: str) -> Settings:
    return Settings(
        amqp_url=amqp_url, mongo_url=mongo_url, mongo_database=database, viewer_password=SecretStr(PASSWORD), shards=1
    )


@pytest.fixture(scope="module")
def settings(module_amqp_url: str, mongo_url: str, module_database: str) -> Settings:
    return _settings(module_amqp_url, mongo_url, module_database)


@pytest.fixture
def own_settings(new_vhost: Callable[[], str], mongo_url: str) -> Settings:
    """A broker and a database where nothing consumes but what the test starts."""
    return _settings(new_vhost(), mongo_url, f"reporting_{secrets.token_hex(6)}")


@pytest.fixture
def database(settings: Settings) -> Iterator[mongo.Database]:
    opened = mongo.connect(settings.mongo_url, settings.mongo_database, service="test")
    yield opened
    opened.client.close()


@pytest.fixture(scope="module")
async def module_reporting(settings: Settings, module_today: Today, handled: Handled) -> AsyncIterator[Reporting]:
    async with running(settings, module_today) as replica:
        yield replica


@pytest.fixture
async def reporting(module_reporting: Reporting, database: mongo.Database) -> Reporting:
    """The module's replica (starting one takes seconds) with nothing in its collections."""
    for name in ("student_views", "unit_views", "climate_views", "group_signals"):
        await database[name].delete_many({})
    return module_reporting


@pytest.fixture
def replica(settings: Settings, today: Today) -> Callable[[], AbstractAsyncContextManager[Reporting]]:
    """Starts one more replica on the same broker and database."""
    return lambda: running(settings, today)


@dataclass
class Handled:
    """How many messages all replicas of this process have brought to an end, repetitions included."""

    count: int = 0


@pytest.fixture(scope="module")
def handled() -> Iterator[Handled]:
    """Counts at the three places where an effect is complete."""
    seen = Handled()
    process, keep, keep_signal = StudentWriter.process, ClimateStore.keep, SignalStore.keep

    async def counted_process(self: StudentWriter, events: list[Any]) -> Outcomes:
        outcomes = await process(self, events)
        seen.count += len(events)
        return outcomes

    async def counted_keep(self: ClimateStore, event: Any) -> None:
        await keep(self, event)
        seen.count += 1

    async def counted_signal(self: SignalStore, event: Any) -> None:
        await keep_signal(self, event)
        seen.count += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SignalStore, "keep", counted_signal)
        patch.setattr(StudentWriter, "process", counted_process)
        patch.setattr(ClimateStore, "keep", counted_keep)
        yield seen


@asynccontextmanager
async def open_channel(settings: Settings) -> AsyncIterator[AbstractChannel]:
    """A channel on a broker, with everything declared."""
    async with await aio_pika.connect(settings.amqp_url) as connection, connection.channel() as opened:
        await topology.declare(opened, settings.shards)
        yield opened


@pytest.fixture
async def channel(settings: Settings) -> AsyncIterator[AbstractChannel]:
    """A channel on the module's broker."""
    async with await aio_pika.connect(settings.amqp_url) as connection, connection.channel() as opened:
        yield opened


@pytest.fixture
def publish(channel: AbstractChannel, handled: Handled) -> Publish:
    """Publishes events as scoring and ingest do, and returns when all of them have been handled."""

    async def send(*events: AnyEvent) -> None:
        wanted = handled.count + len(events)
        for event in events:
            exchange, key = _address(event)
            message = aio_pika.Message(event.encode(), message_id=event.id)
            await (await channel.get_exchange(exchange)).publish(message, key)

        async def done() -> bool | None:
            return True if handled.count >= wanted else None

        await eventually(done, f"{len(events)} events are handled")

    return send


def _address(event: AnyEvent) -> tuple[str, str]:
    if isinstance(event, RiskScoredEvent):
        return topology.RISK, topology.SCORED_KEY
    if isinstance(event, GroupSignalChangedEvent):
        return topology.RISK, topology.GROUP_SIGNAL_KEY
    return topology.EVENTS, topology.routing_key(event.type, event.subject, 1)
