"""What a run stands on: a private broker and database, scoring as real processes, and what they say of their progress."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import httpx
from aio_pika.abc import AbstractChannel, AbstractExchange

from deploy.local import broker as local_broker
from deploy.local import database as local_database
from deploy.local import processes
from deploy.local.folder import locked, sweep
from deploy.local.ports import free_ports
from deploy.local.queues import Management
from shared.events import AnyEvent
from shared.messaging import topology

SHARDS = 8
DEADLINE_SECONDS = 600.0
_POLL_SECONDS = 0.05
_PUBLISHED_AT_ONCE = 500
_COUNT = re.compile(r"^kvar_event_to_score_seconds_count (\S+)$", re.MULTILINE)
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the run's broker and database are."""

    amqp_url: str
    mongo_url: str
    management: Management

    def vhost(self) -> str:
        """Address of a new virtual host."""
        name = f"bench-{secrets.token_hex(4)}"
        self.management.create_vhost(name)
        return f"{self.amqp_url.rstrip('/')}/{name}"


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """A private broker and database, gone at the end."""
    sweep(_ROOT / "var" / "bench")
    folder = _ROOT / "var" / "bench" / str(os.getpid())
    *broker_numbers, database_port = free_ports(6)
    ports = local_broker.BrokerPorts(*broker_numbers)
    programs = [
        *local_broker.broker_programs(folder / "broker", ports),
        local_database.database_program(folder / "database", database_port),
    ]
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for program in programs:
            child = processes.start(program, folder)
            stack.callback(child.stop, at_once=True)
            child.wait_ready()
        management = Management(local_broker.management_url(ports))
        stack.callback(management.close)
        yield Servers(local_broker.amqp_url(ports), local_database.mongo_url(database_port), management)


@dataclass(frozen=True, slots=True)
class Scoring:
    """A scoring process."""

    process: subprocess.Popen[bytes]
    port: int

    async def handled(self, client: httpx.AsyncClient) -> int:
        """How many events it has scored and told; 0 before it answers."""
        try:
            answer = await client.get(f"http://127.0.0.1:{self.port}/metrics")
        except httpx.TransportError:
            return 0
        found = _COUNT.search(answer.text)
        return int(float(found[1])) if found else 0


@contextlib.contextmanager
def scoring(url: str, servers: Servers, replicas: int = 1, database: str | None = None) -> Iterator[list[Scoring]]:
    """Replicas of scoring at a virtual host, with a new database where none is named."""
    database = database or f"bench_{secrets.token_hex(4)}"
    running: list[Scoring] = []
    try:
        for port in free_ports(replicas):
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("KVAR_")},
                "KVAR_AMQP_URL": url,
                "KVAR_MONGO_URL": servers.mongo_url,
                "KVAR_MONGO_DATABASE": database,
                "KVAR_HTTP_PORT": str(port),
                "KVAR_SHARDS": str(SHARDS),
                "KVAR_LOG_LEVEL": "WARNING",
            }
            command = [sys.executable, "-m", "services.scoring"]
            running.append(Scoring(subprocess.Popen(command, env=environment, cwd=_ROOT), port))
        yield running
    finally:
        for each in running:
            each.process.send_signal(signal.SIGTERM)
        for each in running:
            each.process.wait(30)


@contextlib.asynccontextmanager
async def progress_of(running: list[Scoring]) -> AsyncIterator[AsyncIterator[tuple[float, int]]]:
    """Looks again and again: (time, events handled by all).

    Raises:
        TimeoutError: a run took longer than any should.
    """

    async def look() -> AsyncIterator[tuple[float, int]]:
        deadline = time.perf_counter() + DEADLINE_SECONDS
        while time.perf_counter() < deadline:
            count = sum([await each.handled(client) for each in running])
            yield time.perf_counter(), count
            await asyncio.sleep(_POLL_SECONDS)
        raise TimeoutError(f"scoring handled {count} events in {DEADLINE_SECONDS:.0f} s, and not all")

    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        yield look()


@contextlib.asynccontextmanager
async def channel_to(url: str, *, confirms: bool = True) -> AsyncIterator[AbstractChannel]:
    """A channel to a virtual host where everything is declared."""
    connection = await aio_pika.connect(url)
    async with connection, connection.channel(publisher_confirms=confirms) as channel:
        await topology.declare(channel, SHARDS)
        yield channel


async def publish_all(exchange: AbstractExchange, events: Iterable[AnyEvent], *, key: str | None = None) -> None:
    """Publishes with confirms. `key`: instead of each event's own."""
    pending: list[asyncio.Task[object]] = []
    for event in events:
        pending.append(asyncio.create_task(exchange.publish(message_of(event), key or key_of(event))))
        if len(pending) == _PUBLISHED_AT_ONCE:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)


def message_of(event: AnyEvent) -> aio_pika.Message:
    """As ingest publishes it."""
    return aio_pika.Message(event.encode(), message_id=event.id, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)


def key_of(event: AnyEvent) -> str:
    """Where it goes in exchange `events`."""
    return topology.routing_key(event.type, event.subject, SHARDS)
