"""Corrections of what is no longer at hand, beside as many registers of today: what reading the facts again costs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from shared.events import AnyEvent
from tests.bench.load import LESSONS_A_DAY, events
from tests.bench.stage import Servers, channel_to, publish_all, scoring
from tests.bench.throughput import per_second
from tests.builders import MONDAY, attendance, pseudonym, school_days

STUDENTS = 300
DAYS = school_days(MONDAY, 9)
TODAY = DAYS[-1:]
LAST_WEEK = DAYS[:5]


class Corrected(NamedTuple):
    """Events per second."""

    today: float
    late: float


def wave(days: Sequence[date], rounds: int) -> Iterator[AnyEvent]:
    """So many rounds over the days in turn: every lesson of all students in a new version, absent in one, there in the next."""
    for turn in range(rounds):
        day, revision = days[turn % len(days)], 2 + turn // len(days)
        for lesson in range(LESSONS_A_DAY):
            for number in range(STUDENTS):
                absent = 60 if (revision + number) % 2 else 0
                name, now = pseudonym(f"bench-{number}"), datetime.now(UTC)
                yield attendance(name, day, lesson=str(lesson), unexcused=absent, revision=revision, received=now)


async def measure(servers: Servers, rounds: int, progress: Callable[[int], None]) -> Corrected:
    """Both waves wait in the queues until scoring starts, over the same history."""
    url, database = servers.vhost(), f"bench_{secrets.token_hex(4)}"
    history = STUDENTS * LESSONS_A_DAY * (len(DAYS) - 1)
    total = STUDENTS * LESSONS_A_DAY * rounds
    await _publish(url, events(STUDENTS, history))
    with scoring(url, servers, database=database) as running:
        await per_second(running, history, progress)
    found = []
    for number, days in enumerate((TODAY, LAST_WEEK)):
        await _publish(url, wave(days, rounds))
        before = history + number * total
        with scoring(url, servers, database=database) as running:
            found.append(await per_second(running, total, lambda done, before=before: progress(before + done)))  # type: ignore[misc]
    return Corrected(*found)


async def _publish(url: str, load: Iterator[AnyEvent]) -> None:
    async with channel_to(url) as channel:
        await publish_all(await channel.get_exchange("events"), load)
