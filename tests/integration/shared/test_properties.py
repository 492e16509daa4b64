"""Properties that the client cannot read, on the real broker: the connection stays, the message is worked on or parked."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.errors import Reject
from shared.events import AnyEvent
from shared.messaging import topology
from shared.messaging.broker import build_broker, declare_topology, subscribe
from shared.messaging.forwarding import LARGEST_HEADERS
from shared.messaging.parking import operating
from tests import raw_message as raw
from tests.builders import MONDAY, attendance, pseudonym
from tests.integration.shared.waiting import until

pytestmark = pytest.mark.integration

KEY = b"s00.attendance.recorded"
GOOD = attendance(pseudonym("åsa"), MONDAY)
LATIN_1 = "åäö".encode("latin-1")
LONG = b"x" * 60_000

HOSTILE = {
    "message id in Latin-1": (raw.MESSAGE_ID, raw.short(LATIN_1)),
    "type in Latin-1": (raw.TYPE, raw.short(LATIN_1)),
    "content type in Latin-1": (raw.CONTENT_TYPE, raw.short(LATIN_1)),
    "correlation id in Latin-1": (raw.CORRELATION_ID, raw.short(LATIN_1 * 80)),
    "app id in Latin-1": (raw.APP_ID, raw.short(LATIN_1)),
    "reply to in Latin-1": (raw.REPLY_TO, raw.short(LATIN_1)),
    "a time after all years": (raw.TIMESTAMP, b"\xff" * 8),
    "a time in milliseconds": (raw.TIMESTAMP, struct.pack(">Q", 1_764_061_200_000)),
    "a header in Latin-1": (raw.HEADERS, raw.table(raw.text_field(b"a", LATIN_1))),
    "a header named in Latin-1": (raw.HEADERS, raw.table(raw.text_field(LATIN_1, b"a"))),
    "a header with a time after all years": (raw.HEADERS, raw.table(raw.short(b"a") + b"T" + b"\x7f" * 8)),
    "tables within tables": (raw.HEADERS, raw.nested(9_000)),
    "lists within lists": (raw.HEADERS, raw.table(raw.short(b"a") + b"A" + struct.pack(">I", 0))),
    "many small headers": (raw.HEADERS, raw.table(*[raw.short(b"") + b"t\x01"] * 30_000)),
    "one large header": (raw.HEADERS, raw.table(raw.text_field(b"a", LONG * 2))),
    "headers as large as ours": (raw.HEADERS, raw.table(raw.text_field(b"x-kvar-error", LONG))),
    "a count that is no number": (raw.HEADERS, raw.table(raw.text_field(b"x-kvar-attempt", b"many"))),
    "a count below zero": (raw.HEADERS, raw.table(raw.short(b"x-kvar-attempt") + b"I" + struct.pack(">i", -5))),
    "a count beyond all": (raw.HEADERS, raw.table(raw.short(b"x-kvar-attempt") + b"l" + struct.pack(">q", 2**62))),
}


class Handler:
    """Keeps the ids of events; with `rejects`, refuses those called bad."""

    def __init__(self) -> None:
        self.rejects = True
        self.taken: list[str] = []

    async def __call__(self, event: AnyEvent) -> None:
        self.taken.append(event.id)
        if self.rejects and event.id.startswith("bad"):
            raise Reject("no good")

    async def has_taken(self, count: int) -> bool:
        return len(self.taken) >= count


@asynccontextmanager
async def consuming(url: str, handler: Handler, queue: str = "scoring.s00") -> AsyncIterator[AbstractChannel]:
    broker = build_broker(url, queue.partition(".")[0])
    subscribe(broker, queue, handler, prefetch=10, title="test")
    await broker.connect()
    await declare_topology(broker, 1)
    await broker.start()
    connection = await aio_pika.connect(url)
    async with connection, connection.channel(publisher_confirms=False) as channel:
        try:
            yield channel
        finally:
            await broker.stop()


def bad(name: str) -> bytes:
    return GOOD.model_copy(update={"id": f"bad: {name}"}).encode()


async def parked(url: str, count: int, service: str = "scoring") -> list[AbstractIncomingMessage]:
    """Those messages, as soon as they are parked; they stay."""

    async def are_there() -> bool:
        async with operating(url) as desk, desk.round(service) as walk:
            return await walk.waiting() == count

    await until(are_there, f"{count} to be parked")
    async with operating(url) as desk, desk.round(service) as walk:
        return await walk.take(count)


async def replay(url: str, service: str = "scoring") -> None:
    async with operating(url) as desk, desk.round(service) as walk:
        async for portion in walk.each(await walk.waiting()):
            assert {problem for _, problem in await walk.replay(portion)} == {None}


async def test_whatever_the_properties_are_each_is_delivered_once_and_can_be_parked_and_replayed(
    new_vhost: Callable[[], str],
) -> None:
    url, handler = new_vhost(), Handler()
    async with consuming(url, handler) as channel:
        for name, (flags, properties) in HOSTILE.items():
            await raw.publish_raw(channel, topology.EVENTS, KEY, bad(name), flags=flags, properties=properties)
            await raw.publish_raw(channel, topology.EVENTS, KEY, GOOD.encode())
        found = await parked(url, len(HOSTILE))
        await until(lambda: handler.has_taken(2 * len(HOSTILE)), "all to be taken")
        assert Counter(handler.taken) == {GOOD.id: len(HOSTILE)} | {f"bad: {name}": 1 for name in HOSTILE}
        assert {message.body for message in found} == {bad(name) for name in HOSTILE}
        for message in found:
            assert message.headers["x-kvar-error"] == "Reject: no good"
            assert message.headers["x-kvar-routing-key"] == KEY.decode()
            assert 0 <= int(str(message.headers["x-kvar-attempt"])) <= len(topology.RETRY_STEPS)
        handler.rejects = False
        await replay(url)
        await until(lambda: handler.has_taken(3 * len(HOSTILE)), "the mended ones to be taken")


async def test_a_routing_key_in_another_encoding_has_question_marks(new_vhost: Callable[[], str]) -> None:
    url, handler = new_vhost(), Handler()
    async with consuming(url, handler, "ingest.sis") as channel:
        await raw.publish_raw(channel, topology.SIS_EVENTS, LATIN_1 * 85, bad("routing key"))
        await raw.publish_raw(channel, topology.SIS_EVENTS, KEY, GOOD.encode())
        [message] = await parked(url, 1, "ingest")
        assert message.headers["x-kvar-routing-key"] == "?" * 255
        await replay(url, "ingest")
        await until(lambda: handler.has_taken(3), "both to be taken, one of them again")


async def test_copies_leave_out_headers_that_would_make_them_too_large(new_vhost: Callable[[], str]) -> None:
    url = new_vhost()
    many = [raw.text_field(b"b%d" % number, b"x" * 1_000) for number in range(60)]
    headers = raw.table(*many, raw.text_field(b"x-kvar-user-id", b"me"))
    async with consuming(url, Handler()) as channel:
        await raw.publish_raw(channel, topology.EVENTS, KEY, bad("size"), flags=raw.HEADERS, properties=headers)
        [message] = await parked(url, 1)
    foreign = [name for name in message.headers if name.startswith("b")]
    assert LARGEST_HEADERS // 2 < 1_000 * len(foreign) < LARGEST_HEADERS
    assert message.headers["x-kvar-user-id"] == "me"
