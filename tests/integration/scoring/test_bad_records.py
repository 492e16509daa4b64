"""A student or unit whose record cannot be read holds up no round: all others are refreshed, moved, noted and told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.scoring.records import Unit
from services.scoring.rule_store import RuleStore
from shared import mongo
from tests.builders import AUTHORITY, MONDAY, attendance, enrolment, pseudonym, school_days
from tests.integration.scoring import signal_scene
from tests.integration.scoring.stage import Publisher, Stage, batch
from tests.integration.scoring.test_moves import MIDNIGHT, MOVES_ON, NEXT_UNIT
from tests.integration.scoring.test_rules import DAYS, MILD, NOW, STUDENTS, class_of_absentees, levels

pytestmark = pytest.mark.integration

BAD, GOOD = STUDENTS[:3], STUDENTS[3:]


async def spoil(database: mongo.Database, *students: str) -> None:
    """As no version of Kvar writes a state."""
    await database["scoring_students"].update_many({"_id": {"$in": list(students)}}, {"$set": {"state": "{}"}})


async def test_students_behind_unreadable_ones_are_refreshed(stage: Stage) -> None:
    await class_of_absentees(stage)
    await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
    await spoil(stage.database(), *BAD)
    publisher = Publisher()
    worker = stage.rescoring(publisher, lambda: NOW)
    while await worker.refresh(2):
        pass
    assert levels(publisher) == dict.fromkeys(GOOD, "universal")


async def test_students_behind_unreadable_ones_are_moved(stage: Stage) -> None:
    now = MIDNIGHT - timedelta(days=1)
    publisher = Publisher()
    worker = stage.rescoring(publisher, lambda: now)
    places = [
        place
        for student in STUDENTS
        for place in (
            enrolment(student, ends_on=MOVES_ON - timedelta(days=1)),
            enrolment(student, MOVES_ON, unit=NEXT_UNIT),
        )
    ]
    await worker.process(batch([*places, *(attendance(student, day) for student in STUDENTS for day in DAYS)]))
    await spoil(stage.database(), *BAD)
    now = MIDNIGHT
    while await worker.move(2):
        pass
    found = stage.database()["scoring_listings"].find({"unit": Unit(AUTHORITY, NEXT_UNIT).key})
    assert {document["_id"] async for document in found} == set(GOOD)


async def test_messages_behind_one_that_cannot_be_told_leave_their_outboxes(stage: Stage) -> None:
    await class_of_absentees(stage)
    database = stage.database()
    since = NOW - timedelta(minutes=5)
    for student in STUDENTS:
        entry = {"id": f"{student}:9", "since": since, "key": "level.changed", "body": "{}"}
        await database["scoring_students"].update_one({"_id": student}, {"$set": {"outbox": [entry]}})
    told: list[str] = []

    async def publish(_body: bytes, *, routing_key: str, message_id: str) -> None:
        if message_id.partition(":")[0] in BAD:
            raise ValueError("not this one")
        told.append(message_id)

    worker = stage.rescoring(publish, lambda: NOW)  # type: ignore[arg-type]
    for _ in range(4):
        await worker.sweep(timedelta(minutes=1), 2)
    assert sorted(set(told)) == sorted(f"{student}:9" for student in GOOD)
    left = database["scoring_students"].find({"outbox.id": {"$gt": ""}})
    assert {document["_id"] async for document in left} == set(BAD)


async def test_units_beside_one_that_cannot_be_computed_get_their_signals(stage: Stage) -> None:
    scene = await signal_scene.prepared(stage)
    bad_unit = "gy-ask"
    there = [pseudonym(f"ask {number}") for number in range(6)]
    days = school_days(MONDAY, 2)
    await scene.take_in([enrolment(student, unit=bad_unit) for student in there])
    await scene.take_in([attendance(student, day) for student in there for day in days])
    await signal_scene.few_worse(scene)
    await spoil(scene.database, there[0])
    scene.late += 2 * signal_scene.EVERY
    await scene.signalling.round()
    assert signal_scene.WORSE in scene.signals()
    assert scene.noted()
    assert await scene.due() == {Unit(AUTHORITY, bad_unit)}


async def test_a_student_who_cannot_be_noted_keeps_it_from_nobody(stage: Stage) -> None:
    scene = await signal_scene.prepared(stage)
    await signal_scene.few_worse(scene)
    noted, bad = set(signal_scene.CLASS[:6]), signal_scene.CLASS[0]
    carry_out = scene.rescoring._attempt

    async def attempt(work: dict[str, object]) -> object:
        if bad in work:
            raise KeyError(bad)
        return await carry_out(work)  # type: ignore[arg-type]

    scene.rescoring._attempt = attempt  # type: ignore[assignment,method-assign]
    scene.late += 2 * signal_scene.EVERY
    await scene.signalling.round()
    assert scene.noted() == noted - {bad}
    assert await scene.due() == set()
