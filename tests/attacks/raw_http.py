"""Requests by hand, over a socket: for clients that are silent, slow, or never end what they began."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_UPLOAD = (
    "POST /v1/events HTTP/1.1\r\n"
    "Host: kvar\r\n"
    "Authorization: Bearer {token}\r\n"
    "Content-Type: application/x-ndjson\r\n"
    "Content-Length: {length}\r\n"
    "\r\n"
)


def upload_head(token: str, length: int) -> bytes:
    """The head of a request that publishes events, whose body is to follow."""
    return _UPLOAD.format(token=token, length=length).encode()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a service."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_to(
    url: str, head: bytes, *, seconds: float, trickle: bytes = b"", pause: float = 0.5
) -> tuple[str, float]:
    """Sends the beginning of a request, then `trickle` at each `pause`; the status of the answer and when it came.

    The status is `closed` when the connection ended without an answer, `none` (after inf seconds) when nothing happened.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds), connected(url) as (reader, writer):
            writer.write(head)
            slow = asyncio.create_task(_trickle(writer, trickle, pause))
            try:
                line = await reader.readline()
            finally:
                slow.cancel()
    except TimeoutError:
        return "none", math.inf
    except OSError:
        return "closed", time.monotonic() - began
    return (line.split()[1].decode() if line else "closed"), time.monotonic() - began


async def _trickle(writer: asyncio.StreamWriter, some: bytes, pause: float) -> None:
    with contextlib.suppress(OSError):
        while some:
            await asyncio.sleep(pause)
            writer.write(some)
            await writer.drain()
