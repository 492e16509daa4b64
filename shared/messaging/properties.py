"""What a stranger wrote into a message's properties costs nobody the connection.

The client reads properties, headers and routing key before anybody sees the message, and gives up the connection over what it
cannot read: text that is no UTF-8 (as of a system that writes Latin-1), a time after the year 9999, tables within tables. The
message comes back with the next connection, twenty times, and so does all that was in work beside it, until the broker parks
the lot [tried]: RabbitMQ passes all of these on unread. One with a delivery mode that there is not, which 3.10 refuses, would
never be answered and take a place among the prefetched for ever. So they are read here in a way that always succeeds.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from pamqp import decode
from pamqp.commands import Basic

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pamqp.common import FieldTable

DELIVERY_MODES = (1, 2)
LARGEST_TABLE = 64 * 1024
"""Bytes of headers that are read. Many small ones take the client seconds: it copies what is left after each."""

_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, OverflowError, OSError, RecursionError, struct.error)

_read_table: Callable[[bytes], tuple[int, FieldTable]] = decode.field_table
_read_timestamp: Callable[[bytes], tuple[int, datetime]] = decode.timestamp
_read_properties: Callable[[Basic.Properties, int, bytes], None] = Basic.Properties.unmarshal


def read_whatever_comes() -> None:
    """From here on this process reads every message: text that is no UTF-8 with question marks in it, without a time that no
    calendar has or a delivery mode that there is not, and without headers that cannot be read or are longer than
    `LARGEST_TABLE`.
    """
    readers: dict[str, Callable[[bytes], tuple[int, Any]]] = decode.METHODS
    readers |= {"shortstr": _short_text, "timestamp": _timestamp, "table": _table}
    Basic.Properties.unmarshal = _properties  # type: ignore[assignment,method-assign]


def _properties(properties: Basic.Properties, flags: int, data: bytes) -> None:
    _read_properties(properties, flags, data)
    if properties.delivery_mode not in DELIVERY_MODES:
        properties.delivery_mode = None


def _short_text(value: bytes) -> tuple[int, str]:
    end = 1 + value[0]
    # One mark of one byte for each mistake: the text must not become longer than a routing key may be.
    return end, value[1:end].decode(errors="replace").replace("\N{REPLACEMENT CHARACTER}", "?")


def _timestamp(value: bytes) -> tuple[int, datetime | None]:
    try:
        return _read_timestamp(value)
    except _UNREADABLE:
        return 8, None


def _table(value: bytes) -> tuple[int, FieldTable]:
    size: int = struct.unpack(">I", value[:4])[0]
    if size > LARGEST_TABLE:
        return 4 + size, {}
    try:
        return _read_table(value)
    except _UNREADABLE:
        return 4 + size, {}
