"""Events over AMQP: the same core as over HTTP; a message is acknowledged when its event is sure or kept as rejected."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aio_pika
import httpx
import orjson
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from deploy.local.broker import MOST_BYTES_A_MESSAGE
from services.ingest import bodies
from shared.events import read_event
from tests.integration.ingest.stage import TOKENS, Outgoing, Stage, new_id, now, publish, statuses, until
from tests.unit.ingest.builders import attendance

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def channel(stage: Stage) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(stage.amqp_url) as connection:
        yield await connection.channel()


async def send(channel: AbstractChannel, *bodies: bytes, user_id: str | None = None) -> None:
    """Together, not each after the confirm of the one before."""
    exchange = await channel.get_exchange("sis.events")
    await asyncio.gather(
        *(
            exchange.publish(
                aio_pika.Message(body, content_type="application/cloudevents+json", user_id=user_id),
                "2480.attendance.recorded",
                mandatory=True,
            )
            for body in bodies
        )
    )


def lesson(student: str = "id:amqp", **changes: Any) -> dict[str, Any]:
    return attendance(student, now=now(), id=new_id(), **changes)


async def queue_is_empty(channel: AbstractChannel) -> bool:
    queue = await channel.get_queue("ingest.sis")
    declared = queue.declaration_result
    return declared.message_count == 0 and bool(declared.consumer_count)


async def test_events_go_out_under_the_same_pseudonym_as_over_http(
    channel: AbstractChannel, http: httpx.AsyncClient, outgoing: Outgoing
) -> None:
    student = new_id("id:both-doors")
    over_http, over_amqp = lesson(student), lesson(student)
    await publish(http, [over_http])
    await send(channel, orjson.dumps(over_amqp))
    subjects = {read_event((await outgoing.wait_for(item["id"]))[0].body).subject for item in (over_http, over_amqp)}
    assert len(subjects) == 1

    async def is_known() -> bool:
        return statuses(await publish(http, [over_amqp])) == ["duplicate"]

    await until("the event to be marked as published", is_known)


async def test_many_messages_all_come_out_once(channel: AbstractChannel, outgoing: Outgoing) -> None:
    items = [lesson(f"id:{number % 50}") for number in range(1200)]
    await send(channel, *map(orjson.dumps, items))
    for item in items:
        assert len(await outgoing.wait_for(item["id"])) == 1
    await until("an empty queue", lambda: queue_is_empty(channel))


async def test_a_rejected_message_is_kept_where_its_publisher_sees_it(
    channel: AbstractChannel, http: httpx.AsyncClient, database: Database
) -> None:
    faulty = lesson(data={"minutes": 0})
    stranger = lesson(authority="9999")
    garbage = new_id("garbage").encode()
    await send(channel, orjson.dumps(faulty), orjson.dumps(stranger), garbage)

    async def kept(text: str) -> Any:
        items = await database["rejected"].find({}).to_list(10_000)
        return [item for item in items if text in (item["content"] or "")]

    [mine] = await until("the faulty event to be kept", lambda: kept(faulty["id"]))
    assert (mine["authority"], mine["door"], mine["status"]) == ("2480", "amqp", "open")
    [unknown] = await until("the stranger's event to be kept", lambda: kept(stranger["id"]))
    assert unknown["authority"] is None
    [text] = await until("the garbage to be kept", lambda: kept(garbage.decode()))
    assert text["authority"] is None
    shown = await http.get(f"/v1/rejected/{mine['_id']}", headers={"Authorization": f"Bearer {TOKENS['2480']}"})
    assert shown.status_code == 200
    parked = await channel.get_queue("ingest.parking")
    assert parked.declaration_result.message_count == 0
    await until("an empty queue", lambda: queue_is_empty(channel))


async def test_a_good_message_beside_bad_ones_comes_out(channel: AbstractChannel, outgoing: Outgoing) -> None:
    good = lesson()
    await send(channel, b"", b"null", orjson.dumps(good), b"[]")
    await outgoing.wait_for(good["id"])


async def test_what_is_longer_than_an_event_is_refused_unread_beside_a_good_one(
    channel: AbstractChannel, outgoing: Outgoing, database: Database
) -> None:
    good = lesson()
    long = orjson.dumps(lesson(data={"pad": "x" * bodies.LONGEST_ITEM}))
    await send(channel, long, orjson.dumps(good), b"[" * bodies.LONGEST_ITEM)
    await outgoing.wait_for(good["id"])

    async def kept(found: str) -> Any:
        return await database["rejected"].find_one({"errors.found": found})

    item = await until("the long message to be kept", lambda: kept(f"{len(long)} bytes"))
    assert (item["authority"], item["content"], item["reason"]) == (None, None, "the event is too long")
    await until("the deep one to be kept", lambda: kept(f"about {bodies.LONGEST_ITEM + 1} values"))
    await until("an empty queue", lambda: queue_is_empty(channel))


@pytest.mark.skipif("KVAR_TEST_AMQP_URL" in os.environ, reason="the broker is not ours to configure")
async def test_the_broker_takes_no_message_that_services_could_not_hold(stage: Stage) -> None:
    async with await aio_pika.connect(stage.amqp_url) as connection:
        with pytest.raises(ChannelPreconditionFailed, match="larger than configured max size"):
            await send(await connection.channel(), b"x" * (MOST_BYTES_A_MESSAGE + 1))
