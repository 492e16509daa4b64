"""Bodies of 16 MiB that are dear to read: lines that are no JSON, millions of empty lists, numbers, deep nesting, tiny chunks."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable

import httpx

from services.ingest import bodies
from tests.attacks.attack import Attack, Finding, Stage

Body = Callable[[], bytes]
AIM_SECONDS = 30.0


def _filled(begin: bytes, repeated: bytes, end: bytes) -> Body:
    return lambda: begin + repeated * ((bodies.MOST_BYTES - len(begin) - len(end)) // len(repeated)) + end


BODIES: dict[str, tuple[str, Body]] = {
    "lines zz": (bodies.LINES, _filled(b"", b"zz\n", b"zz")),
    "lines zz again": (bodies.LINES, _filled(b"", b"zz\n", b"zz")),
    "lines zz a third time": (bodies.LINES, _filled(b"", b"zz\n", b"zz")),
    "10,000 lines of 1,600 junk letters": (bodies.LINES, lambda: b"\n".join([b"z" * 1600] * bodies.MOST_ITEMS)),
    "deep lines": (bodies.LINES, lambda: b"\n".join([b"[" * 1600] * bodies.MOST_ITEMS)),
    "a batch of empty lists": (bodies.BATCH, _filled(b"[", b"[],", b"0]")),
    "a batch of numbers": (bodies.BATCH, _filled(b"[", b"0,", b"0]")),
    "a batch of one long list": (bodies.BATCH, _filled(b"[[", b"[],", b"0]]")),
    "a batch of one deep list": (bodies.BATCH, lambda: b"[" * 900_000),
    "64 lines of empty lists": (
        bodies.LINES,
        lambda: b"\n".join([b'{"a":[' + b"[]," * 87_000 + b"0]}"] * 63),
    ),
}


async def _run(stage: Stage) -> list[Finding]:
    async with stage.watching() as watch:
        findings = await asyncio.gather(
            *(_send(stage, what, kind, body()) for what, (kind, body) in BODIES.items()), _send_chunks(stage)
        )
    return [*findings, *watch.findings()]


async def _send(stage: Stage, what: str, kind: str, content: bytes | AsyncIterator[bytes]) -> Finding:
    began = time.monotonic()
    aim = f"an answer, not 500, within {AIM_SECONDS:.0f} s"
    try:
        while True:
            answer = await stage.http.post(
                f"{stage.url('ingest')}/v1/events",
                content=content,
                headers=stage.headers(stage.hostile, kind),
                timeout=120.0,
            )
            if answer.status_code != 429:
                break
            await asyncio.sleep(float(answer.headers["retry-after"]))
    except httpx.HTTPError as error:
        return Finding(what, type(error).__name__, aim, is_held=False)
    seconds = time.monotonic() - began
    is_held = answer.status_code != 500 and seconds <= AIM_SECONDS
    return Finding(what, f"{answer.status_code} after {seconds:.1f} s", aim, is_held)


async def _send_chunks(stage: Stage) -> Finding:
    """Two hundred thousand chunks of one byte each: there the server may end the connection in the middle."""

    async def tiny() -> AsyncIterator[bytes]:
        for _ in range(200_000):
            yield b" "

    finding = await _send(stage, "200,000 chunks of one byte", bodies.LINES, tiny())
    is_cut = finding.measured in {"ReadError", "WriteError", "RemoteProtocolError"}
    return dataclasses.replace(finding, aim="refused", is_held=is_cut or finding.measured.startswith("400"))


ATTACK = Attack(
    name="junk-lines", about="bodies of 16 MiB of one publisher that are dear to read, at once", run=_run, seconds=240
)
