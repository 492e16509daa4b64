"""`python -m tests.bench`: events per second through scoring, beside two baselines measured in the same run.

Broker, database and the scoring service are real and private to the run; each row has its own virtual host and database
and the same events.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import aio_pika
import httpx
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local import broker as local_broker
from deploy.local import database as local_database
from deploy.local import processes
from deploy.local.folder import locked, sweep
from deploy.local.ports import free_ports
from deploy.local.queues import Management
from deploy.local.signals import stop_like_ctrl_c
from shared import mongo
from shared.messaging import topology
from tests.bench import baselines
from tests.bench.load import events

SHARDS = 8
_COUNT = re.compile(r"^kvar_event_to_score_seconds_count (\S+)$", re.MULTILINE)
_POLL_SECONDS = 0.05
_DEADLINE_SECONDS = 600.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the run's broker and database are."""

    amqp_url: str
    mongo_url: str
    management: Management


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


async def load_queue(url: str, *, students: int, total: int, one_queue: bool) -> None:
    """Declares the topology and puts the events where the row reads them."""
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        await topology.declare(channel, SHARDS)
        if one_queue:
            await channel.declare_queue("bench", durable=True, arguments={"x-queue-type": "quorum"})
        exchange = channel.default_exchange if one_queue else await channel.get_exchange(topology.EVENTS)
        pending: list[asyncio.Task[object]] = []
        for event in events(students, total):
            key = "bench" if one_queue else topology.routing_key(event.type, event.subject, SHARDS)
            message = aio_pika.Message(
                event.encode(), message_id=event.id, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            pending.append(asyncio.create_task(exchange.publish(message, key)))
            if len(pending) == 500:
                await asyncio.gather(*pending)
                pending.clear()
        await asyncio.gather(*pending)


async def measure_baseline(
    name: str, servers: Servers, students: int, total: int, progress: baselines.Progress
) -> float:
    """Events per second of one baseline."""
    url = _vhost(servers, name)
    await load_queue(url, students=students, total=total, one_queue=True)
    database = mongo.connect(servers.mongo_url, f"bench_{name}", service="bench")
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        run = baselines.floor if name == "floor" else baselines.naive
        seconds = await run(channel, "bench", database, total, progress)
    database.client.close()
    return total / seconds


async def measure_scoring(
    servers: Servers, students: int, total: int, replicas: int, progress: baselines.Progress
) -> float:
    """Events per second through real scoring processes, from the first batch seen to the last event scored and told."""
    url = _vhost(servers, f"kvar{replicas}")
    await load_queue(url, students=students, total=total, one_queue=False)
    ports = free_ports(replicas)
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(_scoring(url, servers.mongo_url, f"bench_kvar{replicas}", port))
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            first_count, first_time = 0, 0.0
            deadline = time.perf_counter() + _DEADLINE_SECONDS
            while time.perf_counter() < deadline:
                count = sum([await _scored(client, port) for port in ports])
                now = time.perf_counter()
                if count and not first_count:
                    first_count, first_time = count, now
                progress(count)
                if count >= total:
                    return (count - first_count) / (now - first_time)
                await asyncio.sleep(_POLL_SECONDS)
    raise TimeoutError(f"scoring handled {count} of {total} events in {_DEADLINE_SECONDS:.0f} s")


async def _scored(client: httpx.AsyncClient, port: int) -> int:
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    except httpx.TransportError:
        return 0
    found = _COUNT.search(answer.text)
    return int(float(found[1])) if found else 0


@contextlib.contextmanager
def _scoring(amqp_url: str, mongo_url: str, database: str, port: int) -> Iterator[None]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KVAR_")},
        "KVAR_AMQP_URL": amqp_url,
        "KVAR_MONGO_URL": mongo_url,
        "KVAR_MONGO_DATABASE": database,
        "KVAR_HTTP_PORT": str(port),
        "KVAR_SHARDS": str(SHARDS),
        "KVAR_LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.scoring"], env=environment, cwd=_ROOT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _vhost(servers: Servers, name: str) -> str:
    servers.management.create_vhost(name)
    return f"{servers.amqp_url.rstrip('/')}/{name}"


def main(
    total: Annotated[int, typer.Option("--events", help="events a row; naive takes a quarter")] = 20_000,
    students: Annotated[int, typer.Option(help="students")] = 2_000,
    replicas: Annotated[list[int] | None, typer.Option(help="numbers of scoring replicas to measure")] = None,
    rows: Annotated[list[str] | None, typer.Option(help="baselines to measure")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="also write the figures here")] = None,
) -> None:
    """Measure, with a progress bar, and print the table."""
    stop_like_ctrl_c()
    console = Console()
    figures: dict[str, float] = {}
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with servers() as running, Progress(*columns, console=console) as bar:
        for name in rows or ["naive", "floor"]:
            count = total // 4 if name == "naive" else total
            task = bar.add_task(name, total=count)
            update = lambda done, task=task: bar.update(task, completed=done)  # noqa: E731
            figures[name] = uvloop.run(measure_baseline(name, running, students, count, update))
        for number in replicas or [1]:
            name = f"scoring x{number}"
            task = bar.add_task(name, total=total)
            update = lambda done, task=task: bar.update(task, completed=done)  # noqa: E731
            figures[name] = uvloop.run(measure_scoring(running, students, total, number, update))
    console.print(_table(figures, students))
    if output is not None:
        output.write_text(
            json.dumps({"students": students, "events": total, "events_per_second": figures}, indent=2) + "\n"
        )


def _table(figures: dict[str, float], students: int) -> Table:
    table = Table(title=f"Scoring, {students} students, embedded database")
    for column in ("row", "events/s", "/ naive", "/ floor"):
        table.add_column(column, justify="left" if column == "row" else "right")
    for name, value in figures.items():
        ratios = [f"{value / figures[base]:.2f}" if base in figures else "" for base in ("naive", "floor")]
        table.add_row(name, f"{value:,.0f}", *ratios)
    return table


if __name__ == "__main__":
    typer.run(main)
