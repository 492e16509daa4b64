"""One publisher sends single events over hundreds of connections, each as soon as the one before is answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import orjson

from tests.attacks.attack import Attack, Finding, Stage
from tests.attacks.raw_http import connected, upload_head

CLIENTS = 200
SECONDS = 20.0


async def _run(stage: Stage) -> list[Finding]:
    statuses: Counter[str] = Counter()
    async with stage.watching() as watch:
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(_send(stage, statuses, until) for _ in range(CLIENTS)))
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    aim = "202, 429 and 503"
    return [Finding("answers", told, aim, statuses.keys() <= {"202", "429", "503"}), *watch.findings()]


async def _send(stage: Stage, statuses: Counter[str], until: float) -> None:
    """By hand, as cheaply as can be: what watches shares this process."""
    while time.monotonic() < until:
        async with connected(stage.url("ingest")) as (reader, writer):
            while time.monotonic() < until:
                body = orjson.dumps(stage.lesson(stage.hostile, "often"))
                writer.write(upload_head(stage.token(stage.hostile), len(body)) + body)
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
                except (OSError, EOFError):
                    break
                statuses[head.split(b" ", 2)[1].decode()] += 1


ATTACK = Attack(
    name="many-requests",
    about=f"{CLIENTS} clients of one publisher that send event after event",
    run=_run,
    seconds=120,
)
