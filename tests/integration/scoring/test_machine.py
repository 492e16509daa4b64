"""Scoring whatever happens: random lives of the real store and the real rescoring, and the mistakes that they must find."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast
from unittest import mock

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from services.scoring import bounds
from services.scoring.facts import LessonFact
from services.scoring.records import KeptFact, StudentRecord
from services.scoring.rescoring import Clock, Incoming, Rescoring
from services.scoring.store import ScoringStore, Write
from services.scoring.student import NOTHING, Needs
from shared import mongo, waiting
from shared.messaging.broker import Publish
from shared.messaging.topology import SCORED_KEY
from tests.builders import MONDAY, attendance, pseudonym
from tests.integration.scoring.draws import STUDENTS
from tests.integration.scoring.machine import BEGINNING, ScoringMachine, World
from tests.integration.scoring.replica import Build, Message, TickingClock, correct
from tests.integration.scoring.stage import CrashError, Publisher, batch, expected, last_scores

pytestmark = pytest.mark.integration

EXAMPLES = int(os.environ.get("KVAR_TEST_MACHINE_EXAMPLES", "30"))
"""How many lives the suite tries; thousands for a long run."""
BUDGET = 150
"""Lives within which a mistake must be found; always the same ones."""
STEPS = 8


@pytest.fixture(scope="module")
def world(mongo_url: str) -> Iterator[World]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def connect() -> mongo.Database:
            return mongo.connect(mongo_url, "machine", service="test")

        client = runner.run(connect()).client
        yield World(runner, client)
        client.close()


@pytest.fixture(autouse=True)
def short_outages(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An outage in a machine is over when the next step is taken, and nothing worth a line in the log."""
    caplog.set_level(logging.ERROR, "shared.waiting")
    monkeypatch.setattr(waiting, "FIRST_PAUSE_SECONDS", 0.0)


@pytest.mark.timeout(3600)
def test_whatever_happens_all_is_said_once_and_right(world: World) -> None:
    live(lambda: ScoringMachine(world), EXAMPLES)


@pytest.mark.timeout(3600)
def test_whatever_happens_to_a_student_at_the_brink_all_is_said_once_and_right(world: World) -> None:
    live(lambda: ScoringMachine(world, is_crowded=True), EXAMPLES // 3)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("only", [None, (0, 6)], ids=["everywhere", "on one new day"])
def test_whatever_happens_what_is_beyond_a_bound_is_unusable_and_all_else_said_once_and_right(
    world: World, only: tuple[int, int] | None
) -> None:
    with mock.patch.multiple(bounds, MOST_LESSONS=1, MOST_MARKS_OF_COURSE=1, MOST_MARKS=3):
        live(lambda: ScoringMachine(world, only=only, are_bounds_small=True), EXAMPLES // 3)


def live(machine: Callable[[], ScoringMachine], lives: int) -> None:
    run_state_machine_as_test(
        cast("type[ScoringMachine]", machine),
        settings=settings(
            max_examples=lives,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


class Mistaken:
    """A store that passes all on but what a mistake changes."""

    def __init__(self, store: ScoringStore) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class FactsFirst(Mistaken):
    """Reads the facts before the record whose `rev` guards them."""

    async def read_students(self, authorities: Mapping[str, str]) -> dict[str, StudentRecord]:
        self.early = list[KeptFact]()
        await self.store.read_facts(dict.fromkeys(authorities, Needs(everything=True)), self.early.append)
        return await self.store.read_students(authorities)

    async def read_facts(self, needs: Mapping[str, Needs], take: Callable[[KeptFact], None]) -> None:
        for kept in self.early:
            each = needs.get(kept.student, NOTHING)
            if each.everything or (isinstance(kept.fact, LessonFact) and kept.fact.day in each.days):
                take(kept)


class LastOneWins(Mistaken):
    """Writes without asking whether the record still is as it was read."""

    async def write_students(self, writes: Sequence[Write]) -> frozenset[str]:
        current = await self.store.read_students({write.record.id: write.record.authority for write in writes})
        for write in writes:
            write.record.rev = current[write.record.id].rev
        return await self.store.write_students(writes)


class OvertakenUnnoticed(Mistaken):
    """Does not look at who was overtaken."""

    async def write_students(self, writes: Sequence[Write]) -> frozenset[str]:
        await self.store.write_students(writes)
        return frozenset()


class NothingNewError(Exception):
    """All of a batch was known."""


class NothingToWrite(Mistaken):
    """Takes a batch of repetitions for done, though whoever had it before may have died before publishing."""

    async def write_students(self, writes: Sequence[Write]) -> frozenset[str]:
        if not writes:
            raise NothingNewError
        return await self.store.write_students(writes)


def with_store(mistaken: type[Mistaken]) -> Build:
    return lambda store, publish, clock: correct(cast("ScoringStore", mistaken(store)), publish, clock)


class EarlyReturn:
    """The other half of `NothingToWrite`."""

    def __init__(self, store: ScoringStore, publish: Publish, clock: Clock) -> None:
        self._rescoring = with_store(NothingToWrite)(store, publish, clock)
        self.sweep = self._rescoring.sweep

    async def process(self, batch: Sequence[Incoming]) -> Sequence[Any]:
        try:
            return await self._rescoring.process(batch)
        except NothingNewError:
            return [None] * len(batch)


def acknowledged_first(store: ScoringStore, publish: Publish, clock: Clock) -> Rescoring:
    """Does not wait for the broker's confirm: batches are done, and acknowledged, before anything is published."""
    under_way: set[asyncio.Task[None]] = set()

    async def send(body: bytes, *, routing_key: str, message_id: str) -> None:
        task = asyncio.create_task(publish(body, routing_key=routing_key, message_id=message_id))
        under_way.add(task)

    return correct(store, send, clock)


MISTAKES: dict[str, tuple[Build, int]] = {
    "all repetition, so nothing published": (cast("Build", EarlyReturn), 4),
    "no compare-and-set": (with_store(LastOneWins), 2),
    "overtaken, unnoticed": (with_store(OvertakenUnnoticed), 1),
    "acknowledged before publishing": (acknowledged_first, 1),
}
"""With a seed that finds it within 40 lives; others need up to a hundred or two."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("mistake", "start"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_algorithm_is_found(world: World, mistake: Build, start: int) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            cast("type[ScoringMachine]", seed(start)(lambda: ScoringMachine(world, mistake, only=(0, 0)))),
            settings=settings(
                max_examples=BUDGET,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                verbosity=Verbosity.quiet,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize("build", [correct, with_store(FactsFirst)], ids=["record first", "facts first"])
def test_facts_read_before_the_record_lose_what_another_replica_writes_meanwhile(world: World, build: Build) -> None:
    """The order of steps that shows it, on a day no longer at hand: reading stands still while another does a whole batch."""
    machine = ScoringMachine(world, build)
    machine.begin(history=7, absent_every=0, order=0)
    own, other = (attendance(STUDENTS[0], machine.days[0], lesson=n, minutes=500, unexcused=130) for n in "23")
    machine.published += [own, other]
    reading, overtaking, _ = machine.replicas

    async def interleaved() -> None:
        await reading.take([Message(own)])
        for _ in range(2):
            await reading.step(0)
        await overtaking.take([Message(other)])
        while overtaking.is_busy:
            await overtaking.step(0)

    machine.do(interleaved())
    if build is correct:
        machine.teardown()
        return
    with pytest.raises(AssertionError, match="the newest score"):
        machine.teardown()


async def test_a_score_that_died_unsaid_is_said_when_its_event_comes_again_beside_news(mongo_url: str) -> None:
    database = mongo.connect(mongo_url, "machine_beside", service="test")
    store, dying, alive = ScoringStore(database), Publisher(0), Publisher()
    lost = attendance(pseudonym("åsa"), MONDAY, lesson="1", minutes=500, unexcused=500)
    with pytest.raises(CrashError):
        await correct(store, dying, TickingClock(BEGINNING)).process(batch([lost]))
    beside = attendance(pseudonym("åsa"), MONDAY, lesson="2")
    await correct(store, alive, TickingClock(BEGINNING)).process(batch([lost, beside]))
    database.client.close()
    assert last_scores(body for key, _, body in alive.published if key == SCORED_KEY) == expected([lost, beside])
