"""Corrections of what is no longer at hand, beside as many registers of today: what reading the facts again costs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from statistics import median
from typing import NamedTuple

from shared.events import AnyEvent
from tests.bench.load import LESSONS_A_DAY, events
from tests.bench.stage import Servers, channel_to, publish_all, scoring
from tests.bench.throughput import per_second
from tests.builders import MONDAY, attendance, pseudonym, school_days

STUDENTS = 300
DAYS = school_days(MONDAY, 9)
TODAY = (DAYS[-1],)
LAST_WEEK = tuple(DAYS[:5])
TURNS = 3
"""How often either is measured; the medians are told."""


class Corrected(NamedTuple):
    """Events per second."""

    today: float
    late: float


def wave(days: Sequence[date], rounds: range) -> Iterator[AnyEvent]:
    """Rounds over the days in turn: every lesson of all students in a new version, absent in one, there in the next."""
    for turn in rounds:
        day, revision = days[turn % len(days)], 2 + turn // len(days)
        for lesson in range(LESSONS_A_DAY):
            for number in range(STUDENTS):
                absent = 60 if (revision + number) % 2 else 0
                name, now = pseudonym(f"bench-{number}"), datetime.now(UTC)
                yield attendance(name, day, lesson=str(lesson), unexcused=absent, revision=revision, received=now)


async def measure(servers: Servers, rounds: int, progress: Callable[[int], None]) -> Corrected:
    """Waves of `rounds` in turn, so that what else the machine does meets both; each waits in the queues until scoring starts."""
    url, database = servers.vhost(), f"bench_{secrets.token_hex(4)}"
    history = STUDENTS * LESSONS_A_DAY * (len(DAYS) - 1)
    total = STUDENTS * LESSONS_A_DAY * rounds
    await _publish(url, events(STUDENTS, history))
    with scoring(url, servers, database=database) as running:
        await per_second(running, history, progress)
    found: dict[tuple[date, ...], list[float]] = {TODAY: [], LAST_WEEK: []}
    for turn in range(TURNS):
        for days, speeds in found.items():
            await _publish(url, wave(days, range(turn * rounds, (turn + 1) * rounds)))
            with scoring(url, servers, database=database) as running:
                speeds.append(await per_second(running, total, lambda _: None))
            progress(history + total * sum(map(len, found.values())))
    return Corrected(*map(median, found.values()))


async def _publish(url: str, load: Iterator[AnyEvent]) -> None:
    async with channel_to(url) as channel:
        await publish_all(await channel.get_exchange("events"), load)
