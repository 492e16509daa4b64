"""Signals of groups when replicas die, overtake each other or wait: everything is said, once, and noted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.scoring import signalling
from services.scoring.climate_handler import handler as climate_handler
from services.scoring.records import Basis, Unit
from services.scoring.signalling import HELD_FOR, STRANDED_AFTER
from shared.messaging import topology
from tests.builders import AUTHORITY, UNIT
from tests.integration.scoring.signal_scene import (
    CLASS,
    DAYS,
    EVERY,
    OTHERS,
    USUAL,
    WORSE,
    Scene,
    climate,
    die_at,
    enrolments,
    few_worse,
    prepared,
    registers,
)
from tests.integration.scoring.stage import CrashError, Stage

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("signals_at_once")]


STEPS = {
    "holding the unit": ("store", "take"),
    "noting its groups": ("store", "write_groups"),
    "writing what is said": ("store", "write"),
    "publishing": ("publisher", "__call__"),
    "keeping what was said": ("scoring", "keep_said"),
    "clearing the outbox": ("store", "clear_outbox"),
    "noting in the students' records": ("rescoring", "note"),
    "letting go": ("store", "finish"),
}


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_is_made_good_by_another_replica(stage: Stage, step: str, is_done: bool) -> None:
    dying = await prepared(stage)
    await few_worse(dying)
    dying.publisher.published.clear()
    owner, name = STEPS[step]
    if step == "publishing":
        dying.publisher.dies_at = int(is_done)
    else:
        die_at(getattr(dying, owner), name, is_done=is_done)
    with pytest.raises(CrashError):
        await dying.signalling.round()
    alive = Scene(stage, "b")
    alive.late = HELD_FOR + STRANDED_AFTER + 2 * EVERY
    await alive.computed()
    await alive.rescoring.sweep(STRANDED_AFTER, 100)
    published = [*dying.publisher.published, *alive.publisher.published]
    assert {(key, message_id) for key, message_id, _ in published if key == topology.GROUP_SIGNAL_KEY} == {
        (topology.GROUP_SIGNAL_KEY, "2480|gy-aspen|group:NA25a:1")
    }
    alive.publisher.published = published
    assert alive.noted() == set(CLASS[:6])
    assert await alive.due() == set()
    assert await alive.store.stranded(alive.now(), timedelta(0)) == []
    assert len(await alive.scoring.said("2480|gy-aspen|group:NA25a", alive.now())) == 1
    later = Scene(stage, "c")
    later.late = alive.late + 2 * EVERY
    assert await later.signalling.round() == 0


async def test_two_replicas_at_once_say_everything_once(stage: Stage) -> None:
    first = await prepared(stage)
    second = Scene(stage, "b", first.publisher)
    await few_worse(first)
    assert sum(await asyncio.gather(first.signalling.round(), second.signalling.round())) >= 1
    await first.computed()
    assert first.signals() == [WORSE]
    assert first.noted() == set(CLASS[:6])


async def test_two_that_hold_the_same_unit_say_the_same(stage: Stage) -> None:
    """A replica that was cut off for longer than it holds a unit goes on where it was."""
    slow = await prepared(stage)
    fast = Scene(stage, "b", slow.publisher)
    fast.late = HELD_FOR + timedelta(seconds=1)
    await few_worse(slow)
    reports = slow.store.reports

    async def overtaken(*asked: Any, **named: Any) -> Any:
        assert await fast.signalling.round() == 1
        return await reports(*asked, **named)

    slow.store.reports = overtaken  # type: ignore[method-assign]
    assert await slow.signalling.round() == 0
    assert slow.signals() == [WORSE]
    assert slow.noted() == set(CLASS[:6])


async def test_facts_that_come_while_a_unit_is_computed_have_it_computed_again(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    reports = scene.store.reports

    async def meanwhile(*asked: Any, **named: Any) -> Any:
        scene.store.reports = reports  # type: ignore[method-assign]
        await scene.take_in(registers(CLASS[:6], DAYS[30:32], revision=2))
        return await reports(*asked, **named)

    scene.store.reports = meanwhile  # type: ignore[method-assign]
    await scene.computed()
    assert scene.signals() == [WORSE, USUAL]
    assert scene.noted() == set()


async def test_a_report_whose_signal_died_unnoted_is_asked_for_until_it_is_noted(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in(enrolments((("NA25a", CLASS[:6]), ("TE25b", OTHERS[:6]))))
    await scene.take_in(registers([*CLASS[:6], *OTHERS[:6]], DAYS[:8]))
    await scene.computed()
    weeks = [f"{day.year}-W{day.isocalendar().week:02d}" for day in (DAYS[0], DAYS[5])]
    take_in = climate_handler(scene.store, scene.scoring)
    for subject, week, mean in (("group:NA25a", 0, 4.0), ("group:NA25a", 1, 3.0), ("group:TE25b", 1, 4.0)):
        await take_in(climate(subject, weeks[week], mean))
    die_at(scene.rescoring, "note", is_done=False)
    scene.late += 2 * EVERY
    with pytest.raises(CrashError):
        await scene.signalling.round()
    alive = Scene(stage, "b", scene.publisher)
    alive.late = scene.late + HELD_FOR
    await alive.computed()
    assert alive.signals() == [("group:NA25a", "group:NA25a:1", "climate", "worse")]
    assert alive.noted() == set(CLASS[:6])


async def test_what_another_replica_has_just_computed_is_not_computed_again(stage: Stage) -> None:
    first = await prepared(stage)
    second = Scene(stage, "b")
    await first.take_in(enrolments())
    heads = second.store.heads

    async def meanwhile(*asked: Any, **named: Any) -> Any:
        found = await heads(*asked, **named)
        assert await first.signalling.round() == 1
        return found

    second.store.heads = meanwhile  # type: ignore[method-assign]
    await first.scoring.ask([Unit(AUTHORITY, UNIT)])
    assert await second.signalling.round() == 0


async def test_a_unit_with_a_state_of_another_version_waits_until_it_is_made_anew(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    students = scene.database["scoring_students"]
    document = await students.find_one({"_id": CLASS[0]})
    assert document is not None
    known = orjson.loads(document["state"])
    known["basis"][1] -= 1
    await students.update_one({"_id": CLASS[0]}, {"$set": {"state": orjson.dumps(known).decode()}})
    older = f"{AUTHORITY}|{Basis(*known['basis']).text()}"
    await scene.database["scoring_listings"].update_one({"_id": CLASS[0]}, {"$set": {"basis": older}})
    assert await scene.signalling.round() == 0
    assert scene.signals() == []
    assert await scene.rescoring.refresh(100) == 1
    await scene.computed()
    assert scene.signals() == [WORSE]
    assert scene.noted() == set(CLASS[:6])


async def test_a_unit_that_cannot_be_computed_stays_due_and_hinders_no_other(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    broken = Unit(AUTHORITY, "a unit whose students cannot be read")
    await scene.scoring.ask([broken])
    students_of = scene.scoring.students_of

    async def failing(unit: Unit, *limit: Any) -> list[str]:
        if unit == broken:
            raise ValueError("what is stored is not as it should be")
        return await students_of(unit, *limit)

    scene.scoring.students_of = failing  # type: ignore[method-assign, assignment]
    scene.late += 2 * EVERY
    await scene.signalling.round()
    assert scene.signals() == [WORSE]
    assert await scene.due() == {broken}


async def test_a_unit_with_more_students_than_any_school_has_says_nothing_and_waits_no_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    monkeypatch.setattr("services.scoring.signalling.MOST_MEMBERS", 23)
    await scene.computed()
    assert (scene.signals(), await scene.due()) == ([], set())
    monkeypatch.setattr("services.scoring.signalling.MOST_MEMBERS", 24)
    await scene.scoring.ask([Unit(AUTHORITY, UNIT)])
    await scene.computed()
    assert scene.signals() == [WORSE]


async def test_new_units_of_one_authority_do_not_keep_another_from_its_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units that were never computed come first: thousands of them can be made in one request, and more in the next."""
    scene = await prepared(stage)
    await scene.take_in([*enrolments(), *registers(CLASS, DAYS[:40])])
    await scene.computed()
    await scene.take_in(registers(CLASS, DAYS[40:41]))
    made = [Unit("0180", f"new-{number}") for number in range(30)]
    await scene.database["scoring_asked"].insert_many(
        [{"_id": unit.key, "asked": 1, "authority": unit.authority, "school_unit": unit.code} for unit in made]
    )
    monkeypatch.setattr(signalling, "UNITS_AT_A_TIME", 10)
    assert Unit(AUTHORITY, UNIT) in await scene.due()
    scene.late += 2 * EVERY
    await scene.signalling.round()
    assert Unit(AUTHORITY, UNIT) not in await scene.due()
