"""Whether scoring keeps anything of the students that have passed: the memory of its process while many do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from shared.events import AnyEvent
from tests.bench.load import strangers
from tests.bench.stage import Scoring, Servers, channel_to, progress_of, publish_all, scoring

PORTION = 5_000
"""Events published at a time; the next follow when these are scored, so that no backlog is measured."""


class Growth(NamedTuple):
    """Megabytes of resident memory after the first tenth of what was done and at the end; the share of the plan done."""

    after_a_tenth: float
    at_the_end: float
    done: float

    @property
    def ratio(self) -> float:
        """1: nothing is kept."""
        return self.at_the_end / self.after_a_tenth


def growth(samples: list[tuple[int, float]], planned: int) -> Growth:
    """From samples (students passed, megabytes) in order."""
    passed = samples[-1][0]
    early = next(megabytes for students, megabytes in samples if students >= passed / 10)
    return Growth(early, samples[-1][1], passed / planned)


async def measure(servers: Servers, students: int, time_box_seconds: float, progress: Callable[[int], None]) -> Growth:
    """Lets students pass until all have or the time is up."""
    url = servers.vhost()
    load, samples = strangers(students), list[tuple[int, float]]()
    deadline = time.perf_counter() + time_box_seconds
    async with channel_to(url) as channel:
        exchange = await channel.get_exchange("events")
        with scoring(url, servers) as running:
            published, seen = 0, set[str]()
            while time.perf_counter() < deadline and (portion := _portion(load)):
                await publish_all(exchange, portion)
                published += len(portion)
                seen.update(event.subject for event in portion)
                async with progress_of(running) as looks:
                    async for _, count in looks:
                        if count >= published:
                            break
                samples.append((len(seen), resident_megabytes(running[0])))
                progress(len(seen))
    return growth(samples, students)


def _portion(load: Iterator[AnyEvent]) -> list[AnyEvent]:
    return list(islice(load, PORTION))


def resident_megabytes(running: Scoring) -> float:
    """What the system says of the process; `ps` knows it on Linux and on macOS."""
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(running.process.pid)], check=True, capture_output=True)
    return int(answer.stdout) / 1024
