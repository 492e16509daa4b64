"""A message with properties that no client library writes: as another system may send it, by mistake or on purpose."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

from aiormq.abc import ChannelFrame
from pamqp.commands import Basic

if TYPE_CHECKING:
    import aiormq
    from aio_pika.abc import AbstractChannel

CONTENT_TYPE, HEADERS, DELIVERY_MODE, CORRELATION_ID, REPLY_TO = 0x8000, 0x2000, 0x1000, 0x0400, 0x0200
MESSAGE_ID, TIMESTAMP, TYPE, APP_ID = 0x0080, 0x0040, 0x0020, 0x0008
"""Flags that say which property follows."""


async def publish_raw(
    channel: AbstractChannel, exchange: str, routing_key: bytes, body: bytes, *, flags: int = 0, properties: bytes = b""
) -> None:
    """Publishes without waiting for anything. `properties`: as AMQP writes those that `flags` names."""
    beneath = cast("aiormq.Channel", await channel.get_underlay_channel())
    # Class and method, a reserved field, exchange and routing key, and no option.
    method = struct.pack(">HHH", Basic.frame_id, 40, 0) + short(exchange.encode()) + short(routing_key) + b"\0"
    frames = (
        frame(1, beneath.number, method),
        content_header(len(body), flags, properties, channel=beneath.number),
        frame(3, beneath.number, body),
    )
    await beneath.write_queue.put(ChannelFrame(payload=b"".join(frames), should_close=False))


def content_header(size: int, flags: int, properties: bytes, *, channel: int = 1) -> bytes:
    """The frame that says how long a message's body is, and its properties."""
    return frame(2, channel, struct.pack(">HHQH", Basic.frame_id, 0, size, flags) + properties)


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """Anything that goes over a connection."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def short(value: bytes) -> bytes:
    """A short text."""
    return bytes([len(value)]) + value


def table(*fields: bytes) -> bytes:
    """A table of headers."""
    content = b"".join(fields)
    return struct.pack(">I", len(content)) + content


def text_field(name: bytes, value: bytes) -> bytes:
    """A header with a long text."""
    return short(name) + b"S" + struct.pack(">I", len(value)) + value


def nested(depth: int) -> bytes:
    """A table within a table within a table."""
    inner = table()
    for _ in range(depth):
        inner = table(short(b"a") + b"F" + inner)
    return inner
