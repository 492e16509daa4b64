"""A mail system that refuses everybody for 20 seconds, at one step after the other: all alerts still reach the first in line."""

from __future__ import annotations

import asyncio
import math

from deploy.local.ports import free_ports
from tests.attacks.attack import Attack, Finding, Stage
from tests.attacks.told import alerts, all_end, line, mail_system, mailed_once, risen
from tests.integration.notify.neighbours import Sink

SECONDS = 20.0
STUDENTS = 5
REFUSALS = {
    "greeting": "554 5.3.2 no service here",
    "MAIL": "550 5.7.1 sender refused",
    "RCPT": "550 5.7.1 relaying denied",
    "DATA": "554 5.6.0 content refused",
}
[PORT] = free_ports(1)


async def _run(stage: Stage) -> list[Finding]:
    findings = []
    async with mail_system(Sink(PORT)) as sink:
        (await stage.post(stage.hostile, line(stage))).raise_for_status()
        for number, (step, answer) in enumerate(REFUSALS.items(), start=1):
            sink.says[step] = answer
            students = {f"refused-{step.lower()}-{each}": "coach" for each in range(STUDENTS)}
            (await stage.post(stage.hostile, risen(stage, students))).raise_for_status()
            await asyncio.sleep(SECONDS)
            refusals = sum(len(alert.get("refusals", [])) for alert in await alerts(stage))
            sink.says.clear()
            took = await all_end(stage, number * STUDENTS, 3 * SECONDS)
            findings += [
                Finding(f"refused at {step}: addresses given up", f"{refusals}", "0", refusals == 0),
                Finding(
                    f"refused at {step}: all told after", f"{took:.0f} s", f"≤ {2 * SECONDS:.0f} s", took <= 2 * SECONDS
                ),
            ]
    count = len(REFUSALS) * STUDENTS
    told = [alert["told"]["role"] for alert in await alerts(stage) if alert["state"] == "sent"]
    to_coach = told.count("coach")
    return [
        *findings,
        mailed_once(sink, count),
        Finding("told to the first in line", f"{to_coach}", f"{count}", to_coach == count and math.isfinite(took)),
    ]


ATTACK = Attack(
    name="mail-refuses",
    about=f"a mail system that refuses everybody for {SECONDS:.0f} s, at each step",
    run=_run,
    seconds=400,
    environment={"notify": {"KVAR_SMTP_URL": f"smtp://127.0.0.1:{PORT}"}},
)
