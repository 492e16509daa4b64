"""Staff whose names and addresses break what reads them, as far as the door lets them in: somebody is told of each student."""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter

from deploy.local.ports import free_ports
from tests.attacks.attack import Attack, Finding, Stage
from tests.attacks.told import alerts, all_end, mail_system, mailed_once, risen
from tests.hostile_text import ADDRESSES, NAMES
from tests.integration.notify.neighbours import Sink

SECONDS = 60.0
[PORT] = free_ports(1)


async def _run(stage: Stage) -> list[Finding]:
    staff = {f"coach-{n}": {"email": address} for n, address in enumerate(ADDRESSES)}
    staff |= {f"named-{n}": {"name": name} for n, name in enumerate(NAMES)}
    answers = Counter[int]()
    async with mail_system(Sink(PORT)) as sink, stage.watching() as watch:
        (await stage.post(stage.hostile, [stage.staff(stage.hostile, "coordinator")])).raise_for_status()
        for name, fields in staff.items():
            event = stage.staff(stage.hostile, name, roles=["coach"], scope=[])
            event["data"] |= fields
            answer = await stage.http.post(
                f"{stage.url('ingest')}/v1/events",
                content=_as_sent(event),
                headers=stage.headers(stage.hostile, "application/cloudevents+json"),
            )
            answers[answer.status_code] += 1
        (await stage.post(stage.hostile, risen(stage, {f"of-{name}": name for name in staff}))).raise_for_status()
        took = await all_end(stage, len(staff), SECONDS)
        known = await alerts(stage)
    states = Counter(alert["state"] for alert in known)
    unusable = sum(bool(alert.get("refusals")) for alert in known)
    shown = [str(mail[name]) for mail in sink.mails for name in ("To", "Subject")]
    steering = sum(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for text in shown for one in text)
    return [
        Finding("answers of the door", str(dict(answers)), "no 5xx", all(status < 500 for status in answers)),
        Finding("alerts", str(dict(states)), f"{len(staff)} sent", states == {"sent": len(staff)}),
        Finding("all told after", f"{took:.0f} s", f"≤ {SECONDS:.0f} s", math.isfinite(took)),
        Finding("addresses that were passed over", str(unusable), "> 0", unusable > 0),
        Finding("control characters in To and Subject", str(steering), "0", steering == 0),
        mailed_once(sink, len(staff)),
        *watch.findings(),
    ]


def _as_sent(event: dict[str, object]) -> bytes:
    """As JSON; what no UTF-8 can hold is escaped."""
    return json.dumps(event).encode()


ATTACK = Attack(
    name="hostile-addresses",
    about=f"{len(ADDRESSES)} addresses and {len(NAMES)} names of staff that break what reads them",
    run=_run,
    seconds=180,
    environment={"notify": {"KVAR_SMTP_URL": f"smtp://127.0.0.1:{PORT}"}},
)
