"""The broker is short of memory: it reads nothing from publishers, and says so only to those who publish meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from deploy.local.broker import control
from services.ingest.app import build
from shared.settings import Settings
from tests.conftest import BrokerServer
from tests.integration.ingest.stage import PSEUDONYM_KEY, SERVICE_TOKEN, TOKENS, new_id, now, publish, statuses, until
from tests.integration.shared import small
from tests.integration.shared.small import Small
from tests.unit.ingest.builders import attendance

pytestmark = pytest.mark.integration

TOO_LITTLE, USUAL = "0.0001", "0.4"
"""Shares of the machine's memory that the node may take."""
ENDLESS_SECONDS = 3600.0


@asynccontextmanager
async def alarm(server: BrokerServer) -> AsyncIterator[None]:
    if server.node is None:
        pytest.skip("the broker is not ours to set into an alarm")
    try:
        await asyncio.to_thread(control, server.node, "set_vm_memory_high_watermark", TOO_LITTLE)
        yield
    finally:
        await asyncio.to_thread(control, server.node, "set_vm_memory_high_watermark", USUAL)


@pytest.fixture
def settings(new_vhost: Callable[[], str], mongo_url: str) -> Settings:
    return Settings(
        amqp_url=new_vhost(),
        mongo_url=mongo_url,
        mongo_database=f"test_{secrets.token_hex(6)}",
        publishers={code: SecretStr(token) for code, token in TOKENS.items()},
        pseudonym_key=SecretStr(PSEUDONYM_KEY),
        service_token=SecretStr(SERVICE_TOKEN),
    )


async def says(http: httpx.AsyncClient, status: int, word: str) -> bool:
    answer = await http.get("/health/ready")
    return answer.status_code == status and word in answer.text


async def test_in_an_alarm_readiness_says_so_and_requests_are_refused_at_once(
    settings: Settings, broker_server: BrokerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.broker.PUBLISH_TIMEOUT_SECONDS", ENDLESS_SECONDS)
    app = build(settings)
    events = [attendance("id:alarm", now=now(), id=new_id()) for _ in range(20)]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        await until("ingest to be ready", lambda: says(http, 200, "ready"))
        async with alarm(broker_server):
            # The first hears of the alarm only when it has published, the second before.
            for _ in range(2):
                refused = await publish(http, events)
                assert refused.status_code == 503
                assert refused.headers["content-type"] == "application/problem+json"
                assert "short of memory or disk" in refused.json()["detail"]
            assert await says(http, 503, "short of memory or disk")
            assert (await http.get("/health/live")).status_code == 200
        await until("ingest to be ready again", lambda: says(http, 200, "ready"))
        assert set(statuses(await publish(http, events))) <= {"accepted", "duplicate"}


async def test_a_publisher_that_has_not_published_yet_says_so_too(
    settings: Settings, broker_server: BrokerServer
) -> None:
    app = build(settings)
    async with (
        alarm(broker_server),
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        await until("ingest to tell of the alarm", lambda: says(http, 503, "short of memory or disk"))


async def test_who_only_consumes_goes_on_in_an_alarm(
    new_vhost: Callable[[], str], mongo_url: str, broker_server: BrokerServer
) -> None:
    """Consuming makes room; a connection that published something would be read no more, acknowledgements neither."""
    surroundings = Small.of(new_vhost(), mongo_url, broker_server.metrics_url)
    await surroundings.up()
    events = small.events(30)
    await surroundings.publish(events)
    try:
        async with alarm(broker_server), surroundings.running(small.build(surroundings.settings)) as http:
            await until("all events to be kept", surroundings.holds(events))
            await until("an empty queue", surroundings.drained())
            assert await small.says(http, 200, "ready")
    finally:
        await surroundings.close()


async def test_who_asks_for_readiness_again_and_again_opens_no_further_channel(settings: Settings) -> None:
    app = build(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        await until("ingest to be ready", lambda: says(http, 200, "ready"))
        connection = app.state.running.broker._connection.transport.connection
        before = len(connection.channels)
        for _ in range(5):
            assert await says(http, 200, "ready")
        assert len(connection.channels) == before
