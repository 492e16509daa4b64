"""The HTTP server of every service: uvicorn, with limits that hold before anybody has said who they are.

A client is awaited for so long only: for the whole head of a request, and to read its answer. When there are too many
connections, the one that has been awaited longest makes room. So silent, half-said and unread requests never keep others out,
and `/health/live` is answered through all of it. What a request's body may take of time and memory is for the routes to say.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from fastapi import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.problems import RETRY_AFTER_SECONDS, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.server import ServerState

LIVE_PATH = "/health/live"
SHUTDOWN_SECONDS = 20
LONGEST_HEAD = 16 * 1024
"""Bytes of a request's line and headers."""
SLOWEST_READER = 16 * 1024
"""Bytes a second that a client takes of its answer at least."""
ACCEPTED_TOGETHER = 16
FREE_CHUNKS = 1000
SMALLEST_CHUNK = 256
"""Bytes of a chunk of a body, on average, after the first thousand: the parser takes 10 µs for each, however small."""

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_CROWDED = "Too many requests at once. Nothing was done; send the same again."


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How much a server holds.

    Attributes:
        connections: open at once. Half of the files that the process may open, if that is less.
        requests: in work at once, and half of the connections at most; `/health/live` does not count and is always taken.
        awaited_seconds: how long a client is awaited: until the whole head of a request has come since the connection was made
            or the last answer given (what is left of that one's body is thrown away meanwhile), and for what it has to read.
    """

    connections: int = 1000
    requests: int = 500
    awaited_seconds: float = 10.0


def build_server(app: ASGIApp, *, host: str, port: int, limits: ServerLimits | None = None) -> uvicorn.Server:
    """The server of an application, not yet running."""
    limits = limits or ServerLimits()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = min(limits.connections, files // 2)
    limits = replace(limits, connections=connections, requests=min(limits.requests, connections // 2))
    # What clients send wrong is no news for the operator; what goes wrong here is.
    logging.getLogger(_Connection.logger_name).setLevel(logging.ERROR)
    return _Server(_Config(_Crowd(app, limits.requests), host, port, limits))


class _Server(uvicorn.Server):
    async def _serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens. uvloop accepts one connection in each round of the loop for each socket, so it is given the same one often."""
        if sockets is None:
            listening = self.config.bind_socket()
            sockets = [listening, *(listening.dup() for _ in range(ACCEPTED_TOGETHER - 1))]
        await super()._serve(sockets)


class _Config(uvicorn.Config):
    def __init__(self, app: ASGIApp, host: str, port: int, limits: ServerLimits) -> None:
        super().__init__(
            app,
            host=host,
            port=port,
            http=_Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self.limits = limits
        self.awaited: dict[_Connection, None] = {}
        """The connections whose clients have something to do, the longest awaited first."""


class _Connection(H11Protocol):
    """One connection. uvicorn itself has a limit of time for idle connections after an answer, and for nothing else."""

    logger_name = "uvicorn.error.clients"

    def __init__(
        self,
        config: _Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = logging.getLogger(self.logger_name)
        self.conn = _Parser(h11.SERVER, LONGEST_HEAD)
        self._limits = config.limits
        self._awaited = config.awaited
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()
        if len(self.connections) > self._limits.connections:
            next(iter(self._awaited)).drop()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        if self.conn.their_state is h11.DONE and self.conn.trailing_data[0].strip():
            # Requests sent ahead of the answers, which no usual client does, would be worked on without a pause.
            self.transport.close()
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:  # nonsense after the answer
            self.drop()

    def drop(self) -> None:
        """Ends the connection at once, whatever is unsent."""
        self._stop_waiting()
        self.connections.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        """Whether the client is awaited, after whatever happened."""
        is_in_work = self.cycle is not None and not self.cycle.response_complete
        if is_in_work and not self.flow.write_paused:
            self._stop_waiting()
        elif self._timer is None and self in self.connections:
            self._wait()

    def _wait(self) -> None:
        self._awaited[self] = None
        self._unread = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(self._limits.awaited_seconds, self._waited)

    def _stop_waiting(self) -> None:
        self._awaited.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _waited(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._timer = None
        if 0 < unread <= self._unread - SLOWEST_READER * self._limits.awaited_seconds:
            self._wait()
        elif unread or self.transport.is_closing():
            self.drop()
        else:
            if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
                self.transport.write(_TOO_SLOW)
            self.transport.close()


class _Parser(h11.Connection):
    """Refuses a body of many tiny chunks: 256 KiB of them, which are read at once, would take the loop half a second."""

    def __init__(self, our_role: type[h11.SERVER], max_incomplete_event_size: int) -> None:
        super().__init__(our_role, max_incomplete_event_size)
        self._chunks = 0
        self._bytes = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_end
            self._bytes += len(event.data)
            if self._chunks > FREE_CHUNKS + self._bytes // SMALLEST_CHUNK:
                raise h11.RemoteProtocolError("too many small chunks")
        return event


class _Crowd:
    """Answers 503 while too many requests are in work."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == LIVE_PATH:
            await self._app(scope, receive, send)
        elif self._in_work >= self._most:
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Connection": "close"}
            answer = problem(Request(scope), HTTPStatus.SERVICE_UNAVAILABLE, _CROWDED, headers)
            await answer(scope, receive, send)
        else:
            self._in_work += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._in_work -= 1
