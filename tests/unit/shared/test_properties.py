"""Properties as they come over the wire can always be read. On the real broker: tests/integration/shared/test_properties.py."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import aio_pika
import pytest
from aiormq.abc import DeliveredMessage
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame
from pamqp.header import ContentHeader

from shared.messaging.forwarding import attempts, lasting_headers
from shared.messaging.properties import LARGEST_TABLE, read_whatever_comes
from tests import raw_message as raw

read_whatever_comes()


def read(flags: int, properties: bytes) -> aio_pika.IncomingMessage:
    _, _, header = frame.unmarshal(raw.content_header(0, flags, properties))
    assert isinstance(header, ContentHeader)
    delivery = commands.Basic.Deliver("tag", 1, routing_key="key")
    return aio_pika.IncomingMessage(DeliveredMessage(delivery=delivery, header=header, body=b"", channel=None))  # type: ignore[arg-type]


def test_text_that_is_no_utf8_has_a_question_mark_for_each_mistake() -> None:
    message = read(raw.MESSAGE_ID | raw.APP_ID, raw.short(b"\xe5sa") + raw.short("åsa".encode()))
    assert (message.message_id, message.app_id) == ("?sa", "åsa")


def test_what_follows_something_unreadable_is_read() -> None:
    headers = raw.table(raw.short(b"\xff") + b"t\x01")
    message = read(raw.HEADERS | raw.TIMESTAMP | raw.APP_ID, headers + b"\xff" * 8 + raw.short(b"app"))
    assert (message.headers, message.timestamp, message.app_id) == ({}, None, "app")


def test_a_time_in_milliseconds_is_understood() -> None:
    message = read(raw.TIMESTAMP, struct.pack(">Q", 1_764_061_200_000))
    assert message.timestamp == datetime(2025, 11, 25, 9, tzinfo=UTC)


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 250, 255])
def test_a_delivery_mode_that_there_is_not_is_none(mode: int) -> None:
    assert read(raw.DELIVERY_MODE, bytes([mode])).delivery_mode in {1, 2}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(raw.nested(9_000), id="tables within tables"),
        pytest.param(raw.table(raw.text_field(b"a", b"x" * LARGEST_TABLE)), id="more than is read"),
        pytest.param(raw.table(raw.short(b"a") + b"?"), id="a kind that there is not"),
        pytest.param(raw.table(raw.short(b"a" * 200)[:100]), id="cut off"),
    ],
)
def test_headers_that_cannot_be_read_are_left_out(headers: bytes) -> None:
    assert read(raw.HEADERS, headers).headers == {}


@given(st.binary(max_size=300))
def test_any_bytes_as_headers_are_read_and_what_is_passed_on_can_be_written(content: bytes) -> None:
    message = read(raw.HEADERS, raw.table(content))
    ContentHeader(properties=commands.Basic.Properties(headers=lasting_headers(message))).marshal()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"I" + struct.pack(">i", -5), 0),
        (b"I" + struct.pack(">i", 0), 0),
        (b"I" + struct.pack(">i", 2), 2),
        (b"I" + struct.pack(">i", 3), 3),
        (b"I" + struct.pack(">i", 4), 3),
        (b"l" + struct.pack(">q", 2**62), 3),
        (b"l" + struct.pack(">q", -(2**62)), 0),
        (b"t\x01", 0),
        (b"d" + struct.pack(">d", 2.0), 0),
        (b"S" + struct.pack(">I", 1) + b"2", 0),
        (b"F" + raw.table(), 0),
        (b"V", 0),
    ],
)
def test_a_count_of_attempts_is_one_that_the_ladder_has(written: bytes, meant: int) -> None:
    assert attempts(read(raw.HEADERS, raw.table(raw.short(b"x-kvar-attempt") + written))) == meant
