"""Events that obey every bound and are dear to read: thousands of marks on one letter, ever new and very long names of fields."""

from __future__ import annotations

import asyncio
import math

import httpx

from tests.attacks.attack import Attack, Finding, Stage

MARKS = 62_000
LONGEST_NAME = 60_000
EVENTS = 40
REQUESTS = 8


def _requests(stage: Stage) -> list[list[dict[str, object]]]:
    marks = "a" + "\u0300" * MARKS + "\u0316" * MARKS
    return [
        [
            {
                **stage.lesson(stage.hostile, "dear"),
                **({"x": marks} if number % 2 else {f"{one}{number}" + "å" * LONGEST_NAME: 1}),
            }
            for number in range(EVENTS)
        ]
        for one in range(REQUESTS)
    ]


async def _run(stage: Stage) -> list[Finding]:
    requests = _requests(stage)
    async with stage.watching() as watch:
        answers = await asyncio.gather(*(stage.post(stage.hostile, one) for one in requests), return_exceptions=True)
    told = sorted({one.status_code for one in answers if isinstance(one, httpx.Response)})
    scored = await stage.scored(stage.other, 1)
    return [
        Finding("answers", ", ".join(map(str, told)), "no 500", bool(told) and 500 not in told),
        Finding("the other authority's student scored", f"{scored:.1f} s", "scored", math.isfinite(scored)),
        *watch.findings(),
    ]


ATTACK = Attack(
    name="dear-texts",
    about=f"{REQUESTS} requests of {EVENTS} events with {2 * MARKS} marks on one letter or very long names of fields",
    run=_run,
    seconds=240,
)
