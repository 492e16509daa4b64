"""What tests of ingest have on stage: the service's address and secrets, ways to publish, and what came out."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
from aio_pika.abc import AbstractIncomingMessage

from services.ingest import bodies

TOKENS = {"2480": "token-of-authority-2480", "1480": "token-of-authority-1480"}
PSEUDONYM_KEY = "a secret that only this test knows"
SERVICE_TOKEN = "token-between-services"
SPACES = {"2480": {"gradebook": "sis"}}
"""Settings of the stage: the gradebook's references are those of the system `sis`."""
NAMERS = {"2480": ["survey"]}
AS_SERVICE = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
AS_PUBLISHER = {"Authorization": f"Bearer {TOKENS['2480']}"}
DEADLINE_SECONDS = 90.0
"""Longer than the service itself takes to repair what a slow broker did not confirm in time: its sweep comes after 40 s."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running service."""

    url: str
    amqp_url: str
    mongo_url: str
    database: str
    log: Path


@dataclass
class Outgoing:
    """Messages that went out, by event id, in order. There are thousands: each is looked at once."""

    messages: defaultdict[str, list[AbstractIncomingMessage]] = field(default_factory=lambda: defaultdict(list))
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, message: AbstractIncomingMessage) -> None:
        async with self._came:
            # Of an id too long for AMQP the message's own is a digest.
            self.messages[orjson.loads(message.body)["id"]].append(message)
            self._came.notify_all()

    def of(self, event_id: str) -> list[AbstractIncomingMessage]:
        """Those of one event."""
        return list(self.messages[event_id])

    async def wait_for(self, event_id: str, count: int = 1) -> list[AbstractIncomingMessage]:
        """Until so many of one event have come."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS), self._came:
                await self._came.wait_for(lambda: len(self.of(event_id)) >= count)
        except TimeoutError:
            raise AssertionError(f"{len(self.of(event_id))} of {count} messages of {event_id} came") from None
        return self.of(event_id)


def new_id(name: str = "event") -> str:
    """An id that no other test uses."""
    return f"{name}-{secrets.token_hex(8)}"


def now() -> datetime:
    """The wall clock: the service has no other."""
    return datetime.now(UTC)


async def publish(
    http: httpx.AsyncClient,
    content: Any,
    content_type: str = bodies.BATCH,
    *,
    token: str = TOKENS["2480"],
    items: str = "all",
) -> httpx.Response:
    """One request. `content`: bytes as they are, anything else as JSON."""
    return await http.post(
        "/v1/events",
        params={"items": items},
        content=content if isinstance(content, bytes) else orjson.dumps(content),
        headers={"Authorization": f"Bearer {token}", "Content-Type": content_type},
    )


def statuses(response: httpx.Response) -> list[str]:
    """What became of each item."""
    return [item["status"] for item in response.json()["items"]]


async def student_of(
    http: httpx.AsyncClient, reference: str, source: str = "test", authority: str = "2480"
) -> dict[str, Any] | None:
    """What ingest knows of a reference, None when it never met it."""
    query = {"authority": authority, "source": source, "reference": reference}
    response = await http.get("/internal/students", params=query, headers=AS_SERVICE)
    if response.status_code == 404:
        return None
    found: dict[str, Any] = response.raise_for_status().json()
    return found


async def kvar(stage: Stage, *arguments: str, columns: int = 250) -> subprocess.CompletedProcess[str]:
    """Runs the command line against the service."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KVAR_")}
    own |= {"KVAR_INGEST_URL": stage.url, "KVAR_SERVICE_TOKEN": SERVICE_TOKEN, "COLUMNS": str(columns)}
    command = [str(Path(sys.executable).parent / "kvar"), *arguments]
    return await asyncio.to_thread(subprocess.run, command, env=own, capture_output=True, text=True, timeout=60)


async def until(what: str, condition: Callable[[], Awaitable[Any]]) -> Any:
    """The condition's first true value.

    Raises:
        AssertionError: not within the deadline; says what was waited for.
    """
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while not (value := await condition()):
        assert asyncio.get_running_loop().time() < deadline, f"waited {DEADLINE_SECONDS} s for {what}"
        await asyncio.sleep(0.05)
    return value
