"""Alerts on purpose, a mail system that does as it is told, and what became of both."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.demo.events import Event
from tests.attacks.attack import LOOK_SECONDS, Finding, Stage
from tests.integration.notify.neighbours import Sink

DAYS = 12
"""With one lesson each, all unexcused: 48 points, so the level rises once, to the second of three."""


@asynccontextmanager
async def mail_system(sink: Sink) -> AsyncIterator[Sink]:
    """The mail system, running."""
    await asyncio.to_thread(sink.start)
    try:
        yield sink
    finally:
        await asyncio.to_thread(sink.stop)


def line(stage: Stage) -> list[Event]:
    """A coach, and the two who are told when no coach can be."""
    return [
        stage.staff(stage.hostile, "coach", roles=["coach"], scope=[]),
        stage.staff(stage.hostile, "coordinator"),
        stage.staff(stage.hostile, "principal", roles=["principal"]),
    ]


def risen(stage: Stage, coach_of: Mapping[str, str]) -> list[Event]:
    """Students whose level rises, each with a coach."""
    return [
        event
        for student, coach in coach_of.items()
        for event in (
            stage.place(stage.hostile, student, coach=f"staff:{coach}"),
            *(stage.lesson(stage.hostile, student, starts_at=_days_ago(days)) for days in range(1, DAYS + 1)),
        )
    ]


def _days_ago(days: int) -> str:
    nine = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    return (nine - timedelta(days=days)).isoformat()


async def alerts(stage: Stage) -> list[dict[str, Any]]:
    """All alerts of the hostile authority, as stored."""
    async with stage.database() as database:
        return [alert async for alert in database["alerts"].find({"authority": stage.hostile})]


async def all_end(stage: Stage, count: int, seconds: float) -> float:
    """Waits until so many alerts are there and none is open; returns how long that took, inf: too long."""
    began = time.monotonic()
    while True:
        known = await alerts(stage)
        if len(known) >= count and not any("due_at" in alert for alert in known):
            return time.monotonic() - began
        if time.monotonic() - began > seconds:
            return math.inf
        await asyncio.sleep(LOOK_SECONDS)


def mailed_once(sink: Sink, count: int) -> Finding:
    """Whether each alert was mailed, and none twice."""
    mails = Counter(sink.ids())
    most = max(mails.values(), default=0)
    return Finding(
        "mails of one alert", f"{most} at most, {len(mails)} alerts", f"1, {count}", most == 1 and len(mails) == count
    )
