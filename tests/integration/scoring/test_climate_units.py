"""Climate reports of groups whose code says too little, on a real database: whose are they?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.scoring.climate_handler import handler as climate_handler
from shared.events import AnyEvent
from shared.messaging import topology
from tests.builders import UNIT, attendance, climate, enrolment
from tests.integration.scoring.signal_scene import CLASS, DAYS, OTHERS, Scene, prepared
from tests.integration.scoring.stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("signals_at_once")]

BIRCH = "gy-björk"
GROUP = "group:NA25a"
EARLIER, RECENT = DAYS[0], DAYS[5]


def class_of(unit: str, students: Sequence[str]) -> list[AnyEvent]:
    """Students of a class NA25a that has had registers for eight days."""
    registers = [attendance(student, day, unit=unit) for student in students for day in DAYS[:8]]
    return [*(enrolment(student, unit=unit) for student in students), *registers]


async def at_aspen(stage: Stage) -> Scene:
    """A class at one unit, and what its unit says of the week."""
    scene = await prepared(stage)
    await scene.take_in(class_of(UNIT, CLASS[:6]))
    await scene.computed()
    await hears(scene, climate(f"unit:{UNIT}", RECENT), climate(f"unit:{BIRCH}", RECENT))
    return scene


async def hears(scene: Scene, *reports: AnyEvent) -> None:
    take_in = climate_handler(scene.store, scene.scoring)
    for report in reports:
        await take_in(report)


def worse(unit: str | None = None) -> list[AnyEvent]:
    """Of 4 it has become 3."""
    return [climate(GROUP, EARLIER, 4.0, unit=unit), climate(GROUP, RECENT, 3.0, unit=unit)]


def by_unit(scene: Scene) -> list[tuple[str, str]]:
    """Source and state of each message about a group, as published."""
    return [
        (body["source"].rpartition("/")[2], body["data"]["state"])
        for key, _, body in scene.publisher.published
        if key == topology.GROUP_SIGNAL_KEY
    ]


async def test_a_report_that_names_no_unit_is_of_the_only_group_with_that_code(stage: Stage) -> None:
    scene = await at_aspen(stage)
    await hears(scene, *worse())
    await scene.computed()
    assert by_unit(scene) == [(UNIT, "worse")]
    assert scene.noted() == set(CLASS[:6])


async def test_a_report_that_names_its_unit_is_of_that_group_alone(stage: Stage) -> None:
    scene = await at_aspen(stage)
    await scene.take_in(class_of(BIRCH, OTHERS[:6]))
    await scene.computed()
    await hears(scene, *worse(BIRCH))
    await scene.computed()
    assert by_unit(scene) == [(BIRCH, "worse")]
    assert scene.noted() == set(OTHERS[:6])


async def test_a_report_that_may_be_of_two_groups_is_nobodys(stage: Stage) -> None:
    scene = await at_aspen(stage)
    await scene.take_in(class_of(BIRCH, OTHERS[:6]))
    await scene.computed()
    await hears(scene, *worse())
    await scene.computed()
    assert by_unit(scene) == []
    await hears(scene, *worse(UNIT))
    await scene.computed()
    assert by_unit(scene) == [(UNIT, "worse")], "by what names the unit"
    assert scene.noted() == set(CLASS[:6])


async def test_a_code_that_another_unit_takes_into_use_makes_the_report_nobodys(stage: Stage) -> None:
    scene = await at_aspen(stage)
    await hears(scene, *worse())
    await scene.computed()
    assert by_unit(scene) == [(UNIT, "worse")]
    await scene.take_in(class_of(BIRCH, OTHERS[:6]))
    await scene.computed()
    assert by_unit(scene) == [(UNIT, "worse"), (UNIT, "usual")]
    assert scene.noted() == set()
