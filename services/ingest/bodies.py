"""From the body of a request to items. A body that cannot be read at all is the request's fault, a bad line is that line's."""

from __future__ import annotations

import codecs
from typing import Any

import orjson

from services.ingest.arrivals import Unreadable

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
CONTENT_TYPES = (ONE, BATCH, LINES)

MOST_BYTES = 16 * 1024 * 1024
MOST_ITEMS = 10_000


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


def items_of(body: bytes, content_type: str) -> list[Any]:
    """The items of a body: parsed JSON, or `Unreadable` for a line that is none. Empty lines are no items.

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
            items = [_object(_whole(body))]
        case "application/cloudevents-batch+json":
            items = _array(_whole(body))
        case "application/x-ndjson":
            items = [read_item(line) for line in body.split(b"\n") if line.strip()]
        case _:
            raise UnknownContentType(f"{kind or 'no content type'}: one of {', '.join(CONTENT_TYPES)} is needed")
    if len(items) > MOST_ITEMS:
        raise TooMany(f"{len(items)} items: at most {MOST_ITEMS} a request")
    return items


def read_item(text: bytes) -> Any:
    """One item: its JSON, or `Unreadable`."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Unreadable(text.decode(errors="replace"), str(error))


def _whole(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson(f"the body is no JSON: {error}") from error


def _object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise WrongShape(f"{ONE} is one event, a JSON object; several are {BATCH}")
    return value


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WrongShape(f"{BATCH} is a JSON array of events; one event is {ONE}")
    return value
