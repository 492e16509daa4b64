"""KVAR_SHARDS changes while events flow: nothing is lost, whichever of publishers and scoring is changed first."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import aio_pika
import pytest

from deploy.local.queues import QueueCounts, pending
from shared.events import AnyEvent
from shared.messaging import topology
from tests.builders import MONDAY, attendance, enrolment, grade, pseudonym, school_days
from tests.conftest import BrokerServer
from tests.integration.scoring.stage import Stage, expected, until
from tests.integration.scoring.test_scoring import settled

pytestmark = pytest.mark.integration

FEW, MANY = 8, 16
STUDENTS = [pseudonym(f"elev {n}") for n in range(12)]
READERS = {"notify.events", "notify.risk", "reporting.events", "reporting.risk"}
"""Queues of services that do not run here."""


@pytest.fixture
def stages(new_vhost: Callable[[], str], mongo_url: str) -> Iterator[dict[int, Stage]]:
    """The same broker and database with few shards and with many."""
    first = Stage.of(new_vhost(), mongo_url)
    made = {shards: Stage(first.settings.model_copy(update={"shards": shards})) for shards in (FEW, MANY)}
    yield made
    for stage in made.values():
        stage.close()


def thirds() -> tuple[list[AnyEvent], list[AnyEvent], list[AnyEvent]]:
    """Events about students of all shards, in a disorder that spreads everybody's over the whole time."""
    events: list[AnyEvent] = [enrolment(student) for student in STUDENTS]
    for number, day in enumerate(school_days(MONDAY, 16)):
        for rank, student in enumerate(STUDENTS):
            absent = 60 if rank and number % (1 + rank % 5) == 0 else 0
            events.append(attendance(student, day, unexcused=absent))
            events += [attendance(student, day, excused=absent, revision=2)] if absent and number % 3 == 0 else []
    events += [grade(STUDENTS[-1], school_days(MONDAY, 16)[-1], course=f"K{n}") for n in range(4)]
    random.Random(3).shuffle(events)
    return events[0::3], events[1::3], events[2::3]


async def publish(stage: Stage, events: list[AnyEvent]) -> None:
    """As ingest with this number of shards does it: declares the whole, then confirmed and mandatory."""
    connection = await aio_pika.connect(stage.settings.amqp_url)
    async with connection, connection.channel(on_return_raises=True) as channel:
        await topology.declare(channel, stage.settings.shards)
        exchange = await channel.get_exchange(topology.EVENTS)
        for event in events:
            message = aio_pika.Message(event.encode(), message_id=event.id, delivery_mode=2)
            key = topology.routing_key(event.type, event.subject, stage.settings.shards)
            await exchange.publish(message, key, mandatory=True)


async def check_the_end(stage: Stage, broker: BrokerServer, events: list[AnyEvent]) -> None:
    """Scores as brute force says, every fact once, and nothing left in any queue of scoring."""
    await settled(stage, events)
    counts = QueueCounts(broker.metrics_url, urlsplit(stage.settings.amqp_url).path.strip("/"))

    async def drained() -> bool:
        return not pending(await counts.read()).keys() - READERS

    async def stored() -> bool:
        return await stage.facts_in_store() == len({event.id for event in events})

    # Not from the counts alone, which may be older than the messages.
    await until(stored, "every fact to be stored")
    await until(drained, "all queues of scoring to be empty")
    await counts.close()
    assert len(expected(events)) == len(STUDENTS)
    assert await stage.facts_in_store() == len({event.id for event in events})
    assert not await stage.take(topology.parking_queue("scoring"))


async def test_more_shards_during_traffic_lose_nothing(stages: dict[int, Stage], broker_server: BrokerServer) -> None:
    few, many = stages[FEW], stages[MANY]
    first, second, third = thirds()
    async with AsyncExitStack() as new:
        async with few.running():
            await publish(few, first)
            await new.enter_async_context(many.running())
            await new.enter_async_context(many.running())
            await publish(few, second[0::2])  # publishers are changed one by one too
            await publish(many, second[1::2])
        await publish(many, third)
        await check_the_end(many, broker_server, [*first, *second, *third])


async def test_fewer_shards_during_traffic_lose_nothing(stages: dict[int, Stage], broker_server: BrokerServer) -> None:
    """What lies in the queues that are too many, and what publishers still put there, is worked off all the same."""
    few, many = stages[FEW], stages[MANY]
    first, second, third = thirds()
    async with AsyncExitStack() as new:
        async with many.running():
            await publish(many, first[0::2])
            await new.enter_async_context(few.running())
        await publish(many, first[1::2])
        await publish(many, second[0::2])
        await publish(few, second[1::2])
        await publish(few, third)
        await check_the_end(few, broker_server, [*first, *second, *third])


async def test_what_waits_in_queues_of_more_shards_is_found_at_the_start(
    stages: dict[int, Stage], broker_server: BrokerServer
) -> None:
    few, many = stages[FEW], stages[MANY]
    first, second, third = thirds()
    events = [*first, *second, *third]
    await publish(many, events)
    async with few.running():
        await check_the_end(few, broker_server, events)
