"""What is there at the end of a run: read from the broker, the database, the services' own interfaces and the mail box."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

import aio_pika
import httpx
import orjson

from deploy.demo.events import Event
from deploy.local import mails
from deploy.local.broker import amqp_url, management_url, metrics_url
from deploy.local.database import mongo_url
from deploy.local.layout import VIEWER
from deploy.local.queues import Management, QueueCounts, is_parking, pending
from shared import mongo
from shared.messaging import topology
from tests import references
from tests.chaos.world import DATABASE, World

WITNESS = "chaos.witness"
"""A queue of ours beside notify's: everything that was ever published about levels lies in it at the end."""
WATCHED = (topology.LEVEL_CHANGED_KEY, topology.ALERT_WITHDRAWN_KEY)
OPEN_ALERTS = ("due", "sending", "pending", "undeliverable")


@dataclass(frozen=True, slots=True)
class Told:
    """A message about a level: a change, or an alert withdrawn."""

    key: str
    id: str
    body: bytes

    @property
    def student(self) -> str:
        return self.id.rpartition(":")[0]

    @property
    def number(self) -> int:
        return int(self.id.rpartition(":")[2])

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = orjson.loads(self.body)["data"]
        return data


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail in the box."""

    alert: str
    message_id: str
    recipient: str


@dataclass(slots=True)
class Evidence:
    """Everything found. `pseudonyms`: by the publisher's reference; `views`: reporting's answers by pseudonym."""

    pseudonyms: dict[str, str] = field(default_factory=dict)
    archived: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    students: dict[str, dict[str, Any]] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    mailed: list[Mailed] = field(default_factory=list)
    parked: list[tuple[str, str]] = field(default_factory=list)
    """Queue and body of each."""
    left: list[str] = field(default_factory=list)
    """Work that nobody did."""


@asynccontextmanager
async def _channel(world: World) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    connection = await aio_pika.connect(amqp_url(world.ports.broker))
    async with connection, connection.channel() as channel:
        yield channel


async def place_witness(world: World) -> None:
    """Binds the queue of ours, before anything is published. It survives the broker."""
    async with _channel(world) as channel:
        await topology.declare(channel, 8)
        queue = await channel.declare_queue(WITNESS, durable=True, arguments={"x-queue-type": "quorum"})
        for key in WATCHED:
            await queue.bind(topology.RISK, key)


async def work_left(world: World, *, thorough: bool) -> list[str]:
    """What is still under way, in words; nothing when all work is done.

    `thorough`: also what is only waited for in case something was lost: notes of what may not be published, which the
    sweeper of ingest clears after half a minute, and alerts whose mail waits for a lease to run out.
    """
    database = mongo.connect(mongo_url(world.ports.database), DATABASE, service="test")
    counts = QueueCounts(metrics_url(world.ports.broker))
    try:
        left = [f"{n} messages in {name}" for name, n in pending(await counts.read()).items() if name != WITNESS]
        outboxes = await database["scoring_students"].count_documents({"outbox.0": {"$exists": True}})
        left += [f"outboxes of {outboxes} students are not empty"] if outboxes else []
        if thorough:
            notes = await database["events_unpublished"].count_documents({})
            left += [f"{notes} notes of unpublished events"] if notes else []
            for state in OPEN_ALERTS:
                if number := await database["alerts"].count_documents({"state": state}):
                    left.append(f"{number} alerts are {state}")
    except httpx.HTTPError as error:
        left = [f"the broker does not say how many messages there are ({error!r})"]
    finally:
        await counts.close()
        database.client.close()
    return left


async def gather(world: World, published: Iterable[Event]) -> Evidence:
    """Reads everything about what was published. The witness and the parking queues are empty afterwards."""
    evidence = Evidence()
    url, token = world.of("ingest")[-1].url, world.secrets.service_token
    evidence.pseudonyms = await references.pseudonyms(url, token, published)
    await _read_database(world, evidence)
    await _read_queues(world, evidence)
    reporting, notify, ingest = (world.of(name)[-1].url for name in ("reporting", "notify", "ingest"))
    async with _client(reporting, auth=(VIEWER, world.secrets.viewer_password)) as client:
        for pseudonym in set(evidence.pseudonyms.values()):
            answer = await client.get(f"/v1/students/{pseudonym}")
            if answer.is_success:
                evidence.views[pseudonym] = answer.json()
    async with _client(notify, token=world.secrets.service_token) as client:
        evidence.alerts = await _pages(client, "/v1/alerts")
    async with _client(ingest, token=world.secrets.service_token) as client:
        evidence.rejected = [orjson.loads(item["content"])["id"] for item in await _pages(client, "/internal/rejected")]
    evidence.mailed = await asyncio.to_thread(read_mails, world.folder / "mail")
    return evidence


async def _read_database(world: World, evidence: Evidence) -> None:
    database = mongo.connect(mongo_url(world.ports.database), DATABASE, service="test")
    evidence.archived = [row["_id"] async for row in database["events_archive"].find({}, {"_id": 1})]
    evidence.facts = [row async for row in database["scoring_facts"].find()]
    async for row in database["scoring_students"].find():
        evidence.students[row["_id"]] = {**orjson.loads(row["state"]), "outbox": row.get("outbox", [])}
    database.client.close()


async def _read_queues(world: World, evidence: Evidence) -> None:
    management = Management(management_url(world.ports.broker))
    names = await asyncio.to_thread(management.queue_names)
    management.close()
    async with _channel(world) as channel:
        for name in [WITNESS, *filter(is_parking, names)]:
            queue = await channel.get_queue(name)
            while message := await queue.get(no_ack=True, fail=False):
                if name == WITNESS:
                    evidence.told.append(Told(message.routing_key or "", message.message_id or "", message.body))
                else:
                    evidence.parked.append((name, message.body.decode(errors="replace")))


def _client(url: str, *, token: str | None = None, auth: tuple[str, str] | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Each question on a connection of its own: a server may close one that is kept just when it is used again.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=url, headers=headers, auth=auth, timeout=20.0, trust_env=False, limits=limits)


async def _pages(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        answer = await client.get(path, params={"after": after} if after else {})
        page = answer.raise_for_status().json()
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


def read_mails(folder: Path) -> list[Mailed]:
    """All mails in the box."""
    found = []
    for file in sorted(folder.glob(f"*{mails.SUFFIX}")):
        message = message_from_bytes(file.read_bytes())
        found.append(Mailed(str(message["X-Kvar-Alert-Id"]), str(message["Message-ID"]), str(message["To"])))
    return found
