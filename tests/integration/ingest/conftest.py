"""Ingest as a process of its own on the real broker and database, once for all modules here: each test has ids of its own."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aio_pika
import httpx
import pytest

from deploy.local.ports import free_ports
from shared import mongo
from tests.integration.ingest.stage import NAMERS, PSEUDONYM_KEY, SERVICE_TOKEN, SPACES, TOKENS, Outgoing, Stage

if TYPE_CHECKING:
    from shared.mongo import Database

READY_SECONDS = 120


@contextmanager
def service_process(environment: dict[str, str], log: Path) -> Iterator[str]:
    """`python -m services.ingest` until the context ends; yields its address as soon as it is alive."""
    [port] = free_ports(1)
    own = {name: value for name, value in os.environ.items() if not name.startswith("KVAR_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"],
            env=own | environment | {"KVAR_HTTP_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health/live", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            status = process.wait(25)
    # uvicorn ends gracefully and then dies of the signal it was sent.
    assert status == -signal.SIGTERM, f"ingest ended with {status}: {log.read_text()[-3000:]}"


def wait_for(url: str, process: subprocess.Popen[bytes] | None, log: Path) -> None:
    """Until the page answers 200."""
    deadline = time.monotonic() + READY_SECONDS
    answer = "nothing"
    while time.monotonic() < deadline:
        assert process is None or process.poll() is None, f"ingest ended: {log.read_text()[-3000:]}"
        try:
            response = httpx.get(url, trust_env=False)
        except httpx.TransportError as error:
            answer = str(error)
        else:
            if response.is_success:
                return
            answer = response.text
        time.sleep(0.1)
    pytest.fail(f"{url} did not become ready within {READY_SECONDS} s: {answer}\n{log.read_text()[-3000:]}")


def environment(amqp_url: str, mongo_url: str, database: str) -> dict[str, str]:
    """Settings of a service."""
    return {
        "KVAR_AMQP_URL": amqp_url,
        "KVAR_MONGO_URL": mongo_url,
        "KVAR_MONGO_DATABASE": database,
        "KVAR_PUBLISHERS": json.dumps(TOKENS),
        "KVAR_SPACES": json.dumps(SPACES),
        "KVAR_SPACE_NAMERS": json.dumps(NAMERS),
        "KVAR_PSEUDONYM_KEY": PSEUDONYM_KEY,
        "KVAR_SERVICE_TOKEN": SERVICE_TOKEN,
    }


@pytest.fixture(scope="session")
def stage(session_amqp_url: str, mongo_url: str, run_folder: Path) -> Iterator[Stage]:
    """The running service and where its broker and database are."""
    amqp_url, database = session_amqp_url, f"ingest_{secrets.token_hex(6)}"
    log = run_folder / "ingest.log"
    with service_process(environment(amqp_url, mongo_url, database), log) as url:
        wait_for(f"{url}/health/ready", None, log)
        yield Stage(url, amqp_url, mongo_url, database, log)


@pytest.fixture(scope="module")
async def outgoing(stage: Stage) -> AsyncIterator[Outgoing]:
    """Everything that goes out to exchange `events`."""
    async with await aio_pika.connect(stage.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("events", "#")
        seen = Outgoing()
        await queue.consume(seen.take, no_ack=True)
        yield seen


@pytest.fixture(scope="session")
async def database(stage: Stage) -> AsyncIterator[Database]:
    """Ingest's database."""
    handle = mongo.connect(stage.mongo_url, stage.database, service="test")
    yield handle
    handle.client.close()
    await asyncio.sleep(0)


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with httpx.AsyncClient(base_url=stage.url, timeout=60, trust_env=False) as client:
        yield client
