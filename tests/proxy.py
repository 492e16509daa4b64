"""A TCP proxy before a real server, so that a test can take the network away: refuse, cut, slow down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field

Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Proxy:
    """Forwards a port of this machine to a server.

    `up` listens; `down` refuses new connections and drops those there are; `cut` drops them but goes on listening.
    `delay_seconds` holds back every piece of data, in both directions.
    """

    port: int
    host: str
    server_port: int
    delay_seconds: float = 0.0
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    copying: set[asyncio.Task[None]] = field(default_factory=set)

    async def up(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def down(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        await self.cut()

    async def cut(self) -> int:
        """Drops every connection, without a goodbye; returns how many there were."""
        cut = len(self.writers) // 2
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()
        for task in self.copying:
            task.cancel()
        await asyncio.gather(*self.copying, return_exceptions=True)
        return cut

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self.host, self.server_port)
        except OSError:
            writer.transport.abort()  # as the server that is away would
            return
        if self.server is None:  # taken down while this one was being connected
            writer.transport.abort()
            back.transport.abort()
            return
        self.writers |= {writer, back}
        for copying in self._both_ways((reader, writer), (there, back)):
            task = asyncio.create_task(copying)
            self.copying.add(task)
            task.add_done_callback(self.copying.discard)

    def _both_ways(self, client: Side, server: Side) -> tuple[Coroutine[None, None, None], Coroutine[None, None, None]]:
        return self._copy(client[0], server[1]), self._copy(server[0], client[1])

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                target.write(data)
                await target.drain()
        target.close()
        self.writers.discard(target)
