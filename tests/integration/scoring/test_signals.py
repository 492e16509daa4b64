"""Signals of groups and stale students on a real broker and database. What is a signal: tests/unit/scoring/test_signals.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.scoring.climate_handler import handler as climate_handler
from services.scoring.records import Basis
from services.scoring.rescoring import Rescoring, utc_now
from services.scoring.rule_store import RuleBook, RuleStore
from services.scoring.rules import GroupSignals, Rules
from services.scoring.signal_messages import Unit
from services.scoring.signal_store import SignalStore
from services.scoring.signalling import HELD_FOR, STRANDED_AFTER, Signalling
from services.scoring.store import ScoringStore
from shared.events import AnyEvent, ClimateReported, ClimateReportedEvent, EnrolmentStatus
from shared.messaging import topology
from tests.builders import AUTHORITY, MONDAY, UNIT, at, attendance, enrolment, pseudonym, school_days
from tests.integration.scoring.stage import CrashError, Publisher, Stage, batch, until

pytestmark = pytest.mark.integration

DAYS = school_days(MONDAY, 60)
CLASS = [pseudonym(f"na{n}") for n in range(12)]
OTHERS = [pseudonym(f"te{n}") for n in range(18)]
EVERY = timedelta(minutes=1)


@pytest.fixture
def stage(new_vhost: Callable[[], str], mongo_url: str) -> Iterator[Stage]:
    made = Stage.of(new_vhost(), mongo_url)
    made.settings = made.settings.model_copy(update={"signal_minutes": 0.001})
    yield made
    made.close()


def enrolments(groups: Iterable[tuple[str, Sequence[str]]] = (("NA25a", CLASS), ("TE25b", OTHERS))) -> list[AnyEvent]:
    return [enrolment(student, groups=(code,)) for code, students in groups for student in students]


def registers(students: Iterable[str], days: Iterable[date], *, absent: int = 0, revision: int = 1) -> list[AnyEvent]:
    """An hour's lesson a day; absence is excused."""
    days = list(days)
    return [attendance(student, day, excused=absent, revision=revision) for student in students for day in days]


def climate(
    subject: str, period: str, mean: float, *, revision: int = 1, state: str = "recorded", answers: int = 12
) -> ClimateReportedEvent:
    return ClimateReportedEvent(
        id=f"{subject}-{period}-{revision}",
        source=f"/authorities/{AUTHORITY}/systems/test",
        subject=subject,
        time=at(MONDAY),
        authority=AUTHORITY,
        recordedtime=at(MONDAY).astimezone(UTC),
        data=ClimateReported.model_validate(
            {
                "period": period,
                "answers": answers,
                "safety": mean,
                "inclusion": mean,
                "relations": mean,
                "revision": revision,
                "state": state,
            }
        ),
    )


class Scene:
    """Scoring without its queues, with a clock that can be set."""

    def __init__(self, stage: Stage, holder: str = "a", publisher: Publisher | None = None) -> None:
        database = stage.database()
        self.database = database
        self.publisher = publisher or Publisher()
        self.store, self.scoring = SignalStore(database), ScoringStore(database)
        self.late = timedelta(0)
        book = RuleBook(RuleStore(database))
        self.rescoring = Rescoring(self.scoring, self.publisher, self.now, book)
        self.signalling = Signalling(
            self.store,
            self.scoring,
            self.rescoring,
            book,
            publish=self.publisher,
            clock=self.now,
            every=EVERY,
            holder=holder,
        )

    def now(self) -> datetime:
        return utc_now() + self.late

    async def take_in(self, events: Sequence[AnyEvent]) -> None:
        for start in range(0, len(events), 500):
            await self.rescoring.process(batch(events[start : start + 500]))

    async def computed(self) -> None:
        """Rounds until nothing waits, each a little later than units wait."""
        for _ in range(4):
            self.late += 2 * EVERY
            if not await self.signalling.round():
                return
        raise AssertionError("four rounds did not settle what there was to look at")

    def signals(self) -> list[tuple[str, str, str, str]]:
        """Subject, id, indicator and state of each message about a group, as published."""
        return [
            (body["subject"], body["id"], body["data"]["indicator"], body["data"]["state"])
            for key, _, body in self.publisher.published
            if key == topology.GROUP_SIGNAL_KEY
        ]

    def newest_scores(self) -> dict[str, dict[str, Any]]:
        newest: dict[str, dict[str, Any]] = {}
        for key, _, body in self.publisher.published:
            if (
                key == topology.SCORED_KEY
                and body["data"]["revision"] >= newest.get(body["subject"], body["data"])["revision"]
            ):
                newest[body["subject"]] = body["data"]
        return newest

    def noted(self) -> set[str]:
        """Students whose newest score bears a reason of a group."""
        return {
            student
            for student, data in self.newest_scores().items()
            if any(reason.get("group") for reason in data["reasons"])
        }


async def prepared(stage: Stage, **options: Any) -> Scene:
    scene = Scene(stage, **options)
    await scene.scoring.prepare()
    await scene.store.prepare()
    return scene


WORSE = ("group:NA25a", "group:NA25a:1", "absence", "worse")
USUAL = ("group:NA25a", "group:NA25a:2", "absence", "usual")


async def few_worse(scene: Scene) -> None:
    """Six of 24 students have been away for two days, after thirty usual ones; nothing is computed yet."""
    few, others = CLASS[:6], OTHERS
    await scene.take_in(enrolments((("NA25a", few), ("TE25b", others))))
    await scene.take_in([*registers([*few, *others], DAYS[:30]), *registers(few, DAYS[30:32], absent=60)])
    await scene.take_in(registers(others, DAYS[30:32]))


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
    assert [orjson.loads(body)["id"] for body in await scene.scoring.said("2480|group:NA25a", scene.now())] == [
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


STEPS = {
    "holding the unit": ("store", "take"),
    "noting its groups": ("store", "write_groups"),
    "writing what is said": ("store", "write"),
    "publishing": ("publisher", "__call__"),
    "keeping what was said": ("scoring", "keep_said"),
    "clearing the outbox": ("store", "clear_outbox"),
    "noting in the students' records": ("rescoring", "note"),
    "clearing the marks": ("store", "looked"),
    "letting go": ("store", "finish"),
}


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_is_made_good_by_another_replica(stage: Stage, step: str, is_done: bool) -> None:
    dying = await prepared(stage)
    await few_worse(dying)
    dying.publisher.published.clear()
    owner, name = STEPS[step]
    if step == "publishing":
        dying.publisher.dies_at = int(is_done)
    else:
        _die_at(getattr(dying, owner), name, is_done=is_done)
    with pytest.raises(CrashError):
        await dying.signalling.round()
    alive = Scene(stage, "b")
    alive.late = HELD_FOR + STRANDED_AFTER + 2 * EVERY
    await alive.computed()
    await alive.rescoring.sweep(STRANDED_AFTER, 100)
    published = [*dying.publisher.published, *alive.publisher.published]
    assert {(key, message_id) for key, message_id, _ in published if key == topology.GROUP_SIGNAL_KEY} == {
        (topology.GROUP_SIGNAL_KEY, "2480|gy-aspen|group:NA25a:1")
    }
    alive.publisher.published = published
    assert alive.noted() == set(CLASS[:6])
    assert await alive.store.to_look_at() == set()
    assert await alive.store.stranded(alive.now(), timedelta(0)) == []
    assert len(await alive.scoring.said("2480|group:NA25a", alive.now())) == 1
    later = Scene(stage, "c")
    later.late = alive.late + 2 * EVERY
    assert await later.signalling.round() == 0


def _die_at(owner: Any, name: str, *, is_done: bool) -> None:
    step = getattr(owner, name)

    async def dying(*arguments: Any, **options: Any) -> None:
        if is_done:
            await step(*arguments, **options)
        raise CrashError

    setattr(owner, name, dying)


async def test_two_replicas_at_once_say_everything_once(stage: Stage) -> None:
    first = await prepared(stage)
    second = Scene(stage, "b", first.publisher)
    await few_worse(first)
    assert sum(await asyncio.gather(first.signalling.round(), second.signalling.round())) >= 1
    await first.computed()
    assert first.signals() == [WORSE]
    assert first.noted() == set(CLASS[:6])


async def test_two_that_hold_the_same_unit_say_the_same(stage: Stage) -> None:
    """A replica that was cut off for longer than it holds a unit goes on where it was."""
    slow = await prepared(stage)
    fast = Scene(stage, "b", slow.publisher)
    fast.late = HELD_FOR + timedelta(seconds=1)
    await few_worse(slow)
    reports = slow.store.reports

    async def overtaken(authority: str, subjects: Sequence[str]) -> Any:
        assert await fast.signalling.round() == 1
        return await reports(authority, subjects)

    slow.store.reports = overtaken  # type: ignore[method-assign]
    assert await slow.signalling.round() == 0
    assert slow.signals() == [WORSE]
    assert slow.noted() == set(CLASS[:6])


async def test_facts_that_come_while_a_unit_is_computed_have_it_computed_again(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    reports = scene.store.reports

    async def meanwhile(authority: str, subjects: Sequence[str]) -> Any:
        scene.store.reports = reports  # type: ignore[method-assign]
        await scene.take_in(registers(CLASS[:6], DAYS[30:32], revision=2))
        return await reports(authority, subjects)

    scene.store.reports = meanwhile  # type: ignore[method-assign]
    await scene.computed()
    assert scene.signals() == [WORSE, USUAL]
    assert scene.noted() == set()


async def test_climate_comes_in_is_corrected_and_retracted(stage: Stage) -> None:
    scene = await prepared(stage)
    take_in = climate_handler(scene.store)
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


async def test_a_report_whose_signal_died_unnoted_is_asked_for_until_it_is_noted(stage: Stage) -> None:
    """No student bears a mark then: the unit's own counter alone has it computed again."""
    scene = await prepared(stage)
    await scene.take_in(enrolments((("NA25a", CLASS[:6]), ("TE25b", OTHERS[:6]))))
    await scene.take_in(registers([*CLASS[:6], *OTHERS[:6]], DAYS[:8]))
    await scene.computed()
    weeks = [f"{day.year}-W{day.isocalendar().week:02d}" for day in (DAYS[0], DAYS[5])]
    take_in = climate_handler(scene.store)
    for subject, week, mean in (("group:NA25a", 0, 4.0), ("group:NA25a", 1, 3.0), ("group:TE25b", 1, 4.0)):
        await take_in(climate(subject, weeks[week], mean))
    _die_at(scene.rescoring, "note", is_done=False)
    scene.late += 2 * EVERY
    with pytest.raises(CrashError):
        await scene.signalling.round()
    assert await scene.store.to_look_at() == set()
    alive = Scene(stage, "b", scene.publisher)
    alive.late = scene.late + HELD_FOR
    await alive.computed()
    assert alive.signals() == [("group:NA25a", "group:NA25a:1", "climate", "worse")]
    assert alive.noted() == set(CLASS[:6])


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


async def test_a_class_whose_teachers_all_forget_registers_has_no_stale_students(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in([*enrolments(), *registers([*CLASS, *OTHERS], DAYS[:5]), *registers(OTHERS, DAYS[5:30])])
    assert set((await stale(scene)).values()) == {None}


async def test_a_place_that_has_ended_is_never_stale(stage: Stage) -> None:
    scene = await prepared(stage)
    few, gone = CLASS[:6], CLASS[0]
    await scene.take_in([*enrolments([("NA25a", few)]), *registers(few, DAYS[:5]), *registers(few[1:], DAYS[5:20])])
    assert (await stale(scene))[gone] == DAYS[5].isoformat()
    await scene.take_in([enrolment(gone, status=EnrolmentStatus.ENDED, revision=2)])
    assert (await stale(scene))[gone] is None


async def test_a_unit_is_computed_no_oftener_than_set(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in(enrolments())
    assert await scene.signalling.round() == 1
    await scene.take_in(registers(CLASS, DAYS[:1]))
    scene.late = EVERY / 2
    assert await scene.signalling.round() == 0
    assert await scene.store.to_look_at() == {Unit(AUTHORITY, UNIT)}
    scene.late = EVERY * 2
    assert await scene.signalling.round() == 1


async def test_what_another_replica_has_just_computed_is_not_computed_again(stage: Stage) -> None:
    first = await prepared(stage)
    second = Scene(stage, "b")
    await first.take_in(enrolments())
    heads = second.store.heads

    async def meanwhile() -> Any:
        found = await heads()
        assert await first.signalling.round() == 1
        return found

    second.store.heads = meanwhile  # type: ignore[method-assign]
    await first.store.ask(Unit(AUTHORITY, UNIT))
    assert await second.signalling.round() == 0


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


async def test_a_unit_with_a_state_of_another_version_waits_until_it_is_made_anew(stage: Stage) -> None:
    scene = await prepared(stage)
    await few_worse(scene)
    students = scene.database["scoring_students"]
    document = await students.find_one({"_id": CLASS[0]})
    assert document is not None
    known = orjson.loads(document["state"])
    known["basis"][1] -= 1
    older = {"state": orjson.dumps(known).decode(), "basis": Basis(*known["basis"]).text()}
    await students.update_one({"_id": CLASS[0]}, {"$set": older})
    assert await scene.signalling.round() == 0
    assert scene.signals() == []
    assert await scene.rescoring.refresh(100) == 1
    await scene.computed()
    assert scene.signals() == [WORSE]
    assert scene.noted() == set(CLASS[:6])


async def test_students_without_a_place_are_looked_at_once(stage: Stage) -> None:
    scene = await prepared(stage)
    await scene.take_in(registers(CLASS[:3], DAYS[:2]))
    assert await scene.store.to_look_at() == {Unit(AUTHORITY, None)}
    await scene.computed()
    assert await scene.store.to_look_at() == set()
    assert scene.signals() == []
