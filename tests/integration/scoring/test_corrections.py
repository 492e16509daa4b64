"""What a correction does, on the real database: withdrawals name what was corrected and only that, repetitions write nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.scoring.records import StudentRecord
from services.scoring.rescoring import Rescoring
from services.scoring.rule_store import RuleStore
from services.scoring.rules import Levels, Rules
from services.scoring.store import ScoringStore
from shared.events import AnyEvent
from shared.messaging import topology
from tests.builders import AUTHORITY, MONDAY, attendance, enrolment, grade, pseudonym, school_days
from tests.integration.scoring.stage import CrashError, Publisher, Stage, batch, expected, last_scores

pytestmark = pytest.mark.integration

STUDENT = pseudonym("åsa")
DAYS = school_days(MONDAY, 60)
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
LESSONS = [str(n) for n in range(1, 8)]


class Scene:
    """Scoring on the stage's database, and what it says."""

    def __init__(self, stage: Stage) -> None:
        self.publisher = Publisher()
        self.rescoring: Rescoring = stage.rescoring(self.publisher, lambda: NOW)
        self.database = stage.database()
        self.store = ScoringStore(self.database)
        self.events: list[AnyEvent] = []

    async def take_in(self, *events: AnyEvent) -> None:
        """One batch."""
        self.events += events
        await self.rescoring.process(batch(events))

    async def record(self) -> StudentRecord:
        return (await self.store.read_students({STUDENT: AUTHORITY}))[STUDENT]

    def withdrawn(self) -> list[list[tuple[str, str, str, int]]]:
        """What each withdrawal names, in the order of publishing."""
        bodies = [body for key, _, body in self.publisher.published if key == topology.ALERT_WITHDRAWN_KEY]
        return [
            [(fact["kind"], fact["key"], fact["day"], fact["revision"]) for fact in body["data"]["corrected"]]
            for body in bodies
        ]

    def scores(self) -> list[dict[str, Any]]:
        return [body for key, _, body in self.publisher.published if key == topology.SCORED_KEY]

    def is_as_brute_force_says(self) -> bool:
        return last_scores(self.scores()) == expected(self.events)


def lessons(days: Sequence[date], *, absent: Sequence[str] = (), revision: int = 1) -> list[AnyEvent]:
    """Seven lessons of each day."""
    return [
        attendance(STUDENT, day, lesson=lesson, unexcused=60 if lesson in absent else 0, revision=revision)
        for day in days
        for lesson in LESSONS
    ]


async def test_of_29_corrections_the_20_newest_are_named_and_nothing_else_of_their_days(stage: Stage) -> None:
    scene = Scene(stage)
    for day in DAYS[:30]:
        await scene.take_in(*lessons([day], absent=("3",)))
    assert (await scene.record()).level == "targeted"
    corrections = [attendance(STUDENT, day, lesson="3", revision=7) for day in DAYS[:29]]
    await scene.take_in(*corrections, *lessons([DAYS[10]], revision=1)[:2])
    assert scene.is_as_brute_force_says()
    wanted = [("attendance", f"{day}-3", day.isoformat(), 7) for day in reversed(DAYS[9:29])]
    assert scene.withdrawn() == [wanted]


@pytest.mark.parametrize("position", [0, 25, 49], ids=["before the base", "closed", "at hand"])
async def test_a_correction_of_one_lesson_is_named_alone(stage: Stage, position: int) -> None:
    scene = Scene(stage)
    for n, day in enumerate(DAYS[:50]):
        await scene.take_in(*lessons([day], absent=LESSONS if n == position else ()))
    raised = scene.publisher.level_changes()
    await scene.take_in(grade(STUDENT, DAYS[position], points=300, required=True))
    assert len(scene.publisher.level_changes()) > len(raised)
    again = [
        attendance(STUDENT, DAYS[position], lesson=lesson, unexcused=60, revision=2)
        for lesson in LESSONS
        if lesson != "4"
    ]
    back = grade(STUDENT, DAYS[position], points=300, required=True, state="retracted", revision=2)
    await scene.take_in(*again, attendance(STUDENT, DAYS[position], lesson="4", revision=2), back)
    assert scene.is_as_brute_force_says()
    day = DAYS[position]
    lesson, mark = ("attendance", f"{day}-4", day.isoformat(), 2), ("mark", "MATMAT01a final", day.isoformat(), 2)
    assert scene.withdrawn() == [[lesson, mark]], "exported again with the same content is not corrected"


async def test_a_mark_that_was_taken_back_is_named_beside_marks_that_were_exported_again(stage: Stage) -> None:
    scene = Scene(stage)
    marks = [grade(STUDENT, DAYS[n], course=f"K{n}", points=100) for n in range(3)]
    await scene.take_in(*lessons(DAYS[:12]), *marks)
    assert scene.publisher.level_changes() == []
    await scene.take_in(grade(STUDENT, DAYS[9], course="K9", points=200, required=True))
    assert len(scene.publisher.level_changes()) == 1
    exported = [grade(STUDENT, DAYS[n], course=f"K{n}", points=100, revision=2) for n in range(3)]
    taken_back = grade(STUDENT, DAYS[9], course="K9", points=200, required=True, state="retracted", revision=2)
    await scene.take_in(*exported, taken_back)
    assert scene.withdrawn() == [[("mark", "K9 final", DAYS[9].isoformat(), 2)]]
    assert scene.is_as_brute_force_says()


@pytest.mark.parametrize("history", [12, 55], ids=["all at hand", "before the base"])
async def test_a_place_that_makes_lessons_uncounted_is_named(stage: Stage, history: int) -> None:
    scene = Scene(stage)
    for day in DAYS[:history]:
        await scene.take_in(*lessons([day], absent=LESSONS))
    assert (await scene.record()).level != "universal"
    begins = DAYS[history]
    await scene.take_in(enrolment(STUDENT, begins, revision=5))
    assert scene.is_as_brute_force_says()
    place = ("place", "gy-aspen", begins.isoformat(), 5)
    assert scene.withdrawn()
    assert all(facts == [place] for facts in scene.withdrawn())


async def test_a_place_that_changes_no_lesson_is_not_named_beside_an_old_correction(stage: Stage) -> None:
    scene = Scene(stage)
    known = attendance(STUDENT, DAYS[0], lesson="1", excused=9, revision=2)
    await scene.take_in(enrolment(STUDENT), *lessons(DAYS[:50]), known)
    await scene.take_in(grade(STUDENT, DAYS[49], points=300, required=True))
    assert scene.publisher.level_changes() == [f"{STUDENT}:1"]
    old = attendance(STUDENT, DAYS[0], lesson="1", excused=5, revision=3)
    places = [enrolment(STUDENT, groups=("NA25b",), revision=2), enrolment(STUDENT, DAYS[52])]
    back = grade(STUDENT, DAYS[49], points=300, required=True, state="retracted", revision=2)
    await scene.take_in(back, old, *places)
    assert scene.is_as_brute_force_says()
    mark, lesson = ("mark", "MATMAT01a final", f"{DAYS[49]}", 2), ("attendance", f"{DAYS[0]}-1", f"{DAYS[0]}", 3)
    assert scene.withdrawn() == [[mark, lesson]]


async def test_withdrawals_by_rules_name_the_rules(stage: Stage) -> None:
    scene = Scene(stage)
    await scene.take_in(*lessons(DAYS[:12], absent=LESSONS))
    assert scene.publisher.level_changes()
    rules = Rules(levels=Levels(targeted=98, individual=99))
    await RuleStore(scene.database).add(AUTHORITY, rules, NOW)
    assert await scene.rescoring.refresh(10) == 1
    assert scene.withdrawn()
    assert all(facts == [("rules", "points-3+1", NOW.date().isoformat(), 1)] for facts in scene.withdrawn())


def said_again(event: AnyEvent) -> AnyEvent:
    """The same content in another event, received later."""
    assert event.recordedtime is not None
    later = event.recordedtime + timedelta(days=60)
    return event.model_copy(update={"id": f"{event.id}-again", "recordedtime": later})


@pytest.mark.parametrize("kind", ["newest lesson", "late lesson", "very old lesson", "mark", "place"])
async def test_a_repetition_writes_nothing(stage: Stage, kind: str) -> None:
    scene = Scene(stage)
    mark, place = grade(STUDENT, DAYS[3], points=300, required=True), enrolment(STUDENT)
    for day in DAYS[:55]:
        await scene.take_in(*lessons([day], absent=("1",)))
    await scene.take_in(mark, place)
    known: dict[str, AnyEvent] = {
        "newest lesson": attendance(STUDENT, DAYS[54], lesson="1", unexcused=60),
        "late lesson": attendance(STUDENT, DAYS[40], lesson="1", unexcused=60),
        "very old lesson": attendance(STUDENT, DAYS[2], lesson="1", unexcused=60),
        "mark": mark,
        "place": place,
    }
    before, facts = await scene.record(), await scene.database["scoring_facts"].count_documents({})
    document = await scene.database["scoring_students"].find_one({"_id": STUDENT})
    said = len(scene.publisher.published)
    for _ in range(2):
        await scene.take_in(said_again(known[kind]))
    assert (await scene.record()).rev == before.rev
    assert await scene.database["scoring_students"].find_one({"_id": STUDENT}) == document
    assert await scene.database["scoring_facts"].count_documents({}) == facts
    repeated = scene.publisher.published[said:]
    assert [body for _, _, body in repeated if "scored" not in body["type"]] == [], (
        "a crash may have left a score unsaid"
    )
    assert {body["data"]["revision"] for _, _, body in repeated} <= {before.rev}


async def test_a_lesson_that_another_replica_has_read_in_is_taken_out_by_a_place_all_the_same(stage: Stage) -> None:
    """A replica dies after keeping it; another reads it beside a lesson of the same day; then it is delivered again."""
    scene, dying = Scene(stage), Scene(stage)
    await scene.take_in(*(attendance(STUDENT, day) for day in [*DAYS[:5], DAYS[6]]))

    async def die(*_: object) -> None:
        raise CrashError

    dying.rescoring._store.write_students = die  # type: ignore[assignment,method-assign]
    lost = attendance(STUDENT, DAYS[5], lesson="2", unit="gy-björk", minutes=300, unexcused=300)
    with pytest.raises(CrashError):
        await dying.take_in(lost)
    await scene.take_in(attendance(STUDENT, DAYS[5]))
    await scene.take_in(lost)
    assert scene.is_as_brute_force_says()
    assert scene.scores()[-1]["data"]["score"] == 10
    await scene.take_in(enrolment(STUDENT, DAYS[6], unit="gy-björk"))
    assert scene.is_as_brute_force_says()
    assert scene.scores()[-1]["data"]["score"] == 0
