"""The frame of the attacks: what it says must be so."""

from __future__ import annotations

import math
from pathlib import Path

import httpx
import pytest

from deploy.local.folder import locked
from deploy.local.layout import load_or_make_secrets
from tests.attacks.__main__ import ATTACKS
from tests.attacks.attack import HOSTILE, OTHER, Attack, Finding, Stage, stage
from tests.attacks.watch import Watch


async def _nothing(_: Stage) -> list[Finding]:
    return []


def test_every_attack_has_a_name_of_its_own_and_ends_within_minutes() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert all(0 < attack.seconds <= 600 for attack in ATTACKS)


@pytest.mark.e2e
@pytest.mark.timeout(180)
async def test_what_the_others_feel_is_measured_on_a_whole_stack(tmp_path: Path) -> None:
    with locked(tmp_path):
        secrets = load_or_make_secrets(tmp_path / "secrets.json", [HOSTILE, OTHER])
        async with stage(Attack("frame", "nothing is done", _nothing, 60.0), tmp_path, secrets) as ready:
            async with ready.watching() as watch:
                answer = await ready.post(
                    ready.hostile, [ready.place(ready.hostile, "a"), ready.lesson(ready.hostile, "a")]
                )
                scored = [await ready.scored(authority, 1) for authority in (ready.hostile, ready.other)]
                worked = await ready.worked()
            accepted = await ready.metric("ingest", "kvar_ingest_events_total", authority=HOSTILE, outcome="accepted")
    assert answer.status_code == 202
    assert accepted == 2
    assert all(map(math.isfinite, [*scored, worked, *watch.live, *watch.event]))
    assert watch.live
    assert watch.event
    assert watch.memory.keys() == {"ingest", "scoring", "notify", "reporting"}
    assert all(size > 10 << 20 for size in watch.memory.values())


async def test_a_door_that_does_not_answer_is_not_held() -> None:
    async with httpx.AsyncClient() as client:
        watch = Watch(client, "http://127.0.0.1:9", {}, dict, {}, {}, 1)
        watch.live, watch.event = [0.01, math.inf, 0.01], [0.5, 4.0]
        live, event, logs = watch.findings()
    assert (live.is_held, event.is_held, logs.is_held) == (False, False, True)
    assert "1 unanswered" in live.measured
