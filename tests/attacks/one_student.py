"""Of one student more is told than any school has: the students of another authority must go on being scored meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.demo.events import Event
from tests.attacks.attack import Attack, Finding, Stage

LESSONS_OF_A_DAY = 32_000
LESSONS_OF_A_YEAR = 31_000
MARKS = 20_000
PLACES = 2_000
FULL_DAYS, FULL_LESSONS, FULL_MARKS, FULL_PLACES = 350, 39, 1_400, 49
"""Of a student of whom everything is just within its bound."""
CORRECTIONS = 10
CORRECTED_SECONDS = 30.0
TOGETHER = 1_000
PAUSE_SECONDS = 0.5
SCORED_AIM = (3.0, 10.0)
"""Median and worst, from the door to the view of a student of the other authority, seconds."""
STATE_AIM = 4 << 20
FACTS_AIM = 60_000


def _code(*parts: object) -> str:
    """Of 126 characters."""
    return "-".join(map(str, parts)).ljust(126, "x")


def _moment(days_ago: int, minute: int = 0) -> str:
    morning = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    return (morning - timedelta(days=days_ago) + timedelta(minutes=minute % 300)).isoformat()


def _lesson(stage: Stage, student: str, days_ago: int, n: int, **data: Any) -> Event:
    lesson = _code("lesson", days_ago, n)
    return stage.lesson(stage.hostile, student, lesson=lesson, starts_at=_moment(days_ago, n), **data)


def _mark(stage: Stage, student: str, course: int, days_ago: int) -> Event:
    data = {
        "course": _code("course", course),
        "curriculum": "gy25",
        "credits": 100,
        "kind": "final",
        "value": "F",
        "school_unit": f"unit-{stage.hostile}",
        "recorded_on": _moment(days_ago)[:10],
        "replaces": [_code("replaced", course, other) for other in range(20)],
        "revision": 1,
    }
    return stage.event(stage.hostile, "grade.recorded", f"id:{student}", data)


def _place(stage: Stage, student: str, n: int, **data: Any) -> Event:
    groups = [_code("group", n, group)[:60] for group in range(50)]
    begun = _moment(n % 700)[:10]
    return stage.place(stage.hostile, student, school_unit=_code("unit", n), starts_on=begun, groups=groups, **data)


def _beyond(stage: Stage) -> Iterator[Event]:
    """Of a student everything is beyond its bound."""
    student = "beyond"
    for n in range(LESSONS_OF_A_DAY):
        yield _lesson(stage, student, 1, n)
    for n in range(LESSONS_OF_A_YEAR):
        yield _lesson(stage, student, 2 + n % FULL_DAYS, n)
    for n in range(MARKS):
        yield _mark(stage, student, n // 250, n % 250)
    for n in range(PLACES):
        yield _place(stage, student, n)


def _full(stage: Stage) -> Iterator[Event]:
    """Of another student everything is just within its bound, and then corrected far back, again and again."""
    student, order = "full", random.Random(1)
    lessons = [(2 + day, n) for day in range(FULL_DAYS) for n in range(FULL_LESSONS)]
    order.shuffle(lessons)
    for days_ago, n in lessons:
        yield _lesson(stage, student, days_ago, n)
    for n in range(FULL_MARKS):
        yield _mark(stage, student, n // 100, n % 100)
    for n in range(FULL_PLACES):
        yield _place(stage, student, n)


class Others:
    """One student of the other authority after the other, from the door to the view: seconds; inf: not in time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.seconds: list[float] = []

    @asynccontextmanager
    async def scored(self) -> AsyncIterator[None]:
        """As long as the block lasts."""
        task = asyncio.create_task(self._each())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _each(self) -> None:
        async with self._stage.database() as database:
            for n in range(100_000):
                views, of_other = database["student_views"], {"authority": self._stage.other}
                known = await views.count_documents(of_other)
                began = time.monotonic()
                event = self._stage.lesson(self._stage.other, f"other-{n}")
                (await self._stage.post(self._stage.other, [event])).raise_for_status()
                while await views.count_documents(of_other) <= known:  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.sleep(0.05)
                self.seconds.append(time.monotonic() - began)
                await asyncio.sleep(PAUSE_SECONDS)

    def finding(self) -> Finding:
        median, worst = statistics.median(self.seconds), max(self.seconds)
        is_held = median <= SCORED_AIM[0] and worst <= SCORED_AIM[1]
        measured = f"median {median:.2f} s, worst {worst:.2f} s, of {len(self.seconds)}"
        aim = f"median ≤ {SCORED_AIM[0]:.0f} s, worst ≤ {SCORED_AIM[1]:.0f} s"
        return Finding("a student of another authority, from the door to the view", measured, aim, is_held)


async def _send(stage: Stage, events: Iterator[Event]) -> None:
    waiting: list[Event] = []
    for event in events:
        waiting.append(event)
        if len(waiting) == TOGETHER:
            (await stage.post(stage.hostile, waiting)).raise_for_status()
            waiting.clear()
    if waiting:
        (await stage.post(stage.hostile, waiting)).raise_for_status()


async def _corrected(stage: Stage) -> list[float]:
    """How long each correction of the full student's first lessons takes until it is written; inf: not in time."""
    seconds: list[float] = []
    async with stage.database() as database:
        students = database["scoring_students"]
        states = [(len(one["state"]), one["_id"]) async for one in students.find({}, {"state": 1})]
        full = {"_id": max(states)[1]}
        for n in range(CORRECTIONS):
            before = await students.find_one(full, {"rev": 1}) or {}
            event = _lesson(stage, "full", 1 + FULL_DAYS, 0, unexcused_minutes=n)
            (await stage.post(stage.hostile, [event])).raise_for_status()
            began = time.monotonic()
            while await students.count_documents({**full, "rev": before["rev"]}):
                if time.monotonic() - began > CORRECTED_SECONDS:
                    return [*seconds, math.inf]
                await asyncio.sleep(0.05)
            seconds.append(time.monotonic() - began)
    return seconds


async def _run_beyond(stage: Stage) -> list[Finding]:
    others = Others(stage)
    async with stage.watching() as watch, others.scored():
        await _send(stage, _beyond(stage))
        worked = await stage.worked(seconds=300)
    unusable = await stage.metric("scoring", "kvar_scoring_unusable_total", authority=stage.hostile)
    return [
        Finding("found unusable", f"{unusable:.0f}", f"≥ {FULL_DAYS}", unusable >= FULL_DAYS),
        *await _kept(stage, worked),
        others.finding(),
        *watch.findings(),
    ]


async def _run_full(stage: Stage) -> list[Finding]:
    others = Others(stage)
    async with stage.watching() as watch, others.scored():
        await _send(stage, _full(stage))
        worked = await stage.worked(seconds=300)
        corrections = await _corrected(stage)
    measured = f"median {statistics.median(corrections):.2f} s, worst {max(corrections):.2f} s"
    is_written = math.isfinite(max(corrections))
    return [
        Finding("a correction of a lesson a year ago, until it is written", measured, "written", is_written),
        *await _kept(stage, worked),
        others.finding(),
        *watch.findings(),
    ]


async def _kept(stage: Stage, worked: float) -> list[Finding]:
    async with stage.database() as database:
        states = [len(one["state"].encode()) async for one in database["scoring_students"].find({}, {"state": 1})]
        facts = await database["scoring_facts"].count_documents({})
    services = ("scoring", "notify", "reporting")
    parked = sum([await stage.metric(service, "kvar_parked_total") for service in services])
    return [
        Finding("all events worked after the last was sent", f"{worked:.1f} s", "worked", math.isfinite(worked)),
        Finding("largest state", f"{max(states) / 2**20:.2f} MiB", "≤ 4 MiB", max(states) <= STATE_AIM),
        Finding("facts stored", f"{facts}", f"≤ {FACTS_AIM}", facts <= FACTS_AIM),
        Finding("parked", f"{parked:.0f}", "0", parked == 0),
    ]


ATTACK = Attack(
    name="one-student",
    about=f"one student with {LESSONS_OF_A_DAY} lessons on a day, {LESSONS_OF_A_YEAR} more, {MARKS} marks, {PLACES} places",
    run=_run_beyond,
    seconds=600,
)
FULL = Attack(
    name="full-student",
    about=f"one student with {FULL_LESSONS} lessons on each of {FULL_DAYS} days, in no order, and corrections far back",
    run=_run_full,
    seconds=600,
)
