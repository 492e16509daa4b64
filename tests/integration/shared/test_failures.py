"""What becomes of a message whose handler fails, on the real broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import aio_pika
import pytest

from shared.errors import Outage, Reject, Retry
from shared.messaging import topology
from shared.messaging.broker import attached, build_broker, confirmed_publish, declare_topology, subscribe
from shared.messaging.forwarding import forward, user_of
from tests.builders import MONDAY, attendance, pseudonym

pytestmark = pytest.mark.integration

EVENT = attendance(pseudonym("åsa"), MONDAY)
NAME = "Märta Sjöström"
PATIENCE_SECONDS = 30.0


class Handler:
    """Raises what it is given, one after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.done = asyncio.Event()

    async def __call__(self, _event: object) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.done.set()


@asynccontextmanager
async def consuming(
    url: str, handler: Handler, *, without: str | None = None
) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """`without`: a queue that is not there."""
    broker = build_broker(url, "scoring")
    subscribe(broker, "scoring.s00", handler, prefetch=10, title="test")
    await broker.connect()
    await declare_topology(broker, 1)
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        if without is not None:
            await channel.queue_delete(without)
        await broker.start()
        try:
            assert await attached(broker) == []
            publish = confirmed_publish(broker, topology.EVENTS)
            await publish(EVENT.encode(), routing_key="s00.attendance.recorded", message_id=EVENT.id)
            yield channel
        finally:
            await broker.stop()


async def arrives(channel: aio_pika.abc.AbstractChannel, name: str) -> aio_pika.abc.AbstractIncomingMessage:
    queue = await channel.get_queue(name)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if message := await queue.get(no_ack=True, fail=False):
            return message
        await asyncio.sleep(0.02)
    pytest.fail(f"nothing arrived in {name} within {PATIENCE_SECONDS:.0f} s")


async def test_a_rejected_message_is_parked_at_once(new_vhost: Callable[[], str]) -> None:
    handler = Handler(Reject("no good"))
    async with consuming(new_vhost(), handler) as channel:
        message = await arrives(channel, "scoring.parking")
    assert handler.calls == 1
    assert message.body == EVENT.encode()
    assert message.headers["x-kvar-error"] == "Reject: no good"
    assert message.headers["x-kvar-routing-key"] == "s00.attendance.recorded"
    assert "Traceback" in str(message.headers["x-kvar-traceback"])


async def test_a_parked_message_tells_the_stack_but_not_what_others_errors_say(new_vhost: Callable[[], str]) -> None:
    rejected = Reject("no good")
    rejected.__cause__ = ValueError(NAME)
    async with consuming(new_vhost(), Handler(rejected)) as channel:
        message = await arrives(channel, "scoring.parking")
    trace = str(message.headers["x-kvar-traceback"])
    assert "ValueError" in trace
    assert "test_failures.py" in trace
    assert NAME not in trace


async def test_what_cannot_be_parked_goes_back_to_its_queue_and_the_log_quotes_nobody(
    new_vhost: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    def reject() -> Reject:
        rejected = Reject("no good")
        rejected.__cause__ = ValueError(NAME)
        return rejected

    handler = Handler(reject(), reject())
    async with consuming(new_vhost(), handler, without="scoring.parking"):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await handler.done.wait()
    assert handler.calls == 3
    assert "a failed message goes back to its queue" in caplog.messages
    assert NAME not in caplog.text


@pytest.mark.parametrize("error", [Retry("later"), KeyError("unforeseen")], ids=["retry", "unforeseen"])
async def test_a_failed_message_comes_back_after_the_first_wait(new_vhost: Callable[[], str], error: Exception) -> None:
    handler = Handler(error)
    async with consuming(new_vhost(), handler):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await handler.done.wait()
    assert handler.calls == 2


async def test_an_outage_let_through_comes_back_after_the_first_wait_each_time(new_vhost: Callable[[], str]) -> None:
    handler = Handler(Outage("away"), Outage("away"))
    async with consuming(new_vhost(), handler):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await handler.done.wait()
    assert handler.calls == 3


async def test_after_the_last_step_of_the_ladder_it_is_parked(new_vhost: Callable[[], str]) -> None:
    url = new_vhost()
    handler = Handler(Retry("away"), Retry("still not"))
    async with consuming(url, handler) as channel:
        exchange = await channel.get_exchange(topology.EVENTS)
        message = aio_pika.Message(
            EVENT.encode(), headers={"x-kvar-attempt": len(topology.RETRY_STEPS)}, delivery_mode=2
        )
        await exchange.publish(message, "s00.attendance.recorded")
        parked = await arrives(channel, "scoring.parking")
    assert parked.headers["x-kvar-attempt"] == len(topology.RETRY_STEPS)


async def test_publishing_where_nobody_listens_is_an_outage_not_silence(new_vhost: Callable[[], str]) -> None:
    broker = build_broker(new_vhost(), "ingest")
    await broker.connect()
    await declare_topology(broker, 1)
    try:
        with pytest.raises(Outage):
            await confirmed_publish(broker, topology.EVENTS)(
                b"{}", routing_key="s07.attendance.recorded", message_id="1"
            )
    finally:
        await broker.stop()


async def test_a_copy_that_no_queue_takes_leaves_the_original_where_it_is(new_vhost: Callable[[], str]) -> None:
    """Also on a channel that does not raise for what is returned, as those of consumers do not."""
    connection = await aio_pika.connect(new_vhost())
    async with connection, connection.channel(on_return_raises=False) as channel:
        await topology.declare(channel, 1)
        exchange = await channel.get_exchange(topology.EVENTS)
        await exchange.publish(aio_pika.Message(EVENT.encode(), delivery_mode=2), "s00.attendance.recorded")
        message = await (await channel.get_queue("scoring.s00")).get()
        with pytest.raises(Outage, match="no queue is bound"):
            await forward(message, "", "scoring.nowhere", {})


async def test_copies_lose_what_the_broker_notes_and_keep_the_rest(new_vhost: Callable[[], str]) -> None:
    url = new_vhost()
    async with consuming(url, Handler(Retry("later"), Reject("no good"))) as channel:
        exchange = await channel.get_exchange(topology.EVENTS)
        message = aio_pika.Message(
            b"not an event",
            headers={"traceparent": "keep"},
            correlation_id="with me",
            message_id="bad",
            delivery_mode=2,
        )
        await exchange.publish(message, "s00.attendance.recorded")
        found = [await arrives(channel, "scoring.parking") for _ in range(2)]
    [parked] = [one for one in found if one.message_id == "bad"]
    assert parked.headers["traceparent"] == "keep"
    assert parked.correlation_id == "with me"
    [came_back] = [one for one in found if one.message_id == EVENT.id]
    assert "x-death" not in came_back.headers
    assert datetime.fromisoformat(str(came_back.headers["x-kvar-parked-at"])).tzinfo is not None


async def test_who_published_a_message_is_known_of_its_copy(new_vhost: Callable[[], str]) -> None:
    """The broker refuses a copy with the original's `user_id`; without it the copy could speak for anybody."""
    async with consuming(new_vhost(), Handler(Retry("later"))) as channel:
        exchange = await channel.get_exchange(topology.EVENTS)
        forged = {"x-kvar-user-id": "somebody else"}
        await exchange.publish(
            aio_pika.Message(b"no event", user_id="guest", headers=forged, delivery_mode=2),  # type: ignore[arg-type]
            "s00.attendance.recorded",
        )
        parked = await arrives(channel, "scoring.parking")
    assert parked.user_id is None
    assert user_of(parked) == "guest"
