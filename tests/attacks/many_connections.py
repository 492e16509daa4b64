"""Thousands of connections without a token: silent ones, heads that never end, answers that nobody reads."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from contextlib import AsyncExitStack

from tests.attacks.attack import Attack, Finding, Stage
from tests.attacks.raw_http import connected

CONNECTIONS = 6000
TOGETHER = 100
SECONDS = 30.0
BEGINNINGS = (
    b"",
    b"POST /v1/events HTTP/1.1\r\nHost: kvar\r\nAuthoriz",
    b"POST /v1/events HTTP/1.1\r\nHost: kvar\r\nContent-Length: 1000000\r\n\r\n",
    b"GET /openapi.json HTTP/1.1\r\nHost: kvar\r\n\r\n" * 50,
)


async def _run(stage: Stage) -> list[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * CONNECTIONS), hard))
    streams: list[asyncio.StreamReader] = []
    async with stage.watching() as watch, AsyncExitStack() as stack:
        for start in range(0, CONNECTIONS, TOGETHER):
            await asyncio.gather(*(_open(stage, stack, streams, n) for n in range(start, start + TOGETHER)))
        await asyncio.sleep(SECONDS)
        is_open = await asyncio.gather(*(_is_open(reader) for reader in streams))
    aim = "none of them"
    return [
        Finding("connections made", str(len(streams)), f"up to {CONNECTIONS}", is_held=True),
        Finding(f"still open {SECONDS:.0f} s later", str(sum(is_open)), aim, is_held=not any(is_open)),
        *watch.findings(),
    ]


async def _open(stage: Stage, stack: AsyncExitStack, streams: list[asyncio.StreamReader], number: int) -> None:
    with contextlib.suppress(OSError):
        # What is not read here, the service cannot send.
        reader, writer = await stack.enter_async_context(connected(stage.url("ingest")))
        streams.append(reader)
        writer.write(BEGINNINGS[number % len(BEGINNINGS)])


async def _is_open(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(1.0):
            while await reader.read(1 << 20):
                pass
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


ATTACK = Attack(name="many-connections", about=f"{CONNECTIONS} connections without a token", run=_run, seconds=180)
