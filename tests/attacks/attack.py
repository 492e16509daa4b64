"""What an attack is, and the world that it is made on: a stack of its own, with two authorities that have nothing in common."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from deploy.demo.events import Event, Source
from deploy.local.broker import amqp_url
from deploy.local.database import mongo_url
from deploy.local.layout import SERVICES, Secrets
from shared import mongo
from tests.attacks.finding import Finding
from tests.attacks.watch import Watch
from tests.chaos.evidence import work_left
from tests.chaos.world import DATABASE, World, build_world, running

HOSTILE = "0180"
OTHER = "2480"
BATCH = "application/cloudevents-batch+json"
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.25
__all__ = ["Attack", "Finding", "Stage", "stage"]

MOST_ALLOWED_BYTES = 2 << 30
"""A service that grows beyond this is ended, so that the machine outlives the attack."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, in one sentence (`about`), and by what. `seconds`: how long it may take, start of the stack not counted.

    `environment`: further settings of a service, by its name.
    """

    name: str
    about: str
    run: Callable[[Stage], Awaitable[list[Finding]]]
    seconds: float
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """A running stack. `hostile` attacks, `other` wants nothing but its events scored."""

    world: World
    http: httpx.AsyncClient
    hostile: str = HOSTILE
    other: str = OTHER
    made: int = 0

    def url(self, service: str) -> str:
        """Where a service answers."""
        return self.world.of(service)[0].url

    def token(self, authority: str) -> str:
        """An authority's token at the door."""
        return self.world.secrets.publishers[authority]

    @property
    def amqp_url(self) -> str:
        return amqp_url(self.world.ports.broker)

    @property
    def mongo_url(self) -> str:
        return mongo_url(self.world.ports.database)

    def log(self, service: str) -> Path:
        """The log of a service's replica."""
        return self.world.folder / "log" / f"{self.world.of(service)[0].name}.log"

    def headers(self, authority: str, content_type: str = BATCH) -> dict[str, str]:
        """What a request of this publisher bears."""
        return {"Authorization": f"Bearer {self.token(authority)}", "Content-Type": content_type}

    async def post(self, authority: str, events: Sequence[Event], *, seconds: float = 120.0) -> httpx.Response:
        """Sends a batch."""
        return await self.http.post(
            f"{self.url('ingest')}/v1/events",
            content=orjson.dumps(list(events)),
            headers=self.headers(authority),
            timeout=seconds,
        )

    def event(self, authority: str, kind: str, subject: str, data: dict[str, Any]) -> Event:
        """Any event of now; each with an id of its own."""
        self.made += 1
        event = Source(authority, "attack").event(kind, subject, datetime.now(UTC), str(self.made), data)
        if "revision" in data:
            event["data"]["revision"] = data["revision"]
        return event

    def lesson(self, authority: str, student: str, **data: Any) -> Event:
        """A lesson of yesterday with 60 minutes of unexcused absence, unless `data` says otherwise."""
        yesterday = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=1)
        usual = {
            "lesson": f"lesson-{self.made}",
            "school_unit": f"unit-{authority}",
            "starts_at": yesterday.isoformat(),
            "minutes": 60,
            "state": "registered",
            "excused_minutes": 0,
            "unexcused_minutes": 60,
        }
        return self.event(authority, "attendance.recorded", f"id:{student}", usual | data)

    def place(self, authority: str, student: str, **data: Any) -> Event:
        """A place since half a year."""
        begun = (datetime.now(UTC) - timedelta(days=180)).date()
        usual = {"school_unit": f"unit-{authority}", "status": "active", "starts_on": begun.isoformat()}
        return self.event(authority, "enrolment.changed", f"id:{student}", usual | data)

    def staff(self, authority: str, name: str, **data: Any) -> Event:
        """A coordinator of the authority's unit."""
        usual = {
            "name": name,
            "email": f"{name}@{authority}.example",
            "roles": ["coordinator"],
            "scope": [f"unit-{authority}"],
        }
        return self.event(authority, "staff.changed", f"staff:{name}", usual | data)

    def climate(self, authority: str, unit: str, **data: Any) -> Event:
        """A unit's climate of last week."""
        week = (datetime.now(UTC) - timedelta(days=7)).isocalendar()
        usual = {
            "period": f"{week.year}-W{week.week:02}",
            "answers": 20,
            "safety": 4.0,
            "inclusion": 4.0,
            "relations": 4.0,
        }
        return self.event(authority, "climate.reported", f"unit:{unit}", usual | data)

    async def scored(self, authority: str, count: int, *, seconds: float = PATIENCE_SECONDS) -> float:
        """Waits until so many students of an authority have a view in reporting; returns how long that took, inf: too long."""
        began = time.monotonic()
        async with self.database() as database:
            while await database["student_views"].count_documents({"authority": authority}) < count:
                if time.monotonic() - began > seconds:
                    return math.inf
                await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    async def worked(self, *, seconds: float = PATIENCE_SECONDS) -> float:
        """Waits until no queue holds a message and nothing waits to be told; returns how long that took, inf: too long."""
        began = time.monotonic()
        while await work_left(self.world, thorough=False):
            if time.monotonic() - began > seconds:
                return math.inf
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    @asynccontextmanager
    async def database(self) -> AsyncIterator[mongo.Database]:
        """The services' database, for looking."""
        database = mongo.connect(self.mongo_url, DATABASE, service="attack")
        try:
            yield database
        finally:
            database.client.close()

    async def metrics(self, service: str) -> str:
        """All that a service tells Prometheus."""
        answer = await self.http.get(f"{self.url(service)}/metrics", timeout=30.0)
        return answer.raise_for_status().text

    async def metric(self, service: str, name: str, /, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 when there is none."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in (await self.metrics(service)).splitlines()
            if line.partition("{")[0].partition(" ")[0] == name and all(one in line for one in wanted)
        )

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Watch]:
        """Beside the attack: asks ingest whether it lives, and sends single events of the other authority."""
        watch = Watch(
            http=self.http,
            url=self.url("ingest"),
            headers=self.headers(self.other, "application/cloudevents+json"),
            event_of_other=lambda: self.lesson(self.other, "watched"),
            processes={replica.service: replica.process for replica in self.world.replicas},
            logs={service: self.log(service) for service in SERVICES},
            most_bytes=MOST_ALLOWED_BYTES,
        )
        async with watch.running():
            yield watch


@asynccontextmanager
async def stage(attack: Attack, folder: Path, secrets: Secrets) -> AsyncIterator[Stage]:
    """A fresh stack for one attack; everything is ended with the block."""
    world = build_world(folder, secrets, dict.fromkeys(SERVICES, 1))
    for replica in world.replicas:
        process = replica.process
        environment = {**process.program.environment, **attack.environment.get(replica.service, {})}
        process.program = dataclasses.replace(process.program, environment=environment)
    # A client has no part in what is measured: each request on a connection of its own, as many as are wanted.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with running(world), httpx.AsyncClient(limits=limits, trust_env=False) as client:
        yield Stage(world, client)
