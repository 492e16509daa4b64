"""Signals of groups on a real broker and database. What is a signal: tests/unit/scoring/test_signals.py."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.scoring.records import Unit
from services.scoring.rule_store import RuleStore
from services.scoring.rules import GroupSignals, Rules
from shared.events import EnrolmentStatus
from shared.messaging import topology
from tests.builders import AUTHORITY, UNIT, enrolment
from tests.integration.scoring.signal_scene import (
    CLASS,
    DAYS,
    EVERY,
    OTHERS,
    USUAL,
    WORSE,
    enrolments,
    few_worse,
    prepared,
    registers,
)
from tests.integration.scoring.stage import Stage, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("signals_at_once")]


async def test_a_class_that_worsens_together_is_told_of_once_until_it_has_recovered(stage: Stage) -> None:
    scene = await prepared(stage)
    everyone = [*CLASS, *OTHERS]
    await scene.take_in([*enrolments(), *registers(everyone, DAYS[:30])])
    await scene.computed()
    assert scene.signals() == []
    await scene.take_in([*registers(CLASS, DAYS[30:32], absent=60), *registers(OTHERS, DAYS[30:31], absent=6)])
    await scene.take_in(registers(OTHERS, DAYS[31:32]))
    before = scene.newest_scores()
    await scene.computed()
    assert scene.signals() == [WORSE]
    message = next(body for key, _, body in scene.publisher.published if key == topology.GROUP_SIGNAL_KEY)
    # 12 students were away 120 of 10 x 60 minutes each, the other 18 of the unit 6 of 600.
    numbers = {"students": 12, "recent_percent": 20.0, "earlier_percent": 0.0, "unit_percent": 1.0}
    told = {"numbers": numbers, "from": DAYS[2].isoformat(), "to": DAYS[31].isoformat()}
    assert {name: message["data"][name] for name in told} == told
    assert message["source"] == f"/kvar/scoring/{AUTHORITY}/{UNIT}"
    reason = {"indicator": "group_absence", "points": 0, "group": "NA25a", **told}
    for student in everyone:
        known, own = scene.newest_scores()[student], before[student]
        assert (known["score"], known["level"]) == (own["score"], own["level"])
        assert known["reasons"] == [*own["reasons"], *([reason] if student in CLASS else [])]

    said = len(scene.publisher.published)
    await scene.take_in(registers(everyone, DAYS[32:41]))
    await scene.computed()
    assert scene.signals() == [WORSE]
    assert len(scene.publisher.published) == said + len(everyone), "new registers alone are said once of each student"
    await scene.take_in(registers(everyone, DAYS[41:51]))
    await scene.computed()
    assert scene.signals() == [WORSE, USUAL]
    assert scene.noted() == set()
    assert [
        orjson.loads(body)["id"] for body in await scene.scoring.said("2480|gy-aspen|group:NA25a", scene.now())
    ] == [
        "group:NA25a:1",
        "group:NA25a:2",
    ]


async def test_running_replicas_tell_of_a_group_and_of_its_correction(stage: Stage) -> None:
    few, others = CLASS[:6], OTHERS[:6]
    bodies: list[dict[str, Any]] = []

    async def told() -> tuple[set[str], set[str]]:
        bodies.extend(orjson.loads(message.body) for message in await stage.take("reporting.risk"))
        newest: dict[str, dict[str, Any]] = {}
        for body in bodies:
            if (
                "risk.scored" in body["type"]
                and body["data"]["revision"] >= newest.get(body["subject"], body["data"])["revision"]
            ):
                newest[body["subject"]] = body["data"]
        noted = {student for student, data in newest.items() if any(each.get("group") for each in data["reasons"])}
        return {f"{body['id']} {body['data']['state']}" for body in bodies if "group" in body["type"]}, noted

    async with stage.running(), stage.running():
        await stage.publish([*enrolments((("NA25a", few), ("TE25b", others))), *registers(others, DAYS[:31])])
        await stage.publish([*registers(few, DAYS[:30]), *registers(few, DAYS[30:31], absent=60)])

        async def worse() -> bool:
            return await told() == ({"group:NA25a:1 worse"}, set(few))

        await until(worse, "the signal and its reasons")
        await stage.publish(registers(few, DAYS[30:31], revision=2))

        async def usual() -> bool:
            return await told() == ({"group:NA25a:1 worse", "group:NA25a:2 usual"}, set())

        await until(usual, "the end of the signal and its reasons")
    assert await stage.take("scoring.parking") == []


async def test_one_student_alone_makes_no_signal(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in([*enrolments(), *registers([*CLASS, *OTHERS], DAYS[:30])])
    await scene.take_in(registers([*CLASS[1:], *OTHERS], DAYS[30:40]))
    await scene.take_in(registers(CLASS[:1], DAYS[30:40], absent=60))
    await scene.computed()
    assert scene.signals() == []


async def test_four_students_make_no_signal(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in([*enrolments([("NA25a", CLASS[:4]), ("TE25b", OTHERS)]), *registers(OTHERS, DAYS[:33])])
    await scene.take_in([*registers(CLASS[:4], DAYS[:30]), *registers(CLASS[:4], DAYS[30:33], absent=60)])
    await scene.computed()
    assert scene.signals() == []


async def test_of_a_group_that_shrinks_below_five_no_number_is_told(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    await scene.computed()
    assert scene.signals() == [WORSE]
    await scene.take_in([enrolment(student, groups=("NA25b",), revision=2) for student in CLASS[:2]])
    await scene.computed()
    assert scene.signals() == [WORSE, USUAL]
    last = [body["data"] for key, _, body in scene.publisher.published if key == topology.GROUP_SIGNAL_KEY][-1]
    assert (last["numbers"], last["students"], last["to"]) == ({}, 6, DAYS[31].isoformat())
    assert scene.noted() == set()


async def test_who_leaves_a_group_loses_its_reason_and_who_joins_gets_it(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    await scene.computed()
    leaver, joiner = CLASS[0], OTHERS[0]
    await scene.take_in(
        [enrolment(leaver, groups=("TE25b",), revision=2), enrolment(joiner, groups=("NA25a",), revision=2)]
    )
    await scene.computed()
    assert scene.signals() == [WORSE]
    assert scene.noted() == {*CLASS[1:6], joiner}


async def test_a_unit_that_a_student_has_left_is_computed_again(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    await scene.computed()
    movers = CLASS[:2]
    await scene.take_in(
        [enrolment(student, status=EnrolmentStatus.ENDED, revision=2) for student in movers]
        + [enrolment(student, DAYS[31], unit="gy-björk", groups=("NA25a",)) for student in movers]
    )
    await scene.computed()
    assert scene.signals() == [WORSE, USUAL]
    assert scene.noted() == set()


async def test_a_unit_is_computed_no_oftener_than_set(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in(enrolments())
    assert await scene.signalling.round() == 1
    await scene.take_in(registers(CLASS, DAYS[:1]))
    scene.late = EVERY / 2
    assert await scene.signalling.round() == 0
    assert await scene.due() == {Unit(AUTHORITY, UNIT)}
    scene.late = EVERY * 2
    assert await scene.signalling.round() == 1


async def test_new_rules_of_an_authority_change_what_is_a_signal(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    await scene.computed()
    rules = Rules(group_signals=GroupSignals(absence=50))
    await RuleStore(scene.database).add(AUTHORITY, rules, scene.now())
    while await scene.rescoring.refresh(100):
        pass
    await scene.computed()
    assert scene.signals() == [WORSE, USUAL]
    assert scene.noted() == set()


async def test_students_without_a_place_are_in_no_group(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in([*registers(CLASS, DAYS[:30]), *registers(CLASS, DAYS[30:32], absent=60)])
    assert await scene.due() == {Unit(AUTHORITY, UNIT)}, "the unit that the registers name"
    await scene.computed()
    assert scene.signals() == []


async def test_who_loses_the_place_loses_what_its_groups_said(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    await scene.computed()
    assert CLASS[0] in scene.noted()
    retracted = enrolment(CLASS[0], groups=("NA25a",), revision=2)
    data = retracted.data.model_copy(update={"state": "retracted"})
    await scene.take_in([retracted.model_copy(update={"data": data, "id": "taken back"})])
    assert await scene.due() == {Unit(AUTHORITY, UNIT)}
    await scene.computed()
    assert scene.noted() == set(CLASS[1:6])


async def test_a_note_that_comes_too_late_for_a_student_who_has_moved_is_not_taken(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    note = scene.rescoring.note

    async def after_the_move(unit: Unit, notes: Any) -> None:
        scene.rescoring.note = note  # type: ignore[method-assign]
        await scene.take_in([enrolment(CLASS[0], DAYS[31], unit="gy-björk", groups=("NA25a",))])
        await note(unit, notes)

    scene.rescoring.note = after_the_move  # type: ignore[method-assign]
    scene.late += 2 * EVERY
    await scene.signalling.round()
    assert scene.noted() == set(CLASS[1:6])
