"""Uploads of one publisher that say nothing, or a byte now and then: each ends by itself and gives its place back."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.attacks.attack import Attack, Finding, Stage
from tests.attacks.raw_http import answer_to, upload_head

SILENT = 40
TRICKLING = 40
LENGTH = 1 << 20
PATIENCE_SECONDS = 60.0
AIM_SECONDS = 30.0


async def _run(stage: Stage) -> list[Finding]:
    head = upload_head(stage.token(stage.hostile), LENGTH)
    url = stage.url("ingest")
    async with stage.watching() as watch:
        answers = await asyncio.gather(
            *(answer_to(url, head, seconds=PATIENCE_SECONDS) for _ in range(SILENT)),
            *(answer_to(url, head, seconds=PATIENCE_SECONDS, trickle=b"\n") for _ in range(TRICKLING)),
        )
        after = await stage.post(stage.hostile, [stage.lesson(stage.hostile, "after")])
    statuses = Counter(status for status, _ in answers)
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    last = max(seconds for _, seconds in answers)
    return [
        Finding("answers to the slow uploads", told, "408 or 429", statuses.keys() <= {"408", "429"}),
        Finding("the last of them", f"after {last:.1f} s", f"≤ {AIM_SECONDS:.0f} s", last <= AIM_SECONDS),
        Finding("the same publisher's next event", str(after.status_code), "202", after.status_code == 202),
        *watch.findings(),
    ]


ATTACK = Attack(
    name="slow-uploads",
    about=f"{SILENT} uploads of one publisher that say nothing and {TRICKLING} that send a byte each half second",
    run=_run,
    seconds=120,
)
