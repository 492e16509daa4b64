"""All four services in a thread of this process, on the real broker and database, each with its HTTP interface on a port."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from pydantic import SecretStr

from deploy.local.ports import free_ports
from shared.settings import Settings

SERVICES = ("ingest", "scoring", "notify", "reporting")
TOKEN = "token-of-authority-2480"
SERVICE_TOKEN = "token-between-services"
PASSWORD = "eight-characters-at-least"
READY_SECONDS = 60.0


class Complaints(logging.Handler):
    """Keeps what the services log as errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(f"{record.name}: {record.getMessage()} {record.exc_info or ''}")


@dataclass(frozen=True)
class Whole:
    """The running services."""

    settings: Settings
    ports: dict[str, int]
    complaints: Complaints = field(default_factory=Complaints)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"


@contextmanager
def _serving(whole: Whole) -> Iterator[None]:
    """The services until the block ends; ready when it begins."""
    servers = [
        uvicorn.Server(
            uvicorn.Config(
                importlib.import_module(f"services.{name}.app").build(whole.settings),
                port=whole.ports[name],
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=5,
            )
        )
        for name in SERVICES
    ]

    async def serve() -> None:
        await asyncio.gather(*(server.serve() for server in servers))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="services")
    thread.start()
    try:
        for name in SERVICES:
            _await_ready(f"{whole.url(name)}/health/ready")
        yield
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(30)


def _await_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    answer = "nothing"
    while time.monotonic() < deadline:
        try:
            response = httpx.get(url, trust_env=False)
        except httpx.TransportError as error:
            answer = repr(error)
        else:
            if response.is_success:
                return
            answer = response.text
        time.sleep(0.05)
    pytest.fail(f"{url} did not become ready: {answer}")


@pytest.fixture(scope="module")
def whole(module_amqp_url: str, mongo_url: str, module_database: str) -> Iterator[Whole]:
    """The services, started once for all tests of a module."""
    smtp, *ports = free_ports(1 + len(SERVICES))
    named = dict(zip(SERVICES, ports, strict=True))
    settings = Settings(
        amqp_url=module_amqp_url,
        mongo_url=mongo_url,
        mongo_database=module_database,
        shards=1,
        publishers={"2480": SecretStr(TOKEN)},
        pseudonym_key=SecretStr("a secret of thirty-two characters"),
        service_token=SecretStr(SERVICE_TOKEN),
        viewer_password=SecretStr(PASSWORD),
        ingest_url=f"http://127.0.0.1:{named['ingest']}",
        smtp_url=f"smtp://127.0.0.1:{smtp}",
    )
    running = Whole(settings, named)
    mails = Controller(Sink(), hostname="127.0.0.1", port=smtp)
    mails.start()
    logging.getLogger().addHandler(running.complaints)
    try:
        with _serving(running):
            yield running
    finally:
        logging.getLogger().removeHandler(running.complaints)
        mails.stop()
