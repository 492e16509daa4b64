"""Scoring on a real broker and database: nothing lost, nothing counted twice, whoever dies when. The fold itself: tests/unit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta

import orjson
import pytest

from shared.clock import utc_now
from shared.events import AnyEvent
from shared.messaging import topology
from tests.builders import MONDAY, attendance, enrolment, grade, pseudonym, school_days
from tests.integration.scoring.stage import CrashError, Publisher, Stage, batch, expected, last_scores, until

pytestmark = pytest.mark.integration

STUDENTS = [pseudonym(name) for name in ("åsa", "örjan", "ali", "märta")]


def term(days: int = 14) -> list[AnyEvent]:
    """Four students, from always there to hardly ever, with corrections and failed courses."""
    events: list[AnyEvent] = [enrolment(student) for student in STUDENTS]
    for number, day in enumerate(school_days(MONDAY, days)):
        for rank, student in enumerate(STUDENTS):
            absent = 60 if rank and number % (5 - rank) == 0 else 0
            events.append(attendance(student, day, unexcused=absent))
            if absent and number % 2:
                events.append(attendance(student, day, excused=absent, revision=2))
    events += [grade(STUDENTS[3], school_days(MONDAY, days)[-1], course=f"K{n}") for n in range(4)]
    return events


async def settled(stage: Stage, events: Sequence[AnyEvent]) -> list[dict[str, object]]:
    """Waits until every student's last published score is as expected; returns all published scores."""
    wanted, found = expected(events), list[dict[str, object]]()

    async def done() -> bool:
        found.extend(orjson.loads(message.body) for message in await stage.take("reporting.risk"))
        return last_scores(found) == wanted

    await until(done, "scores as brute force says")
    return found


async def test_disorder_repetition_and_three_replicas_end_as_brute_force_says(stage: Stage) -> None:
    events = term()
    sent = [*events, *random.Random(1).sample(events, 40)]
    random.Random(2).shuffle(sent)
    async with stage.running(), stage.running(), stage.running():
        await stage.publish(sent)
        await settled(stage, events)
    changes = [orjson.loads(message.body) for message in await stage.take("notify.risk")]
    for student in STUDENTS:
        told = {change["id"]: change for change in changes if change["subject"] == student}
        assert sorted(change["data"]["n"] for change in told.values()) == list(range(1, len(told) + 1))
        levels = [
            "universal",
            *(change["data"]["to"] for change in sorted(told.values(), key=lambda c: c["data"]["n"])),
        ]
        assert [change["data"]["from"] for change in sorted(told.values(), key=lambda c: c["data"]["n"])] == levels[:-1]
        assert levels[-1] == expected(events)[student].level
    assert await stage.take("scoring.parking") == []
    assert await stage.facts_in_store() == len(events)


async def test_stopping_in_the_middle_loses_nothing(stage: Stage) -> None:
    events = term()
    await stage.publish(events)
    async with stage.running():

        async def begun() -> bool:
            return await stage.facts_in_store() > 0

        await until(begun, "the first facts")
    async with stage.running():
        await settled(stage, events)


@pytest.mark.parametrize(
    "dies_at", [0, 1, 2], ids=["before any message", "between messages", "before clearing the outbox"]
)
async def test_a_crash_after_writing_is_made_good_by_redelivery(stage: Stage, dies_at: int) -> None:
    student = STUDENTS[0]
    events = [attendance(student, day, unexcused=60) for day in school_days(MONDAY, 12)]
    dying, alive = Publisher(dies_at), Publisher()
    rescoring = stage.rescoring(dying)
    if dies_at == 2:
        rescoring._store.clear_outbox = _die  # type: ignore[assignment,method-assign]
    with pytest.raises(CrashError):
        await rescoring.process(batch(events))
    await stage.rescoring(alive).process(batch(events))
    assert alive.level_changes() == [f"{student}:1"]
    assert last_scores(body for key, _, body in alive.published if key == topology.SCORED_KEY) == expected(events)
    later = Publisher()
    await stage.rescoring(later).process(batch(events))
    assert later.level_changes() == []


async def _die(*_: object) -> None:
    raise CrashError


async def test_a_crash_between_facts_and_state_is_made_good_by_redelivery(stage: Stage) -> None:
    events = [attendance(STUDENTS[0], day, unexcused=60) for day in school_days(MONDAY, 12)]
    rescoring = stage.rescoring(Publisher())
    rescoring._store.write_students = _die  # type: ignore[assignment,method-assign]
    with pytest.raises(CrashError):
        await rescoring.process(batch(events))
    alive = Publisher()
    await stage.rescoring(alive).process(batch(events))
    assert last_scores(body for key, _, body in alive.published if key == topology.SCORED_KEY) == expected(events)


async def test_the_sweeper_publishes_what_nobody_redelivers(stage: Stage) -> None:
    student = STUDENTS[0]
    with pytest.raises(CrashError):
        await stage.rescoring(Publisher(0)).process(batch([grade(student, MONDAY, course=f"K{n}") for n in range(5)]))
    swept = Publisher()
    rescoring = stage.rescoring(swept)
    assert await rescoring.sweep(timedelta(minutes=1), 10) == 0
    rescoring._clock = lambda: utc_now() + timedelta(minutes=2)
    assert await rescoring.sweep(timedelta(minutes=1), 10) == 0, "24 points are not a level"
    with pytest.raises(CrashError):
        await stage.rescoring(Publisher(0)).process(
            batch([attendance(student, day, unexcused=60) for day in school_days(MONDAY, 9)])
        )
    assert await rescoring.sweep(timedelta(minutes=1), 10) == 1
    assert swept.level_changes() == [f"{student}:1"]
    assert await rescoring.sweep(timedelta(minutes=1), 10) == 0


async def test_a_correction_from_the_beginning_of_a_long_year_is_folded_from_the_stored_facts(stage: Stage) -> None:
    student = STUDENTS[0]
    days = school_days(MONDAY, 70)
    events: list[AnyEvent] = [attendance(student, day, unexcused=60 if n % 3 else 0) for n, day in enumerate(days)]
    corrections: list[AnyEvent] = [attendance(student, days[n], revision=2) for n in (2, 5, 66)]
    publisher = Publisher()
    rescoring = stage.rescoring(publisher)
    for event in [*events, *corrections]:
        await rescoring.process(batch([event]))
    scores = [body for key, _, body in publisher.published if key == topology.SCORED_KEY]
    assert last_scores(scores) == expected([*events, *corrections])


async def test_poison_is_parked_with_its_error_and_harms_nothing_beside_it(stage: Stage) -> None:
    events = [attendance(STUDENTS[0], day) for day in school_days(MONDAY, 3)]
    unstamped = events[0].model_copy(update={"recordedtime": None})
    async with stage.running():
        await stage.publish_raw(b"no json", "s00.attendance.recorded")
        await stage.publish_raw(unstamped.encode(), "s01.attendance.recorded")
        await stage.publish(events)
        await settled(stage, events)
        parked = []

        async def both_parked() -> bool:
            parked.extend(await stage.take("scoring.parking"))
            return len(parked) == 2

        await until(both_parked, "two parked messages")
    errors = sorted(str(message.headers["x-kvar-error"]) for message in parked)
    assert "not JSON" in errors[0] or "not JSON" in errors[1]
    assert any("$.recordedtime" in error for error in errors)
    assert all("Traceback" in str(message.headers["x-kvar-traceback"]) for message in parked)
    assert {message.body for message in parked} == {b"no json", unstamped.encode()}


def scores_said(publisher: Publisher) -> int:
    return sum(key == topology.SCORED_KEY for key, _, _ in publisher.published)


async def test_what_changes_nothing_to_say_is_not_said_again(stage: Stage) -> None:
    publisher = Publisher()
    rescoring = stage.rescoring(publisher)
    for lesson in range(5):
        await rescoring.process(batch([attendance(STUDENTS[0], MONDAY, lesson=str(lesson))]))
    assert scores_said(publisher) == 1
    await rescoring.process(batch([attendance(STUDENTS[0], MONDAY, lesson="5", unexcused=60)]))
    assert scores_said(publisher) == 1, "an hour is no point yet"
    await rescoring.process(batch([attendance(STUDENTS[0], MONDAY, lesson="6", minutes=80, unexcused=80)]))
    assert scores_said(publisher) == 2


@pytest.mark.parametrize(
    "position", [0, 30, 68, 69], ids=["before the base", "in the window", "open day", "newest day"]
)
async def test_a_score_that_died_unsaid_is_said_at_redelivery_however_old_its_day(stage: Stage, position: int) -> None:
    student, days = STUDENTS[0], school_days(MONDAY, 70)
    await stage.rescoring(Publisher()).process(batch([attendance(student, day) for day in days]))
    correction = batch([attendance(student, days[position], minutes=500, unexcused=500, revision=2)])
    with pytest.raises(CrashError):
        await stage.rescoring(Publisher(0)).process(correction)
    alive = Publisher()
    await stage.rescoring(alive).process(correction)
    assert scores_said(alive) == 1
