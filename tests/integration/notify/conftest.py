"""What every test of notify against its neighbours starts with."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvicorn

from deploy.local.ports import free_ports
from tests.integration.notify.neighbours import Neighbour, Sink
from tests.integration.notify.stage import Stage


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink(free_ports(1)[0])
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def ingest() -> AsyncIterator[Neighbour]:
    neighbour = Neighbour()
    [port] = free_ports(1)
    neighbour.url = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(neighbour.app(), port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the neighbour did not start"
        await asyncio.sleep(0.01)
    yield neighbour
    server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@pytest.fixture
def stage(new_vhost: Callable[[], str], mongo_url: str, sink: Sink, ingest: Neighbour) -> Stage:
    return Stage.of(new_vhost(), mongo_url, sink, ingest)
