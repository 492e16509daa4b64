"""A process stops taking messages while the database is away; nothing is lost by it."""

from __future__ import annotations

import pytest

from shared.messaging import topology
from tests.integration.shared.small import KEY, QUEUE, Small, build, events, says
from tests.integration.shared.waiting import until

pytestmark = pytest.mark.integration

EVENTS = events(60)


async def detached_with_all_ready(small: Small, messages: int) -> None:
    async def seen() -> bool:
        return await small.waiting_and_consumers() == (messages, 0)

    await until(seen, f"{messages} messages ready and no consumer")


async def test_messages_are_not_held_while_the_database_is_away(small: Small) -> None:
    handled: list[str] = []
    async with small.running(build(small.settings, handled=handled)) as http:
        await small.to_database.down()
        await small.publish(EVENTS)
        await until(lambda: says(http, 503, "waiting for an outage to end"), "the service to say what it waits for")
        await detached_with_all_ready(small, len(EVENTS))
        assert 'kvar_intake_stopped{service="scoring"} 1.0' in (await http.get("/metrics")).text
        assert (await http.get("/health/live")).status_code == 200
        assert handled == []
        await small.to_database.up()
        await until(small.holds(EVENTS), "all events to be kept")
        await until(lambda: says(http, 200, "ready"), "the service to be ready again")
        await until(small.drained(), "an empty queue")
        assert 'kvar_intake_stopped{service="scoring"} 0.0' in (await http.get("/metrics")).text
    assert {event.id for event in EVENTS} <= set(handled)
    await detached_with_all_ready(small, 0)
    assert await small.parked() == 0


async def test_a_healthy_replica_takes_what_the_cut_off_one_held(small: Small) -> None:
    handled: list[str] = []
    async with small.running(build(small.settings)) as http:
        await small.to_database.down()
        await small.publish(EVENTS)
        await until(lambda: says(http, 503, "waiting for an outage to end"), "one replica to be cut off")
        beside = small.settings.model_copy(update={"mongo_url": small.mongo_url})
        async with small.running(build(beside, handled=handled)):
            await until(small.holds(EVENTS), "the other replica to keep all events")
        assert {event.id for event in EVENTS} <= set(handled)


async def test_an_outage_that_comes_and_goes_parks_nothing(small: Small) -> None:
    async with small.running(build(small.settings.model_copy(update={"outage_patience_seconds": 0.1}))) as http:
        await small.to_database.down()
        await small.publish(EVENTS)
        for _ in range(topology.DELIVERY_LIMIT + 2):
            await detached_with_all_ready(small, len(EVENTS))
            # Up only as long as the probe needs: what is delivered then meets the next outage.
            await small.to_database.up()
            await until(lambda: takes_again(small), "the consumer to be back")
            await small.to_database.down()
            if await small.kept():
                break
            await until(lambda: says(http, 503, "waiting for an outage"), "the next outage to be seen")
        await small.to_database.up()
        await until(small.holds(EVENTS), "all events to be kept")
    assert await small.parked() == 0


async def takes_again(small: Small) -> bool:
    return (await small.waiting_and_consumers())[1] == 1


async def test_what_goes_back_has_not_been_delivered_as_far_as_the_broker_counts(small: Small) -> None:
    async with small.running(build(small.settings)) as http:
        await small.to_database.down()
        await small.publish(EVENTS[:10])
        await until(lambda: says(http, 503, "waiting for an outage to end"), "the service to be cut off")
        await detached_with_all_ready(small, 10)
    async with small.channel() as channel:
        queue = await channel.get_queue(QUEUE)
        found = [await queue.get(no_ack=True) for _ in range(10)]
    assert {message.message_id for message in found} == {event.id for event in EVENTS[:10]}
    assert {message.headers.get("x-delivery-count", 0) for message in found} == {0}
    assert {message.routing_key for message in found} == {KEY}


async def test_a_service_that_is_cut_off_from_its_database_can_be_stopped(small: Small) -> None:
    async with small.running(build(small.settings)) as http:
        await small.to_database.down()
        await small.publish(EVENTS)
        await until(lambda: says(http, 503, "waiting for an outage to end"), "the service to be cut off")
    await detached_with_all_ready(small, len(EVENTS))


@pytest.mark.parametrize("broker_first", [True, False], ids=["broker first", "database first"])
async def test_database_and_broker_are_away_at_once(small: Small, broker_first: bool) -> None:
    async with small.running(build(small.settings)) as http:
        for proxy in (small.to_broker, small.to_database) if broker_first else (small.to_database, small.to_broker):
            await proxy.down()
        await small.publish(EVENTS)
        await until(lambda: says(http, 503, "waiting for an outage to end"), "the service to say what it waits for")
        for proxy in (small.to_broker, small.to_database) if broker_first else (small.to_database, small.to_broker):
            await proxy.up()
        await until(small.holds(EVENTS), "all events to be kept")
        await until(lambda: says(http, 200, "ready"), "the service to be ready again")
        await until(lambda: takes_again(small), "one consumer")
        await until(small.drained(), "nothing to wait or to be held")
    assert await small.parked() == 0
