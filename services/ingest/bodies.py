"""From the body of a request to items. A body that cannot be split into items is the request's fault, a bad item is its own.

A body is split without being read, and counted before anything is made of it: each item is bounded before it is parsed, and
16 MiB of two-letter lines or empty lists cost no more than the look that counts them.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

import msgspec
import orjson

from services.ingest.arrivals import Unreadable
from shared.errors import FieldError

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
CONTENT_TYPES = (ONE, BATCH, LINES)

MOST_BYTES = 16 * 1024 * 1024
MOST_ITEMS = 10_000
MOST_LINES = 4 * MOST_ITEMS
"""With empty ones."""
LONGEST_ITEM = 256 * 1024
"""Bytes of an item as it comes: twice what the longest contract needs (a person in charge of a thousand groups)."""
MOST_VALUES = 10_000
"""Values in an item: each takes some 70 bytes once it is read, even where an empty list was 2."""
MOST_VALUES_OF_ALL = 100 * MOST_ITEMS
"""Values in a batch that is one JSON array. An event has some twenty."""

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)
_SOMETHING = re.compile(rb"[^ \t\r\n][^\n]*")


class BodyError(Exception):
    """The body as a whole cannot be taken; the message says what is wrong with it."""


class NotJson(BodyError):
    """No JSON, where the whole body is one JSON text."""


class WrongShape(BodyError):
    """JSON of another shape than the content type promises."""


class TooMany(BodyError):
    """More items than a request may have."""


class UnknownContentType(BodyError):
    """None of `CONTENT_TYPES`."""


def split(body: bytes, content_type: str) -> list[bytes]:
    """The texts of a body's items. Empty lines are no items.

    Args:
        body: as received.
        content_type: the header; parameters are ignored, the text is UTF-8.

    Raises:
        BodyError: see its kinds.
    """
    kind = content_type.partition(";")[0].strip().lower()
    body = body.removeprefix(codecs.BOM_UTF8)
    match kind:
        case "application/cloudevents+json":
            return [_object(body)]
        case "application/cloudevents-batch+json":
            items = _array(body)
        case "application/x-ndjson":
            items = _lines(body)
        case _:
            raise UnknownContentType(f"{kind or 'no content type'}: one of {', '.join(CONTENT_TYPES)} is needed")
    if len(items) > MOST_ITEMS:
        raise TooMany(f"{len(items)} items: at most {MOST_ITEMS} a request")
    return items


def read_item(text: bytes) -> Any:
    """One item: its JSON, or `Unreadable` when it is none, too long or of too many values."""
    if len(text) > LONGEST_ITEM:
        return Unreadable(
            "the event is too long", FieldError("$", f"{len(text)} bytes", f"at most {LONGEST_ITEM} bytes")
        )
    if (values := _values(text)) > MOST_VALUES:
        return Unreadable(
            "the event has too many values", FieldError("$", f"about {values} values", f"at most {MOST_VALUES} values")
        )
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Unreadable("no JSON", FieldError("$", "text that is no JSON", str(error)))


def _values(text: bytes) -> int:
    """How many values a JSON text has at most, without reading it: each begins it, a list or an object, or follows a comma."""
    return 1 + text.count(b",") + text.count(b"[") + text.count(b"{")


def _object(body: bytes) -> bytes:
    try:
        _ANY.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotJson(f"the body is no JSON: {error}") from error
    if not body.lstrip().startswith(b"{"):
        raise WrongShape(f"{ONE} is one event, a JSON object; several are {BATCH}")
    return body


def _array(body: bytes) -> list[bytes]:
    if (values := _values(body)) > MOST_VALUES_OF_ALL:
        raise TooMany(f"about {values} values: at most {MOST_VALUES_OF_ALL} a request")
    try:
        return [bytes(item) for item in _ITEMS.decode(body)]
    except msgspec.ValidationError as error:
        raise WrongShape(f"{BATCH} is a JSON array of events; one event is {ONE}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotJson(f"the body is no JSON: {error}") from error


def _lines(body: bytes) -> list[bytes]:
    if (lines := body.count(b"\n")) > MOST_LINES:
        raise TooMany(f"{lines} lines: at most {MOST_ITEMS} events a request")
    return _SOMETHING.findall(body)
