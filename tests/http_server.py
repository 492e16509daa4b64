"""An application served on a real socket within a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from shared.http_server import ServerLimits, build_server

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"
DEADLINE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    port: int
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self.server.server_state.connections)

    async def open(self, some: bytes = b"") -> Client:
        """A connection, and what its client says first."""
        client = Client(*await asyncio.open_connection(HOST, self.port))
        client.writer.write(some)
        await client.writer.drain()
        return client


@dataclass(frozen=True, slots=True)
class Client:
    """A client that does what no library does."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def rest(self) -> bytes:
        """All that the server says before it ends the connection. A reset ends it as well."""
        said = b""
        async with asyncio.timeout(DEADLINE_SECONDS):
            with contextlib.suppress(ConnectionResetError):
                while some := await self.reader.read(1 << 16):
                    said += some
        self.close()
        return said

    async def line(self) -> bytes:
        """The next line that the server says."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.reader.readline()

    @asynccontextmanager
    async def trickling(self, some: bytes, pause: float) -> AsyncIterator[None]:
        """Says a little again and again."""

        async def trickle() -> None:
            with contextlib.suppress(OSError):
                while True:
                    self.writer.write(some)
                    await self.writer.drain()
                    await asyncio.sleep(pause)

        task = asyncio.create_task(trickle())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def serving(app: ASGIApp, limits: ServerLimits | None = None) -> AsyncIterator[Served]:
    """Runs a server until the block ends."""
    server = build_server(app, host=HOST, port=0, limits=limits)
    listening = server.config.bind_socket()
    running = asyncio.create_task(server._serve([listening]))
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.started:
                assert not running.done(), running.exception()
                await asyncio.sleep(0.01)
        yield Served(listening.getsockname()[1], server)
    finally:
        server.should_exit = True
        await running
