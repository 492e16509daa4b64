"""Everything that a run kills: the private broker and database, and several replicas of each service.

Each replica reaches broker and database through two proxies of its own, so that one can lose the network while the
others keep it. Replicas of a service share nothing but broker and database; each has its own HTTP port.

The embedded database runs with `--sync-on-commit`. Without it, a kill with -9 lost 96 of 7,237 acknowledged inserts in
eight kills here; with it none of 6,277. That is what MongoDB guarantees for the majority writes that all services use
(acknowledged means journaled), so a loss in a run is a loss of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import processes
from deploy.local.broker import amqp_url, broker_programs
from deploy.local.database import database_program, mongo_url
from deploy.local.layout import PORTS_OF_A_RUN, SERVICES, Ports, Secrets
from deploy.local.ports import HOST, free_ports, free_row
from deploy.local.processes import Child, Program
from deploy.local.stack import mail_sink_program, readiness, service_programs
from tests.mongo_proxy import MongoProxy
from tests.proxy import Proxy

DATABASE = "kvar"


@dataclass(slots=True)
class Process:
    """Something that runs, and is started again when it was killed. `busy` is held by whoever does something to it."""

    program: Program
    folder: Path
    child: Child | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        return self.program.name

    def start(self) -> None:
        self.child = processes.start(self.program, self.folder)

    async def restart(self, *, kill: bool, pause_seconds: float = 0.0) -> None:
        """Ends it (with SIGKILL, or asked to by SIGTERM), waits, and starts it again; not until it is ready."""
        assert self.child is not None
        await asyncio.to_thread(self.child.stop, at_once=kill)
        await asyncio.sleep(pause_seconds)
        self.start()

    async def ready(self) -> None:
        """Waits until it is ready. Raises `StartError` when it ends instead."""
        assert self.child is not None
        await asyncio.to_thread(self.child.wait_ready)

    def signal(self, number: signal.Signals) -> None:
        """Signals its first process."""
        assert self.child is not None
        processes.signal_marked(self.child.mark, number, only=self.child.process.pid)


@dataclass(slots=True)
class Replica:
    """One process of a service with its own ways to broker and database."""

    service: str
    process: Process
    url: str
    to_broker: Proxy
    to_database: MongoProxy

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def links(self) -> tuple[Proxy, Proxy]:
        return self.to_broker, self.to_database


@dataclass(slots=True)
class World:
    """A running world. `publisher_link` is the way of those who publish over AMQP."""

    folder: Path
    ports: Ports
    secrets: Secrets
    servers: dict[str, Process]
    replicas: list[Replica]
    publisher_link: Proxy

    @property
    def broker(self) -> Process:
        return self.servers["rabbitmq"]

    @property
    def database(self) -> Process:
        return self.servers["database"]

    def of(self, service: str) -> list[Replica]:
        return [replica for replica in self.replicas if replica.service == service]

    @property
    def proxies(self) -> list[Proxy]:
        return [self.publisher_link, *(link for replica in self.replicas for link in replica.links)]

    @property
    def processes(self) -> list[Process]:
        return [*self.servers.values(), *(replica.process for replica in self.replicas)]


def build_world(folder: Path, secrets: Secrets, replicas: dict[str, int]) -> World:
    """The world with so many replicas of each service; nothing runs yet."""
    ports = Ports(free_row(PORTS_OF_A_RUN))
    servers = [
        *broker_programs(folder / "broker", ports.broker, counts_seconds=0.25),
        database_program(folder / "database", ports.database, is_durable=True),
        mail_sink_program(folder / "mail", ports),
    ]
    count = sum(replicas.values())
    taken = {port for _, port in ports.named()}
    spare = iter(port for port in free_ports(3 * count + 1 + len(taken)) if port not in taken)
    templates = dict(zip(SERVICES, service_programs(ports, secrets), strict=True))
    return World(
        folder,
        ports,
        secrets,
        {program.name: Process(program, folder) for program in servers},
        [
            _replica(templates[service], number, ports, folder, spare)
            for service in SERVICES
            for number in range(1, replicas[service] + 1)
        ],
        Proxy(next(spare), HOST, ports.broker.amqp),
    )


def database_kind() -> str:
    """What the run's database is, and how it was told to keep what it has acknowledged."""
    if shutil.which("mongod"):
        return "mongod; majority writes are journaled"
    return "SecantusDB (embedded) with --sync-on-commit, without which kill -9 loses acknowledged writes"


def _replica(template: Program, number: int, ports: Ports, folder: Path, spare: Iterator[int]) -> Replica:
    """The first replica of ingest has the port where notify asks for names."""
    http = ports.service(template.name) if number == 1 else next(spare)
    to_broker = Proxy(next(spare), HOST, ports.broker.amqp)
    to_database = MongoProxy(next(spare), HOST, ports.database)
    environment = {
        **template.environment,
        "KVAR_HTTP_PORT": str(http),
        "KVAR_AMQP_URL": amqp_url(dataclasses.replace(ports.broker, amqp=to_broker.port)),
        "KVAR_MONGO_URL": mongo_url(to_database.port),
    }
    url = ports.url(http)
    program = dataclasses.replace(
        template, name=f"{template.name}-{number}", environment=environment, missing=readiness(url), ready_seconds=90.0
    )
    return Replica(template.name, Process(program, folder), url, to_broker, to_database)


@contextlib.asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    """Starts everything, waits until all is ready, and ends it all however the block is left."""
    try:
        for proxy in world.proxies:
            await proxy.up()
        for some in (list(world.servers.values()), [replica.process for replica in world.replicas]):
            for process in some:
                process.start()
            await asyncio.gather(*(process.ready() for process in some))
        yield
    finally:
        _end(world)
        for proxy in world.proxies:
            await proxy.down()


def _end(world: World) -> None:
    """Kills everything: the data is not used again."""
    children = [process.child for process in world.processes if process.child is not None]
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda child: child.stop(at_once=True), children))


def forget_data(folder: Path) -> None:
    """Removes what only servers can read, so that a kept folder is small: logs, mails and findings stay."""
    for name in ("broker/data", "database/data"):
        shutil.rmtree(folder / name, ignore_errors=True)
