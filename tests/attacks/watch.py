"""What others feel of an attack: answers of ingest, memory of the services, growth of their logs."""

from __future__ import annotations

import asyncio
import math
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson

from deploy.demo.events import Event
from tests.attacks.finding import Finding
from tests.chaos.world import Process

PAUSE_SECONDS = 0.25
MEMORY_PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 30.0
LIVE_AIM = (0.1, 1.0)
"""Median and worst of `/health/live`, seconds."""
EVENT_AIM = (1.0, 3.0)
"""Median and worst of a single event of another authority, seconds."""
MEMORY_AIM_BYTES = 1 << 30
LOG_AIM_BYTES = 20 << 20


@dataclass
class Watch:
    """Looks until its block ends.

    Attributes:
        event_of_other: makes the single events that are sent.
        most_bytes: a service that grows beyond this is ended.
        live, event: seconds to each answer; inf for none, or a refusal.
        memory: most bytes that each service had.
        ended: services that had to be ended.
        logged: bytes that the services wrote into their logs.
    """

    http: httpx.AsyncClient
    url: str
    headers: Mapping[str, str]
    event_of_other: Callable[[], Event]
    processes: Mapping[str, Process]
    logs: Mapping[str, Path]
    most_bytes: int
    live: list[float] = field(init=False, default_factory=list)
    event: list[float] = field(init=False, default_factory=list)
    memory: dict[str, int] = field(init=False, default_factory=dict)
    ended: list[str] = field(init=False, default_factory=list)
    logged: int = field(init=False, default=0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks as long as the block lasts."""
        before = self._log_bytes()
        tasks = [
            asyncio.create_task(look)
            for look in (self._each(self._ask_live, self.live), self._each(self._send_event, self.event), self._weigh())
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.logged = self._log_bytes() - before

    def findings(self) -> list[Finding]:
        """What was measured, against the aims."""
        rows = [
            _times("/health/live of ingest", self.live, LIVE_AIM),
            _times("a single event of another authority", self.event, EVENT_AIM),
        ]
        for service, most in sorted(self.memory.items()):
            held = most <= MEMORY_AIM_BYTES and service not in self.ended
            rows.append(Finding(f"memory of {service}", _megabytes(most), f"≤ {_megabytes(MEMORY_AIM_BYTES)}", held))
        rows.append(
            Finding(
                "written into logs",
                _megabytes(self.logged),
                f"≤ {_megabytes(LOG_AIM_BYTES)}",
                self.logged <= LOG_AIM_BYTES,
            )
        )
        return rows

    async def _each(self, ask: Callable[[], Awaitable[httpx.Response]], seconds: list[float]) -> None:
        while True:
            began = time.monotonic()
            try:
                is_answered = (await ask()).is_success
            except httpx.HTTPError:
                is_answered = False
            except asyncio.CancelledError:
                # The block has ended: a question that waits longer than any answer before it is a finding as well.
                if time.monotonic() - began > max(seconds, default=0.0):
                    seconds.append(time.monotonic() - began)
                raise
            seconds.append(time.monotonic() - began if is_answered else math.inf)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask_live(self) -> httpx.Response:
        return await self.http.get(f"{self.url}/health/live", timeout=ANSWER_SECONDS)

    async def _send_event(self) -> httpx.Response:
        return await self.http.post(
            f"{self.url}/v1/events",
            content=orjson.dumps(self.event_of_other()),
            headers=self.headers,
            timeout=ANSWER_SECONDS,
        )

    async def _weigh(self) -> None:
        while True:
            by_pid = {one.child.process.pid: name for name, one in self.processes.items() if one.child is not None}
            for pid, weight in (await asyncio.to_thread(_resident, list(by_pid))).items():
                service = by_pid[pid]
                self.memory[service] = max(self.memory.get(service, 0), weight)
                if weight > self.most_bytes and (child := self.processes[service].child) is not None:
                    await asyncio.to_thread(child.stop, at_once=True)
                    self.ended.append(service)
            await asyncio.sleep(MEMORY_PAUSE_SECONDS)

    def _log_bytes(self) -> int:
        return sum(log.stat().st_size for log in self.logs.values() if log.exists())


def _times(what: str, seconds: list[float], aim: tuple[float, float]) -> Finding:
    median, worst = (statistics.median(seconds), max(seconds)) if seconds else (math.inf, math.inf)
    unanswered = sum(math.isinf(one) for one in seconds)
    measured = f"median {_seconds(median)}, worst {_seconds(worst)}, of {len(seconds)}"
    if unanswered:
        measured += f", {unanswered} unanswered"
    aimed = f"median ≤ {_seconds(aim[0])}, worst ≤ {_seconds(aim[1])}"
    return Finding(what, measured, aimed, median <= aim[0] and worst <= aim[1])


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if math.isfinite(seconds) else "none"


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def _resident(pids: list[int]) -> dict[int, int]:
    """Bytes of memory of each process that is there."""
    listing = subprocess.run(
        ["ps", "-o", "pid=,rss=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=False
    )
    found = (line.split() for line in listing.stdout.splitlines())
    return {int(pid): int(kilobytes) * 1024 for pid, kilobytes in found}
