"""A mail system that takes each mail and says so only after 20 seconds: nobody is mailed twice, and nobody waits for another."""

from __future__ import annotations

import asyncio
import math

from deploy.local.ports import free_ports
from tests.attacks.attack import Attack, Finding, Stage
from tests.attacks.told import all_end, line, mail_system, mailed_once, risen
from tests.integration.notify.neighbours import Sink

SECONDS = 20.0
STUDENTS = 12
[PORT] = free_ports(1)


async def _run(stage: Stage) -> list[Finding]:
    async with mail_system(Sink(PORT, seconds=SECONDS)) as sink:
        events = [*line(stage), *risen(stage, {f"slow-{number}": "coach" for number in range(STUDENTS)})]
        (await stage.post(stage.hostile, events)).raise_for_status()
        took = await all_end(stage, STUDENTS, 5 * SECONDS)
        await asyncio.sleep(SECONDS)  # whoever sends again does it about now
        return [
            mailed_once(sink, STUDENTS),
            Finding(
                "to",
                ", ".join(sorted(set(sink.recipients))),
                "the coach",
                set(sink.recipients) == {"coach@0180.example"},
            ),
            Finding(
                "all told after", f"{took:.0f} s", f"≤ {2 * SECONDS:.0f} s", math.isfinite(took) and took <= 2 * SECONDS
            ),
        ]


ATTACK = Attack(
    name="slow-mail",
    about=f"a mail system that answers after {SECONDS:.0f} s",
    run=_run,
    seconds=180,
    environment={"notify": {"KVAR_SMTP_URL": f"smtp://127.0.0.1:{PORT}"}},
)
