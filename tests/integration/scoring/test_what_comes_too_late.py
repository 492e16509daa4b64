"""What is older than known, and what takes back nothing, changes nothing and is counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from shared import metrics
from shared.events import AnyEvent
from tests.builders import AUTHORITY, MONDAY, attendance, enrolment, grade, pseudonym, school_days
from tests.integration.scoring.stage import Publisher, Stage, batch

pytestmark = pytest.mark.integration

STUDENT = pseudonym("åsa")
DAYS = school_days(MONDAY, 55)


def lesson_of(day: date) -> Callable[[int], AnyEvent]:
    return lambda revision: attendance(STUDENT, day, unexcused=30 * revision, revision=revision)


FACTS: dict[str, tuple[str, Callable[[int], AnyEvent]]] = {
    "lesson at hand": ("kvar.attendance.recorded.v1", lesson_of(DAYS[54])),
    "late lesson": ("kvar.attendance.recorded.v1", lesson_of(DAYS[40])),
    "very old lesson": ("kvar.attendance.recorded.v1", lesson_of(DAYS[2])),
    "mark": (
        "kvar.grade.recorded.v1",
        lambda revision: grade(STUDENT, DAYS[3], value="FE"[revision - 1], revision=revision),
    ),
    "place": (
        "kvar.enrolment.changed.v1",
        lambda revision: enrolment(STUDENT, groups=(f"NA25{revision}",), revision=revision),
    ),
}


def counted(kind: str) -> float:
    """How many facts of a kind came that were older than known, of the authority."""
    return float(metrics.OLDER_THAN_KNOWN.labels("scoring", AUTHORITY, kind)._value.get())


@pytest.mark.parametrize("name", FACTS)
async def test_what_is_older_than_known_is_counted(stage: Stage, name: str) -> None:
    kind, version = FACTS[name]
    publisher = Publisher()
    rescoring = stage.rescoring(publisher)
    await rescoring.process(batch(attendance(STUDENT, day) for day in DAYS))
    before = counted(kind)
    await rescoring.process(batch([version(2)]))
    assert counted(kind) == before
    students = stage.database()["scoring_students"]
    document = await students.find_one({"_id": STUDENT})
    await rescoring.process(batch([version(1)]))
    assert counted(kind) == before + 1
    assert await students.find_one({"_id": STUDENT}) == document


async def test_a_mark_that_takes_back_what_was_not_there_is_counted(stage: Stage) -> None:
    rescoring = stage.rescoring(Publisher())
    counter = metrics.BASELESS_RETRACTIONS.labels(AUTHORITY)._value
    before = counter.get()
    await rescoring.process(batch([grade(STUDENT, DAYS[0]), grade(STUDENT, DAYS[0], state="retracted", revision=2)]))
    await rescoring.process(batch([grade(STUDENT, DAYS[0], state="retracted", revision=3)]))
    await rescoring.process(batch([grade(STUDENT, DAYS[1], state="retracted", revision=4)]))
    assert counter.get() == before + 1
