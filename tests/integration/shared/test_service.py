"""The life of a service when the broker is late, goes away and comes back; through a small TCP proxy before the real one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from fastapi import FastAPI

from deploy.local.ports import free_ports
from services.scoring.app import build
from shared.settings import Settings
from tests.builders import MONDAY, attendance, pseudonym, school_days
from tests.integration.scoring.stage import Stage, expected, last_scores, until
from tests.proxy import Proxy

pytestmark = pytest.mark.integration


@asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        yield http


@pytest.fixture
async def proxied(new_vhost: Callable[[], str], mongo_url: str) -> AsyncIterator[tuple[Proxy, Stage, Settings]]:
    """A proxy that is not up yet, a stage beside it, and settings that lead through it."""
    url = new_vhost()
    address = urlsplit(url)
    [port] = free_ports(1)
    proxy = Proxy(port, address.hostname or "", address.port or 0)
    stage = Stage.of(url, mongo_url)
    through = url.replace(f":{address.port}/", f":{port}/")
    yield proxy, stage, stage.settings.model_copy(update={"amqp_url": through})
    await proxy.down()
    stage.close()


async def test_a_service_waits_for_the_broker_and_its_consumers_come_back(
    proxied: tuple[Proxy, Stage, Settings],
) -> None:
    proxy, stage, settings = proxied
    events = [attendance(pseudonym("åsa"), day, unexcused=60) for day in school_days(MONDAY, 12)]
    async with client(build(settings)) as http:

        async def says(status: int, word: str) -> bool:
            answer = await http.get("/health/ready")
            return answer.status_code == status and word in answer.text

        await until(lambda: says(503, "waiting for the broker"), "a service that says what it waits for")
        assert (await http.get("/health/live")).status_code == 200
        await proxy.up()
        await until(lambda: says(200, "ready"), "the service to be ready")
        await proxy.down()
        await until(lambda: says(503, "broker"), "a service that says that the broker is gone")
        await stage.publish(events)
        await proxy.up()
        await until(lambda: says(200, "ready"), "the service to be ready again")
        found: list[dict[str, object]] = []

        async def told() -> bool:
            found.extend(orjson.loads(message.body) for message in await stage.take("reporting.risk"))
            return last_scores(found) == expected(events)

        await until(told, "scores as brute force says")

        async def counted() -> bool:
            text = (await http.get("/metrics")).text
            return "kvar_event_to_score_seconds_count" in text and 'kvar_messages_total{outcome="handled"' in text

        await until(counted, "metrics of what has been done")


async def test_a_database_that_is_away_is_named(new_vhost: Callable[[], str]) -> None:
    [port] = free_ports(1)
    settings = Settings(
        amqp_url=new_vhost(), mongo_url=f"mongodb://127.0.0.1:{port}/", mongo_database=f"test_{secrets.token_hex(4)}"
    )
    async with client(build(settings)) as http:

        async def names_it() -> bool:
            answer = await http.get("/health/ready")
            return answer.status_code == 503 and "database" in answer.text

        await until(names_it, "a service that says that the database is away")


@pytest.mark.parametrize("error", [StopAsyncIteration(), RuntimeError("writer is None")], ids=["stopped", "no writer"])
async def test_a_connection_that_is_cut_while_it_is_made_is_tried_again(
    error: Exception, new_vhost: Callable[[], str], mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the driver raises is up to the moment of the cut; both were seen while a broker restarted."""
    settings = Settings(amqp_url=new_vhost(), mongo_url=mongo_url, mongo_database=f"test_{secrets.token_hex(4)}")
    app = build(settings)

    async def cut() -> None:
        monkeypatch.undo()
        raise error

    monkeypatch.setattr(app.state.running.broker, "connect", cut)
    async with client(app) as http:

        async def ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await until(ready, "the service to be ready at the second attempt")
