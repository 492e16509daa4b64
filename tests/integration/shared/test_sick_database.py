"""All four services while the database is full, between two primaries, out of locks, or broken in a way that tells nothing:
requests are refused with 503, readiness says why, messages wait in place, and afterwards everything is there.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import httpx
import orjson
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from deploy.local.ports import free_ports
from services.ingest.app import build as build_ingest
from services.notify.app import build as build_notify
from services.reporting.app import build as build_reporting
from services.scoring.app import build as build_scoring
from shared import mongo
from shared.messaging import topology
from shared.settings import Settings
from tests.integration.ingest.stage import PSEUDONYM_KEY, SERVICE_TOKEN, TOKENS, new_id, now, publish
from tests.integration.shared.waiting import until
from tests.mongo_proxy import PLANTED, WRITES, Fault, MongoProxy, failed, write_failed
from tests.unit.ingest.builders import attendance

pytestmark = pytest.mark.integration

BUILDS = {
    "ingest": build_ingest,
    "scoring": build_scoring,
    "notify": build_notify,
    "reporting": build_reporting,
}
PASSWORD = "a password that only this test knows"
AS_SERVICE = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
VIEWER = ("kvar", PASSWORD)

KINDS = {
    "OutOfDiskSpace": Fault(failed(14031)),
    "NotWritablePrimary": Fault(failed(10107)),
    "InternalError": Fault(failed(1)),
    "LockTimeout": Fault(write_failed(24), WRITES),
}
"""By the name that the server has for it. The third is what the embedded database says of a full disk."""


@dataclass
class World:
    """The services, each with its HTTP, on one broker and, through the proxy, on one database."""

    proxy: MongoProxy
    settings: Settings
    https: dict[str, httpx.AsyncClient]
    database: mongo.Database

    async def say(self, status: int, word: str) -> bool:
        answers = [await http.get("/health/ready") for http in self.https.values()]
        return all(answer.status_code == status and word in answer.text for answer in answers)

    async def send(self, *events: dict[str, Any]) -> None:
        """Over AMQP."""
        connection = await aio_pika.connect(self.settings.amqp_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(topology.SIS_EVENTS)
            for event in events:
                await exchange.publish(aio_pika.Message(orjson.dumps(event), delivery_mode=2), "any")

    async def shown(self) -> int:
        """How many students reporting knows."""
        with mongo.outages():
            return int(await self.database["student_views"].count_documents({}))


@pytest.fixture
async def world(new_vhost: Callable[[], str], mongo_url: str) -> AsyncIterator[World]:
    address = urlsplit(mongo_url)
    ports = free_ports(2)
    proxy = MongoProxy(ports[0], address.hostname or "", address.port or 0)
    settings = Settings(
        amqp_url=new_vhost(),
        mongo_url=proxy.url(mongo_url),
        mongo_database=f"test_{secrets.token_hex(6)}",
        shards=1,
        outage_patience_seconds=0.5,
        publishers={code: SecretStr(token) for code, token in TOKENS.items()},
        pseudonym_key=SecretStr(PSEUDONYM_KEY),
        service_token=SecretStr(SERVICE_TOKEN),
        viewer_password=SecretStr(PASSWORD),
        smtp_url=f"smtp://127.0.0.1:{ports[1]}",
    )
    await proxy.up()
    database = mongo.connect(mongo_url, settings.mongo_database, service="test")
    async with AsyncExitStack() as stack:
        https = {}
        for name, build in BUILDS.items():
            app = build(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
            https[name] = await stack.enter_async_context(client)
        world = World(proxy, settings, https, database)
        await until(lambda: world.say(200, "ready"), "all services to be ready")
        yield world
    database.client.close()
    await proxy.down()


def gone_wrong() -> dict[tuple[str, str], float]:
    """How many messages have gone down the ladder or been parked, by metric and service."""
    return {
        (metric.name, str(sample.labels)): sample.value
        for metric in REGISTRY.collect()
        if metric.name in {"kvar_retried", "kvar_parked"}
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


@pytest.fixture(autouse=True)
def nothing_goes_wrong(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    before = gone_wrong()
    yield
    assert gone_wrong() == before
    assert PLANTED not in caplog.text


async def test_a_sick_database_is_waited_for_by_all_services(world: World) -> None:
    for students, (name, fault) in enumerate(KINDS.items()):
        over_http, over_amqp = (attendance(new_id(f"id:{door}"), now=now(), id=new_id()) for door in ("http", "amqp"))
        world.proxy.faults[:] = [fault]
        await world.send(over_amqp)
        refused = await publish(world.https["ingest"], [over_http])
        assert refused.status_code == 503, name
        assert refused.headers["content-type"] == "application/problem+json"
        assert name in refused.json()["detail"]
        await until(partial(world.say, 503, name), f"all services to say {name}")
        assert not await world.shown() > 2 * students
        if fault.commands != WRITES:
            await _refuse_to_show(world)
        assert [(await http.get("/health/live")).status_code for http in world.https.values()] == [200] * 4
        world.proxy.faults.clear()
        await until(lambda: world.say(200, "ready"), "all services to be ready again")
        assert (await publish(world.https["ingest"], [over_http])).status_code == 202

        async def shown(count: int = 2 * (students + 1)) -> bool:
            return await world.shown() == count

        await until(shown, "everything to be scored and shown")


async def _refuse_to_show(world: World) -> None:
    alerts = await world.https["notify"].get("/v1/alerts", headers=AS_SERVICE)
    assert (alerts.status_code, alerts.headers["content-type"]) == (503, "application/problem+json")
    assert PLANTED not in alerts.text
    page = await world.https["reporting"].get("/", auth=VIEWER)
    assert page.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    units = await world.https["reporting"].get("/v1/units", auth=VIEWER)
    assert (units.status_code, units.headers["content-type"]) == (503, "application/problem+json")
    rejected = await world.https["ingest"].get("/v1/rejected", headers={"Authorization": f"Bearer {TOKENS['2480']}"})
    assert (rejected.status_code, rejected.headers["content-type"]) == (503, "application/problem+json")
