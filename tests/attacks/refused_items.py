"""Requests whose every item is refused: they are answered within seconds, and kept as far as bounded work allows."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from tests.attacks.attack import Attack, Finding, Stage

REQUESTS = 5
ITEMS = 10_000
AIM_SECONDS = 20.0
MOST_TRIES = 20


async def _run(stage: Stage) -> list[Finding]:
    bodies = [
        [stage.lesson(stage.hostile, f"bad-{number}", minutes=0) for number in range(ITEMS)] for _ in range(REQUESTS)
    ]
    async with stage.watching() as watch:
        answers = await asyncio.gather(*(_send(stage, events) for events in bodies))
    statuses = [status for status, _, _ in answers]
    longest = max(seconds for _, seconds, _ in answers)
    told = [len(receipt["items"]) for _, _, receipt in answers if receipt is not None]
    async with stage.database() as database:
        kept = await database["rejected"].count_documents({"authority": stage.hostile})
    return [
        Finding("answers", ", ".join(statuses), "207 each", statuses == ["207"] * REQUESTS),
        Finding("the longest", f"{longest:.1f} s", f"≤ {AIM_SECONDS:.0f} s", longest <= AIM_SECONDS),
        Finding("items told of in each answer", str(told), "every one", told == [ITEMS] * REQUESTS),
        Finding("refused items kept", str(kept), "more than none", kept > 0),
        *watch.findings(),
    ]


async def _send(stage: Stage, events: list[Any]) -> tuple[str, float, Any]:
    began = time.monotonic()
    try:
        for _ in range(MOST_TRIES):
            answer = await stage.post(stage.hostile, events)
            if answer.status_code != 429:
                receipt = answer.json() if answer.status_code == 207 else None
                return str(answer.status_code), time.monotonic() - began, receipt
            await asyncio.sleep(float(answer.headers["retry-after"]))
    except httpx.HTTPError as error:
        return type(error).__name__, time.monotonic() - began, None
    return "429", time.monotonic() - began, None


ATTACK = Attack(
    name="refused-items", about=f"{REQUESTS} requests of {ITEMS} refused items at once", run=_run, seconds=240
)
