"""Clients that are silent, slow, many or ahead of themselves, on a real socket: they end, and keep nobody out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from shared.http_server import FREE_CHUNKS, ServerLimits
from tests.http_server import Client, Served, serving
from tests.integration.shared.waiting import until

pytestmark = pytest.mark.integration

SHORT = ServerLimits(connections=20, requests=3, awaited_seconds=0.3)
LARGE = 32 * 1024 * 1024
GET = b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n"


def application() -> FastAPI:
    app = FastAPI()
    app.state.go = asyncio.Event()

    @app.get("/health/live")
    async def live() -> str:
        return "live"

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * LARGE)

    @app.get("/waits")
    async def waits() -> str:
        await app.state.go.wait()
        return "gone"

    @app.post("/refuses", status_code=401)
    async def refuses() -> str:
        return "refused"

    @app.post("/counts")
    async def counts(request: Request) -> int:
        return len(await request.body())

    return app


@asynccontextmanager
async def served(limits: ServerLimits = SHORT) -> AsyncIterator[tuple[Served, httpx.AsyncClient, FastAPI]]:
    app = application()
    async with (
        serving(app, limits) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http,
    ):
        yield server, http, app


async def test_a_client_that_says_nothing_is_let_go() -> None:
    async with served() as (server, _, _):
        client = await server.open()
        assert await client.rest() == b""


@pytest.mark.parametrize("trickle", [b"", b"x"], ids=["silent", "a letter now and then"])
async def test_a_head_that_never_ends_is_answered_408(trickle: bytes) -> None:
    async with served() as (server, _, _):
        client = await server.open(b"GET /health/live HTTP/1.1\r\nX-Long: ")
        async with client.trickling(trickle, 0.05):
            assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_a_head_that_is_too_long_is_refused() -> None:
    async with served() as (server, _, _):
        client = await server.open(b"GET /health/live HTTP/1.1\r\nX-Long: " + b"x" * 100_000)
        assert b"200 OK" not in await client.rest()


async def test_a_connection_is_used_again_and_ends_when_it_is_not() -> None:
    async with served(replace(SHORT, awaited_seconds=1.5)) as (server, _, _):
        client = await server.open(GET)
        assert await client.line() == b"HTTP/1.1 200 OK\r\n"
        client.writer.write(GET)
        assert (await client.rest()).count(b"HTTP/1.1 200 OK") == 1


async def test_too_many_connections_make_room_the_longest_awaited_first() -> None:
    async with served() as (server, http, app):
        working = await server.open(b"GET /waits HTTP/1.1\r\nHost: test\r\n\r\n")
        silent = [await server.open() for _ in range(60)]
        assert (await http.get("/health/live")).status_code == 200
        assert server.connections <= SHORT.connections
        assert [await client.rest() for client in silent] == [b""] * 60
        app.state.go.set()
        assert await working.line() == b"HTTP/1.1 200 OK\r\n"
        working.close()


async def test_an_answer_that_nobody_reads_is_not_held_for_ever() -> None:
    async with served() as (server, _, _):
        client = await server.open(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n")
        await until(lambda: _is(server.connections == 1), "the connection")
        await until(lambda: _is(server.connections == 0), "the connection to be gone")
        client.close()


async def test_an_answer_that_is_read_slowly_comes_whole() -> None:
    async with served(replace(SHORT, awaited_seconds=1.5)) as (server, _, _):
        client = await server.open(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n")
        size = 0
        while size < LARGE:
            size += len(await client.reader.read(1 << 20))
            await asyncio.sleep(0.01)
        client.close()


async def test_who_is_refused_before_the_body_has_come_hears_it_and_is_not_listened_to_for_ever() -> None:
    async with served() as (server, _, _):
        client = await server.open(b"POST /refuses HTTP/1.1\r\nHost: test\r\nContent-Length: 9999999\r\n\r\n")
        async with client.trickling(b"x", 0.05):
            assert await client.line() == b"HTTP/1.1 401 Unauthorized\r\n"
            await client.rest()


async def test_requests_ahead_of_the_answers_are_not_worked_on() -> None:
    async with served() as (server, _, _):
        client = await server.open(GET * 50)
        assert (await client.rest()).count(b"HTTP/1.1 200 OK") == 1


async def test_more_requests_than_can_be_are_answered_503_but_not_the_one_for_life() -> None:
    async with served() as (server, http, app):
        working = [asyncio.create_task(http.get("/waits")) for _ in range(SHORT.requests)]
        await until(lambda: _is(server.connections == SHORT.requests), "the requests in work")
        refused = await http.get("/large")
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"]
        assert refused.json()["status"] == 503
        assert (await http.get("/health/live")).status_code == 200
        app.state.go.set()
        assert {answer.status_code for answer in await asyncio.gather(*working)} == {200}
        assert (await http.get("/large")).status_code == 200


@pytest.mark.parametrize(
    ("size", "count", "status"),
    [(1, 2 * FREE_CHUNKS, b"400"), (1, FREE_CHUNKS // 2, b"200"), (500, 10_000, b"200")],
    ids=["too many small ones", "some small ones", "many usual ones"],
)
async def test_chunks(size: int, count: int, status: bytes) -> None:
    async with served() as (server, _, _):
        client = await server.open(b"POST /counts HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        await _send(client, b"".join([b"%x\r\n%s\r\n" % (size, b"x" * size)] * count) + b"0\r\n\r\n")
        assert (await client.line()).split()[1] == status
        client.close()


async def _send(client: Client, some: bytes) -> None:
    with contextlib.suppress(OSError):
        client.writer.write(some)
        await client.writer.drain()


async def _is(value: bool) -> bool:
    return value
