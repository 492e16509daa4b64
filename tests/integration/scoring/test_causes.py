"""What a withdrawal or change of level says of its cause, where several things come together in one batch."""

from __future__ import annotations

from datetime import date

import pytest

from services.scoring.rule_store import RuleStore
from services.scoring.rules import Rules, Stale
from shared.events import AnyEvent
from shared.messaging import topology
from tests.builders import AUTHORITY, UNIT, attendance, enrolment
from tests.integration.scoring.stage import Stage
from tests.integration.scoring.test_corrections import DAYS, NOW, STUDENT, Scene, lessons

pytestmark = pytest.mark.integration


def away(day: date, minutes: int = 600, *, revision: int = 1) -> AnyEvent:
    """A whole day missed in one lesson."""
    return attendance(STUDENT, day, lesson="lång", minutes=minutes, unexcused=minutes, hour=8, revision=revision)


def trip(day: date) -> AnyEvent:
    """Present, elsewhere, during the same hours."""
    return attendance(STUDENT, day, lesson="utflykt", minutes=600, hour=8)


async def raised(stage: Stage, days: int = 12) -> Scene:
    """A student with an alert: the last days missed whole."""
    scene = Scene(stage)
    for day in DAYS[:days]:
        await scene.take_in(away(day))
    assert (await scene.record()).level == "targeted"
    return scene


async def test_where_nothing_was_corrected_the_new_facts_are_named_and_no_exported_again(stage: Stage) -> None:
    scene = await raised(stage)
    again = [away(day, revision=2) for day in DAYS[:12]]
    await scene.take_in(*again, *(trip(day) for day in DAYS[:12]))
    [named] = scene.withdrawn()
    assert {key for _, key, _, _ in named} == {f"{day}-utflykt" for day in DAYS[:12]}
    assert scene.is_as_brute_force_says()


async def test_a_correction_that_speaks_against_the_student_is_no_cause(stage: Stage) -> None:
    scene = await raised(stage)
    await scene.take_in(attendance(STUDENT, DAYS[0], lesson="1", hour=20))
    worse = attendance(STUDENT, DAYS[0], lesson="1", hour=20, unexcused=5, revision=2)
    await scene.take_in(worse, *(trip(day) for day in DAYS[:12]))
    [named] = scene.withdrawn()
    assert {key for _, key, _, _ in named} == {f"{day}-utflykt" for day in DAYS[:12]}


@pytest.mark.parametrize("history", [12, 55], ids=["all at hand", "before the base"])
async def test_a_class_that_changes_beside_a_correction_is_not_named(stage: Stage, history: int) -> None:
    scene = Scene(stage)
    await scene.take_in(enrolment(STUDENT, DAYS[0], groups=("A",)))
    for n, day in enumerate(DAYS[:history]):
        await scene.take_in(
            away(day) if n >= history - 12 else attendance(STUDENT, day, lesson="lång", minutes=600, hour=8)
        )
    assert (await scene.record()).level != "universal"
    ended = enrolment(STUDENT, DAYS[0], groups=("A",), ends_on=DAYS[history - 2], revision=2)
    begun = enrolment(STUDENT, DAYS[history - 1], groups=("B",), revision=2)
    corrected = [attendance(STUDENT, day, lesson="lång", minutes=600, hour=8, revision=2) for day in DAYS[:history]]
    await scene.take_in(ended, begun, *corrected)
    assert scene.withdrawn()
    assert {kind for named in scene.withdrawn() for kind, *_ in named} == {"attendance"}
    assert scene.is_as_brute_force_says()
    assert (await scene.record()).where == (UNIT, ("B",))


async def set_rules(scene: Scene, school_days: int) -> None:
    """Rules that no score depends on."""
    await RuleStore(scene.database).add(AUTHORITY, Rules(stale=Stale(school_days=school_days)), NOW)


async def test_a_correction_that_comes_with_new_rules_is_the_cause(stage: Stage) -> None:
    scene = await raised(stage)
    await set_rules(scene, 11)
    await scene.rescoring._book.look(at_once=True)
    await scene.take_in(
        *(attendance(STUDENT, day, lesson="lång", minutes=600, hour=8, revision=2) for day in DAYS[:12])
    )
    [body] = [body for key, _, body in scene.publisher.published if key == topology.ALERT_WITHDRAWN_KEY]
    assert (body["data"]["cause"], body["data"]["model_version"]) == ("correction", "points-3+1")
    assert {fact["kind"] for fact in body["data"]["corrected"]} == {"attendance"}


async def test_an_alert_that_is_over_is_withdrawn_by_a_correction_that_comes_with_new_rules(stage: Stage) -> None:
    scene = await raised(stage)
    for day in DAYS[12:50]:
        await scene.take_in(attendance(STUDENT, day, lesson="lång", minutes=600, hour=8))
    assert (await scene.record()).level == "universal"
    await set_rules(scene, 12)
    await scene.rescoring._book.look(at_once=True)
    await scene.take_in(
        *(attendance(STUDENT, day, lesson="lång", minutes=600, hour=8, revision=2) for day in DAYS[:12])
    )
    [named] = scene.withdrawn()
    assert {kind for kind, *_ in named} == {"attendance"}


async def test_a_rise_that_comes_with_new_rules_is_by_its_facts(stage: Stage) -> None:
    scene = Scene(stage)
    await scene.take_in(*lessons(DAYS[:12]))
    await set_rules(scene, 13)
    await scene.rescoring._book.look(at_once=True)
    await scene.take_in(*(away(day) for day in DAYS[12:20]))
    [body] = [body for key, _, body in scene.publisher.published if key == topology.LEVEL_CHANGED_KEY]
    assert body["data"]["cause"] == "facts"
