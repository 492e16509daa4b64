"""One running notify (or several) with its real broker and database, and what tests do with them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aio_pika
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from services.notify.app import build
from shared import database_clock, mongo
from shared.events import (
    AlertWithdrawnEvent,
    EnrolmentChangedEvent,
    Level,
    RiskLevelChangedEvent,
    StaffChanged,
    StaffChangedEvent,
    StaffRole,
)
from shared.messaging import topology
from shared.settings import Settings
from tests.integration.notify.neighbours import TOKEN, Neighbour, Sink
from tests.unit.notify.builders import change, enrolment, withdrawal

PATIENCE_SECONDS = 40


def student() -> str:
    """A new pseudonym."""
    return "p_" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(26))


def level_changed(who: str, n: int = 1, **fields: Any) -> RiskLevelChangedEvent:
    fields.setdefault("received_at", datetime.now(UTC))
    before, after = fields.pop("before", Level.UNIVERSAL), fields.pop("after", Level.TARGETED)
    return RiskLevelChangedEvent(
        id=f"{who}:{n}",
        source="/kvar/scoring",
        subject=who,
        time=datetime.now(UTC),
        authority="2480",
        data=change(n, before, after, **fields),
    )


def alert_withdrawn(who: str, n: int = 2, withdraws: int = 1, **fields: Any) -> AlertWithdrawnEvent:
    fields = {"received_at": datetime.now(UTC), "alert": f"{who}:{withdraws}", **fields}
    return AlertWithdrawnEvent(
        id=f"{who}:{n}",
        source="/kvar/scoring",
        subject=who,
        time=datetime.now(UTC),
        authority="2480",
        data=withdrawal(n, withdraws, **fields),
    )


def staff_changed(staff: str = "staff:anna", *roles: StaffRole, revision: int = 1, **fields: Any) -> StaffChangedEvent:
    given: dict[str, Any] = {
        "name": "Åsa Öberg",
        "email": f"{staff.removeprefix('staff:')}@skola.example",
        "roles": list(roles or [StaffRole.COACH]),
        "scope": ["Ekskolan"],
        "revision": revision,
    }
    return StaffChangedEvent(
        id=secrets.token_hex(8),
        source="/authorities/2480/systems/hr",
        subject=staff,
        time=datetime.now(UTC),
        authority="2480",
        data=StaffChanged(**{**given, **fields}),
    )


def enrolled(who: str, starts_on: date = date(2026, 8, 17), **fields: Any) -> EnrolmentChangedEvent:
    return EnrolmentChangedEvent(
        id=secrets.token_hex(8),
        source="/authorities/2480/systems/sis",
        subject=who,
        time=datetime.now(UTC),
        authority="2480",
        data=enrolment(starts_on=starts_on, **fields),
    )


async def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Waits for a condition.

    Raises:
        AssertionError: it did not become true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        await asyncio.sleep(0.02)


@dataclass
class Stage:
    """The world around notify in one test: a virtual host and a database of its own."""

    settings: Settings
    sink: Sink
    ingest: Neighbour

    @classmethod
    def of(cls, amqp_url: str, mongo_url: str, sink: Sink, ingest: Neighbour) -> Stage:
        settings = Settings(
            amqp_url=amqp_url,
            mongo_url=mongo_url,
            mongo_database=f"test_{secrets.token_hex(6)}",
            service_token=SecretStr(TOKEN),
            smtp_url=sink.url,
            ingest_url=ingest.url,
            public_url="https://kvar.example",
            mail_from="kvar@skola.example",
            shards=1,
        )
        return cls(settings, sink, ingest)

    @asynccontextmanager
    async def running(self, ahead: timedelta = timedelta()) -> AsyncIterator[httpx.AsyncClient]:
        """A replica that is ready; yields a client of its HTTP. `ahead`: by how much the clock of its machine is wrong."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database_clock, "utc_now", lambda: datetime.now(UTC) + ahead)
            app: FastAPI = build(self.settings)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as client,
        ):
            client.headers["Authorization"] = f"Bearer {TOKEN}"
            deadline = time.monotonic() + PATIENCE_SECONDS
            while (answer := await client.get("/health/ready")).status_code != 200:
                assert time.monotonic() < deadline, f"not ready: {answer.text}"
                await asyncio.sleep(0.05)
            yield client

    async def publish(
        self, *events: RiskLevelChangedEvent | AlertWithdrawnEvent | StaffChangedEvent | EnrolmentChangedEvent
    ) -> None:
        """Publishes as scoring and ingest do, confirmed."""
        async with await aio_pika.connect(self.settings.amqp_url) as connection:
            channel = await connection.channel()
            await topology.declare(channel, 1)
            for event in events:
                name, key = _address(event)
                exchange = await channel.get_exchange(name)
                await exchange.publish(aio_pika.Message(event.encode(), message_id=event.id), key)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[mongo.Database]:
        """The service's database, for looking into and for staging crashes."""
        database = mongo.connect(self.settings.mongo_url, self.settings.mongo_database, service="test")
        try:
            yield database
        finally:
            database.client.close()


def _address(
    event: RiskLevelChangedEvent | AlertWithdrawnEvent | StaffChangedEvent | EnrolmentChangedEvent,
) -> tuple[str, str]:
    match event:
        case RiskLevelChangedEvent():
            return topology.RISK, topology.LEVEL_CHANGED_KEY
        case AlertWithdrawnEvent():
            return topology.RISK, topology.ALERT_WITHDRAWN_KEY
        case _:
            return topology.EVENTS, topology.routing_key(event.type, event.subject, 1)


async def alert_of(client: httpx.AsyncClient, alert_id: str) -> dict[str, Any]:
    """An alert as operators see it; without status while there is none."""
    answer = await client.get(f"/v1/alerts/{alert_id}")
    assert answer.status_code in {200, 404}, answer.text
    return {"status": None, **answer.json()}


def refusals_of(shown: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """Who was refused, as operators see it: staff id, space, answer."""
    return [(item["staff"], item["staff_space"], item["answer"]) for item in shown["refusals"]]


async def reaches(client: httpx.AsyncClient, alert_id: str, status: str) -> dict[str, Any]:
    """Waits until an alert is in a state.

    Raises:
        AssertionError: it is not in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (shown := await alert_of(client, alert_id))["status"] != status:
        assert time.monotonic() < deadline, f"waited in vain for {alert_id} to be {status}; it is {shown}"
        await asyncio.sleep(0.05)
    return shown


async def troubled(client: httpx.AsyncClient, alert_id: str) -> dict[str, Any]:
    """Waits until an attempt to mail an alert has failed.

    Raises:
        AssertionError: none did in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (shown := await alert_of(client, alert_id)).get("problem"):
        assert time.monotonic() < deadline, f"waited in vain for {alert_id} to meet a problem; it is {shown}"
        await asyncio.sleep(0.05)
    return shown


async def all_reach(client: httpx.AsyncClient, alert_ids: Iterable[str], status: str) -> None:
    """Waits until all alerts are in a state."""
    waits: list[Awaitable[Any]] = [reaches(client, alert_id, status) for alert_id in alert_ids]
    await asyncio.gather(*waits)
