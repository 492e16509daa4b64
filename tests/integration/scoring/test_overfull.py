"""A student of whom more is told than any school has, on the real database: what is beyond a bound is unusable, and costs little.

The rules by themselves: `tests/unit/scoring/test_bounds.py`.
"""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta
from typing import Any
from unittest import mock

import orjson
import pytest

from services.scoring import bounds
from services.scoring.gathered import MOST_VERSIONS
from services.scoring.records import KeptFact, StudentRecord
from services.scoring.store import ScoringStore
from shared import metrics
from shared.events import AnyEvent, AttendanceState
from shared.events.places import MOST_PLACES
from shared.messaging import topology
from tests import overfull
from tests.builders import AUTHORITY, MONDAY, attendance, enrolment, grade, pseudonym, school_days
from tests.integration.scoring.kvar import Kvar
from tests.integration.scoring.stage import Publisher, Stage, batch, expected, last_scores, until

pytestmark = pytest.mark.integration

STUDENT = pseudonym("åsa")
DAYS = school_days(MONDAY, 60)


def unusable(what: str) -> float:
    """How many have been found so far."""
    return float(metrics.UNUSABLE.labels(AUTHORITY, what)._value.get())


async def record_of(store: ScoringStore) -> StudentRecord:
    return (await store.read_students({STUDENT: AUTHORITY}))[STUDENT]


def scores(publisher: Publisher) -> list[dict[str, Any]]:
    return [body for key, _, body in publisher.published if key == topology.SCORED_KEY]


async def test_45_lessons_of_one_day_change_no_level_and_kvar_explain_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The level stands at targeted; 45 lessons full of absence would raise it."""
    before, last = DAYS[:12], DAYS[12]
    usual: list[AnyEvent] = [attendance(STUDENT, day, unexcused=60) for day in before]
    flood = [attendance(STUDENT, last, lesson=str(n), unexcused=60) for n in range(1, 46)]
    found, store = unusable("day"), ScoringStore(stage.database())
    async with stage.running():
        await stage.publish([*usual, *flood[:20]])
        await stage.publish(flood[20:])

        async def is_known() -> bool:
            return last.toordinal() in (await record_of(store)).state.unusable.days

        await until(is_known, "the day to be unusable")
    record = await record_of(store)
    alone = expected(usual)[STUDENT]
    assert (record.level.value, sum(record.points.values())) == (alone.level, alone.score)
    assert record.state.days[last.toordinal()][1:] == (0, 0, 0, 0, 0)
    assert unusable("day") == found + 1
    # A retraction of all but one does not bring the day back.
    gone = AttendanceState.RETRACTED
    late = [attendance(STUDENT, last, lesson=str(n), state=gone, revision=2) for n in range(2, 46)]
    await stage.rescoring(Publisher()).process(batch(late))
    assert last.toordinal() in (await record_of(store)).state.unusable.days
    kvar = Kvar(stage, monkeypatch)
    text = await kvar("explain", STUDENT)
    assert f"{last}: more than 40 lessons are known, such as {last}-" in " ".join(text.split())
    known = orjson.loads(await kvar("explain", STUDENT, "--json"))
    [beyond] = known["unusable"]
    assert (beyond["day"], beyond["more_than"], known["level"]) == (last.isoformat(), 40, alone.level)


async def test_lessons_of_an_unusable_day_are_not_stored_any_more_and_need_nothing_from_the_store(stage: Stage) -> None:
    rescoring, store = stage.rescoring(Publisher()), ScoringStore(stage.database())
    await store.prepare()
    flood = list(overfull.lessons(STUDENT, DAYS[0], 1_500))
    await rescoring.process(batch([attendance(STUDENT, day) for day in DAYS[1:50]]))
    for start in range(0, len(flood), 300):
        await rescoring.process(batch(flood[start : start + 300]))
    assert (await record_of(store)).state.unusable.days == {DAYS[0].toordinal()}
    assert await stage.facts_in_store() == 49 + bounds.MOST_LESSONS + 1


async def test_marks_beyond_their_bound_count_no_more_and_the_alert_that_they_brought_is_withdrawn(
    stage: Stage,
) -> None:
    publisher = Publisher()
    rescoring, store = stage.rescoring(publisher), ScoringStore(stage.database())
    await store.prepare()
    usual: list[AnyEvent] = [attendance(STUDENT, day) for day in DAYS[:30]]
    failed = [grade(STUDENT, DAYS[29], course=f"K{n}", required=True) for n in range(3)]
    await rescoring.process(batch([*usual, *failed]))
    assert (await record_of(store)).level == "targeted"
    flood = [
        grade(STUDENT, DAYS[0] - timedelta(days=n), course=f"K{course}", value="E")
        for course in range(3)
        for n in range(bounds.MOST_MARKS_OF_COURSE)
    ]
    for start in range(0, len(flood), 150):
        await rescoring.process(batch(flood[start : start + 150]))
    record = await record_of(store)
    assert (record.state.unusable.courses, record.level) == ({"K0", "K1", "K2"}, "universal")
    assert last_scores(scores(publisher)) == expected(overfull.usable([*usual, *failed, *flood]))
    [withdrawn] = [body for key, _, body in publisher.published if key == topology.ALERT_WITHDRAWN_KEY]
    assert {fact["kind"] for fact in withdrawn["data"]["corrected"]} == {"mark"}


async def test_of_many_places_the_latest_count_and_the_rest_is_not_stored(stage: Stage) -> None:
    rescoring, store = stage.rescoring(Publisher()), ScoringStore(stage.database())
    await store.prepare()
    first = date(2024, 1, 1)
    await rescoring.process(batch([attendance(STUDENT, DAYS[0], unit="elsewhere")]))
    many = list(overfull.places(STUDENT, first, 400))
    for start in range(0, len(many), 100):
        await rescoring.process(batch(many[start : start + 100]))
    begun = sorted(starts_on for _, starts_on in (await record_of(store)).state.places)
    last = first.toordinal() + 400
    assert begun == list(range(last - MOST_PLACES, last))
    # A place that changes which lessons count has all facts read, and those deleted that cannot count.
    await rescoring.process(batch([enrolment(STUDENT, DAYS[1], unit="elsewhere")]))
    assert await stage.facts_in_store() <= 2 + 2 * MOST_PLACES


async def test_very_many_versions_of_one_fact_are_not_all_kept(stage: Stage) -> None:
    rescoring, store = stage.rescoring(Publisher()), ScoringStore(stage.database())
    await store.prepare()
    await rescoring.process(batch([attendance(STUDENT, day) for day in DAYS[1:55]]))
    versions = [attendance(STUDENT, DAYS[0], revision=n, unexcused=n % 60) for n in range(4 * MOST_VERSIONS)]
    await rescoring.process(batch(versions))
    assert await stage.facts_in_store() <= 54 + MOST_VERSIONS + 1
    read = list[KeptFact]()
    await store.read_all_facts(STUDENT, read.append)
    assert max(kept.fact.version.revision for kept in read) == 4 * MOST_VERSIONS - 1


@pytest.mark.parametrize("seed", range(4))
async def test_two_replicas_end_as_brute_force_says_whoever_gets_what(stage: Stage, seed: int) -> None:
    chance, publisher = random.Random(seed), Publisher()
    store = ScoringStore(stage.database())
    await store.prepare()
    events: list[AnyEvent] = [attendance(STUDENT, day, unexcused=60 if n % 3 else 0) for n, day in enumerate(DAYS)]
    events += [
        attendance(STUDENT, DAYS[chance.choice([0, 30, 57, 58, 59])], lesson=str(n % 4), revision=n) for n in range(20)
    ]
    events += [
        grade(STUDENT, DAYS[chance.choice([0, 30, 58])], course=f"K{n % 3}", value=chance.choice("FE"), revision=n)
        for n in range(20)
    ]
    replicas = [stage.rescoring(publisher) for _ in range(2)]
    with mock.patch.multiple(bounds, MOST_LESSONS=2, MOST_MARKS_OF_COURSE=2, MOST_MARKS=7):
        left = [*events, *chance.sample(events, 10)]
        chance.shuffle(left)
        while left:
            taken = [left.pop() for _ in range(min(len(left), chance.randint(1, 12)))]
            middle = chance.randint(0, len(taken))
            portions = taken[:middle], taken[middle:]
            await asyncio.gather(*(one.process(batch(each)) for one, each in zip(replicas, portions, strict=True)))
        assert last_scores(scores(publisher)) == expected(overfull.usable(events))
