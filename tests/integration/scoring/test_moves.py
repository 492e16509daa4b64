"""Places that begin and end by the calendar, on the real database: the daily round takes each student where they are now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from services.scoring.records import StudentRecord, Unit
from services.scoring.rescoring import Rescoring
from services.scoring.store import ScoringStore
from shared.events import AnyEvent, EnrolmentStatus
from shared.events.places import NO_END
from shared.messaging import topology
from tests.builders import AUTHORITY, MONDAY, STOCKHOLM, UNIT, attendance, enrolment, pseudonym, school_days
from tests.integration.scoring.stage import CrashError, Publisher, Stage, batch

pytestmark = pytest.mark.integration

STUDENT, OTHER = pseudonym("åsa"), pseudonym("örjan")
DAYS = school_days(MONDAY, 10)
NEXT_UNIT = "gy-björk"
MOVES_ON = date(2026, 10, 12)
LEAVES_ON = date(2026, 12, 18)
MIDNIGHT = datetime.combine(MOVES_ON, time(), STOCKHOLM)
BOTH = {Unit(AUTHORITY, UNIT), Unit(AUTHORITY, NEXT_UNIT)}


class Scene:
    """A replica on the stage's database, with a clock that is set."""

    def __init__(self, stage: Stage, now: datetime, dies_at: int | None = None) -> None:
        self.publisher = Publisher(dies_at)
        self.now = now
        self.rescoring: Rescoring = stage.rescoring(self.publisher, lambda: self.now)
        self.database = stage.database()
        self.store = ScoringStore(self.database)

    async def take_in(self, events: Sequence[AnyEvent]) -> None:
        await self.rescoring.process(batch(events))

    async def moves_on(self, student: str = STUDENT) -> int:
        document = await self.database["scoring_listings"].find_one({"_id": student})
        assert document is not None
        return int(document["moves_on"])

    async def record(self) -> StudentRecord:
        return (await self.store.read_students({STUDENT: AUTHORITY}))[STUDENT]

    def said(self) -> list[dict[str, Any]]:
        return [body["data"] for key, _, body in self.publisher.published if key == topology.SCORED_KEY]

    async def asked_since(self, before: dict[Unit, int]) -> set[Unit]:
        return {unit for unit, times in (await self.store.asked()).items() if times != before.get(unit, 0)}


def mover() -> list[AnyEvent]:
    """A student who changes school on the 12th of October and leaves that one at Christmas, and one who stays."""
    return [
        enrolment(STUDENT, ends_on=MOVES_ON - timedelta(days=1)),
        enrolment(STUDENT, MOVES_ON, unit=NEXT_UNIT, groups=("TE26",), ends_on=LEAVES_ON),
        enrolment(OTHER),
        *(attendance(who, day, unexcused=60) for who in (STUDENT, OTHER) for day in DAYS),
    ]


async def test_a_student_moves_at_midnight_of_the_authoritys_zone(stage: Stage) -> None:
    scene = Scene(stage, MIDNIGHT - timedelta(seconds=1))
    await scene.take_in(mover())
    assert (await scene.moves_on(), await scene.moves_on(OTHER)) == (MOVES_ON.toordinal(), NO_END)
    assert await scene.rescoring.move(10) == 0
    said, asked = len(scene.said()), await scene.store.asked()

    scene.now = MIDNIGHT
    assert [await scene.rescoring.move(10) for _ in range(2)] == [1, 0]
    [score] = scene.said()[said:]
    assert (score["school_unit"], score["groups"]) == (NEXT_UNIT, ["TE26"])
    assert await scene.asked_since(asked) == BOTH
    assert await scene.store.students_of(Unit(AUTHORITY, NEXT_UNIT)) == [STUDENT]
    assert await scene.store.students_of(Unit(AUTHORITY, UNIT)) == [OTHER]
    assert await scene.moves_on() == LEAVES_ON.toordinal() + 1

    scene.now = MIDNIGHT.replace(month=12, day=19)
    assert [await scene.rescoring.move(10) for _ in range(2)] == [1, 0]
    assert len(scene.said()) == said + 1, "where a student was last stays on the page"
    assert await scene.moves_on() == NO_END


async def test_a_move_is_no_news_about_the_level(stage: Stage) -> None:
    scene = Scene(stage, MIDNIGHT - timedelta(days=3))
    await scene.take_in(mover())
    before, told = await scene.record(), scene.publisher.level_changes()
    scene.now = MIDNIGHT
    await scene.rescoring.move(10)
    after = await scene.record()
    assert (after.level, after.alerts, scene.publisher.level_changes()) == (before.level, before.alerts, told)


STEPS = ("write_students", "keep_said", "clear_outbox", "list_students", "ask")


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [*STEPS, "publishing"])
async def test_a_crash_during_a_move_is_made_good_by_the_next_round(stage: Stage, step: str, is_done: bool) -> None:
    first = Scene(stage, MIDNIGHT - timedelta(days=1))
    await first.take_in(mover())
    asked = await first.store.asked()
    dying = Scene(stage, MIDNIGHT, dies_at=int(is_done) if step == "publishing" else None)
    if step != "publishing":
        _die_at(dying, step, is_done=is_done)
    if step == "publishing" and is_done:
        _die_at(dying, "keep_said", is_done=False)
    with pytest.raises(CrashError):
        await dying.rescoring.move(10)
    alive = Scene(stage, MIDNIGHT + timedelta(minutes=5))
    await alive.rescoring.move(10)
    await alive.rescoring.sweep(timedelta(minutes=1), 10)
    said = {score["revision"]: score for score in [*dying.said(), *alive.said()]}
    assert [score["school_unit"] for score in said.values()] == [NEXT_UNIT], "said, in one way"
    assert await alive.asked_since(asked) == BOTH
    assert await alive.store.students_of(Unit(AUTHORITY, NEXT_UNIT)) == [STUDENT]
    assert await alive.moves_on() == LEAVES_ON.toordinal() + 1
    assert not (await alive.record()).outbox
    assert await alive.rescoring.move(10) == 0


def _die_at(scene: Scene, step: str, *, is_done: bool) -> None:
    store = scene.rescoring._store
    effect = getattr(store, step)

    async def dying(*arguments: Any) -> None:
        if is_done:
            await effect(*arguments)
        raise CrashError

    setattr(store, step, dying)


async def test_two_replicas_move_a_student_once(stage: Stage) -> None:
    first, second = Scene(stage, MIDNIGHT - timedelta(days=1)), Scene(stage, MIDNIGHT)
    await first.take_in(mover())
    first.now, said = MIDNIGHT, len(first.said())
    store = first.rescoring._store
    write = store.write_students

    async def overtaken(*arguments: Any) -> Any:
        store.write_students = write  # type: ignore[method-assign]
        assert await second.rescoring.move(10) == 1
        return await write(*arguments)

    store.write_students = overtaken  # type: ignore[assignment,method-assign]
    assert await first.rescoring.move(10) == 1
    assert [score["school_unit"] for score in [*first.said()[said:], *second.said()]] == [NEXT_UNIT]


async def test_a_replica_that_lists_late_takes_no_newer_listing_back(stage: Stage) -> None:
    """Nothing changes for the one, so that it is not overtaken; meanwhile the other has taken in a new place."""
    slow, fast = Scene(stage, MIDNIGHT - timedelta(days=1)), Scene(stage, MIDNIGHT + timedelta(days=1))
    # The move brings nothing new: the next place is at the same unit, with the same groups.
    await slow.take_in([enrolment(STUDENT, ends_on=MOVES_ON), enrolment(STUDENT, MOVES_ON + timedelta(days=1))])
    slow.now = MIDNIGHT + timedelta(days=1)
    store = slow.rescoring._store
    listing = store.list_students

    async def late(records: Any, today: int) -> None:
        store.list_students = listing  # type: ignore[method-assign]
        if records:
            await fast.take_in([enrolment(STUDENT, MOVES_ON + timedelta(days=1), ends_on=LEAVES_ON, revision=2)])
        else:
            store.list_students = late  # type: ignore[method-assign]
        await listing(records, today)

    store.list_students = late  # type: ignore[method-assign]
    assert await slow.rescoring.move(10) == 1
    assert await slow.moves_on() == LEAVES_ON.toordinal() + 1


async def test_a_place_that_begins_next_autumn_is_not_todays(stage: Stage) -> None:
    scene = Scene(stage, MIDNIGHT)
    await scene.take_in([enrolment(STUDENT), enrolment(STUDENT, date(2027, 8, 16), unit=NEXT_UNIT)])
    assert scene.said()[-1]["school_unit"] == UNIT
    assert await scene.moves_on() == date(2027, 8, 16).toordinal()


async def test_a_place_that_is_over_is_over_whatever_its_status_says(stage: Stage) -> None:
    scene = Scene(stage, MIDNIGHT)
    paused = enrolment(STUDENT, DAYS[1], unit="gy-cypress", status=EnrolmentStatus.PAUSED)
    await scene.take_in([enrolment(STUDENT, ends_on=DAYS[3]), paused])
    assert scene.said()[-1]["school_unit"] == "gy-cypress"
