"""Climate reports of groups and stale students on a real database."""

from __future__ import annotations

import pytest

from services.scoring.climate_handler import handler as climate_handler
from shared.events import EnrolmentStatus
from tests.builders import enrolment
from tests.integration.scoring.signal_scene import (
    CLASS,
    DAYS,
    OTHERS,
    Scene,
    climate,
    enrolments,
    prepared,
    registers,
)
from tests.integration.scoring.stage import Stage, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("signals_at_once")]


async def test_climate_comes_in_is_corrected_and_retracted(stage: Stage) -> None:
    scene = await prepared(stage)
    take_in = climate_handler(scene.store, scene.scoring)
    week = f"{DAYS[0].year}-W{DAYS[0].isocalendar().week + 1:02d}"
    before = f"{DAYS[0].year}-W{DAYS[0].isocalendar().week:02d}"
    await take_in(climate("group:NA25a", before, 4.0))
    await scene.take_in(enrolments((("NA25a", CLASS[:6]), ("TE25b", OTHERS[:6]))))
    await scene.take_in(registers([*CLASS[:6], *OTHERS[:6]], DAYS[:8]))
    await take_in(climate("unit:gy-aspen", week, 4.0))
    await scene.computed()
    assert scene.signals() == []
    for _ in range(2):
        await take_in(climate("group:NA25a", week, 3.2))
    await scene.computed()
    worse = ("group:NA25a", "group:NA25a:1", "climate", "worse")
    assert scene.signals() == [worse]
    numbers = {"students": 6, "recent_mean": 3.2, "earlier_mean": 4.0, "unit_mean": 4.0, "answers": 12}
    reasons = [each for each in scene.newest_scores()[CLASS[0]]["reasons"] if each.get("group")]
    assert [(each["indicator"], each["numbers"]) for each in reasons] == [("group_climate", numbers)]
    await take_in(climate("group:NA25a", week, 3.9, revision=3))
    await take_in(climate("group:NA25a", week, 3.0, revision=2))
    await scene.computed()
    usual = ("group:NA25a", "group:NA25a:2", "climate", "usual")
    assert scene.signals() == [worse, usual]
    await take_in(climate("group:NA25a", week, 1.0, revision=4))
    await scene.computed()
    await take_in(climate("group:NA25a", week, 1.0, revision=5, state="retracted"))
    await scene.computed()
    assert [(one[2], one[3]) for one in scene.signals()] == [("climate", "worse"), ("climate", "usual")] * 2
    assert await scene.database["scoring_climate"].count_documents({}) == 7, "of eight messages"


async def test_a_climate_report_that_ingest_has_not_stamped_is_parked(stage: Stage) -> None:
    unstamped = climate("group:NA25a", "2026-W40", 3.0).model_copy(update={"recordedtime": None})
    no_week = climate("group:NA25a", "2025-W53", 3.0)
    good = climate("group:NA25a", "2026-W40", 3.0)
    async with stage.running():
        await stage.publish([unstamped, no_week, good])

        async def kept() -> bool:
            return bool(await stage.database()["scoring_climate"].count_documents({}))

        await until(kept, "the report to be kept")
        parked: list[bytes] = []

        async def both_parked() -> bool:
            parked.extend(message.body for message in await stage.take("scoring.parking"))
            return len(parked) == 2

        await until(both_parked, "the others to be parked")


async def stale(scene: Scene) -> dict[str, str | None]:
    await scene.computed()
    return {student: data.get("stale_since") for student, data in scene.newest_scores().items()}


async def test_a_student_without_registers_is_stale_until_one_comes(stage: Stage) -> None:
    scene = await prepared(stage)
    few, gone = CLASS[:6], CLASS[0]
    await scene.take_in([*enrolments([("NA25a", few)]), *registers(few, DAYS[:5])])
    await scene.take_in(registers(few[1:], DAYS[5:14]))
    assert set((await stale(scene)).values()) == {None}, "nine school days are not ten"
    score = scene.newest_scores()[gone]["score"]
    await scene.take_in(registers(few[1:], DAYS[14:15]))
    since = await stale(scene)
    assert since.pop(gone) == DAYS[5].isoformat()
    assert set(since.values()) == {None}
    assert scene.newest_scores()[gone]["score"] == score
    await scene.take_in(registers([gone], DAYS[15:16]))
    assert set((await stale(scene)).values()) == {None}


async def test_a_class_whose_teachers_all_forget_registers_is_stale_while_its_unit_has_school(stage: Stage) -> None:
    scene = await prepared(stage)
    without_group = OTHERS[-1]
    await scene.take_in([*enrolments([("NA25a", CLASS), ("TE25b", OTHERS[:-1])]), enrolment(without_group, groups=())])
    await scene.take_in([*registers([*CLASS, *OTHERS], DAYS[:5]), *registers(OTHERS[:-1], DAYS[5:15])])
    silent = {*CLASS, without_group}
    since = {student: DAYS[5].isoformat() if student in silent else None for student in (*CLASS, *OTHERS)}
    assert await stale(scene) == since
    assert {data.get("stale_school_days") for data in scene.newest_scores().values()} == {10, None}


async def test_nobody_is_stale_while_most_of_the_unit_has_no_register(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in([*enrolments(), *registers([*CLASS, *OTHERS], DAYS[:5]), *registers(CLASS, DAYS[5:30])])
    assert set((await stale(scene)).values()) == {None}


async def test_a_place_that_has_ended_is_never_stale(stage: Stage) -> None:
    scene = await prepared(stage)
    few, gone = CLASS[:6], CLASS[0]
    await scene.take_in([*enrolments([("NA25a", few)]), *registers(few, DAYS[:5]), *registers(few[1:], DAYS[5:20])])
    assert (await stale(scene))[gone] == DAYS[5].isoformat()
    await scene.take_in([enrolment(gone, status=EnrolmentStatus.ENDED, revision=2)])
    assert (await stale(scene))[gone] is None
