"""The broker goes away in every way it can; consumers and publishing come back, and nothing is acknowledged that was not done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import aiormq
import pytest

from deploy.local import broker, processes
from deploy.local.ports import free_ports
from shared.errors import Outage
from shared.events import AnyEvent
from shared.messaging import topology
from shared.messaging.broker import attached, confirmed_publish
from tests.integration.shared.small import KEY, QUEUE, Small, build, events, says
from tests.integration.shared.waiting import until

if TYPE_CHECKING:
    from faststream.rabbit import RabbitBroker

pytestmark = pytest.mark.integration

EVENTS = events(60)
HOLD_BACK_FOR_EVER = 1e6


@asynccontextmanager
async def interrupted(small: Small) -> AsyncIterator[RabbitBroker]:
    """A service that has worked; after the interruption it must work again, by itself, on what comes and on what it held."""
    app = build(small.settings)
    before, during, after = EVENTS[:20], EVENTS[20:40], EVENTS[40:]
    async with small.running(app) as http:
        running: RabbitBroker = app.state.running.broker
        await small.publish(before)
        await until(small.holds(before), "the service to work")
        publishing = asyncio.create_task(_publish_through(small, during))
        try:
            yield running
            await publishing
        finally:
            publishing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await publishing
        await until(lambda: says(http, 200, "ready"), "the service to be ready again")
        assert await attached(running) == []
        await until(lambda: has_one_consumer(small), "exactly one consumer, as the broker says")
        # Through the service's own connection.
        publish = confirmed_publish(running, topology.EVENTS)
        for event in after:
            await publish(event.encode(), routing_key=KEY, message_id=event.id)
        await until(small.holds(EVENTS), "all events to be kept")
        await until(small.drained(), "nothing to wait or to be held")
        assert await small.parked() == 0


async def _publish_through(small: Small, some: Sequence[AnyEvent]) -> None:
    """Publishes one after the other, each until the broker has it."""
    for event in some:
        while True:
            try:
                await small.publish([event])
                break
            except (aiormq.AMQPError, OSError, RuntimeError):
                await asyncio.sleep(0.1)


async def has_one_consumer(small: Small) -> bool:
    return (await small.waiting_and_consumers())[1] == 1


async def loses_its_consumer(running: RabbitBroker) -> bool:
    return await attached(running) == [QUEUE]


async def test_a_connection_that_is_cut(small: Small) -> None:
    async with interrupted(small):
        for _ in range(3):
            await until(lambda: cuts(small), "a connection to cut")


async def cuts(small: Small) -> bool:
    return await small.to_broker.cut() > 0


async def test_a_broker_that_cannot_be_reached_for_a_while(small: Small) -> None:
    async with interrupted(small) as running:
        await small.to_broker.down()
        await until(lambda: loses_its_consumer(running), "attached() to tell it")
        publish = confirmed_publish(running, topology.EVENTS)
        with pytest.raises(Outage):
            await publish(EVENTS[0].encode(), routing_key=KEY, message_id=EVENTS[0].id)
        await small.to_broker.up()


async def test_a_connection_that_has_gone_silent(small: Small) -> None:
    """Nothing arrives, nothing is closed: only the heartbeat can tell. Given up after three beats and a little."""
    quick = small.settings.model_copy(update={"amqp_url": small.settings.amqp_url + "?heartbeat=1"})
    async with interrupted(replace(small, settings=quick)) as running:
        small.to_broker.delay_seconds = HOLD_BACK_FOR_EVER
        await until(lambda: loses_its_consumer(running), "the heartbeat to give the connection up")
        small.to_broker.delay_seconds = 0.0


async def test_a_channel_that_the_broker_closes(small: Small) -> None:
    async with interrupted(small) as running:
        [subscriber] = running.subscribers
        queue = subscriber._queue_obj  # type: ignore[attr-defined]
        channel = await queue.channel.get_underlay_channel()
        await channel.basic_ack(999_999)  # unknown to the broker, which closes the channel

        async def is_closed() -> bool:
            return bool(channel.is_closed)

        await until(is_closed, "the broker to close the channel")


async def test_a_queue_that_is_deleted_and_made_again(small: Small) -> None:
    async with small.channel() as channel, interrupted(small) as running:
        await until(small.holds(EVENTS[:40]), "what was published before, since it goes with the queue")
        await channel.queue_delete(QUEUE)
        await until(lambda: loses_its_consumer(running), "attached() to tell it")
        await topology.declare(channel, 1)


class Node:
    """A broker of this test's own, to be stopped and killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = broker.BrokerPorts(*free_ports(5))
        self.mapper, self.server = broker.broker_programs(folder / "broker", self.ports)
        self.children: dict[str, processes.Child] = {}

    def start(self) -> None:
        for program in (self.mapper, self.server):
            if program.name not in self.children:
                child = self.children[program.name] = processes.start(program, self.folder)
                child.wait_ready()

    def stop(self, *, at_once: bool) -> None:
        self.children.pop("rabbitmq").stop(at_once=at_once)

    def close(self) -> None:
        for child in reversed(self.children.values()):
            child.stop(at_once=True)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    made = Node(tmp_path_factory.mktemp("node"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("at_once", [False, True], ids=["stopped", "killed"])
async def test_a_broker_that_is_restarted(node: Node, mongo_url: str, at_once: bool) -> None:
    small = Small.of(f"{broker.amqp_url(node.ports)}", mongo_url, broker.metrics_url(node.ports))
    await small.up()
    try:
        async with interrupted(small) as running:
            await asyncio.to_thread(node.stop, at_once=at_once)
            await until(lambda: loses_its_consumer(running), "attached() to tell it")
            await asyncio.to_thread(node.start)
    finally:
        await small.close()
