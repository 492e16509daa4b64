"""Bodies of requests: three content types, each with its faults; and what is read of an item."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.ingest import bodies
from services.ingest.arrivals import Unreadable
from tests.unit.ingest.builders import staff


def read(body: bytes, content_type: str) -> list[Any]:
    return [bodies.read_item(item) for item in bodies.split(body, content_type)]


def test_one_event() -> None:
    assert read(b'{"id": "1"}', "application/cloudevents+json; charset=utf-8") == [{"id": "1"}]


def test_a_batch_may_hold_anything_since_each_item_is_judged_by_itself() -> None:
    assert read(b'[{"id": "1"}, 5, null]', bodies.BATCH) == [{"id": "1"}, 5, None]
    assert read(b" [ ] ", bodies.BATCH) == []


def test_lines_end_in_either_way_and_empty_ones_are_no_items() -> None:
    items = read(b'{"id": "1"}\r\n\n  \n{"id": "2"}', "Application/X-NDJSON")
    assert items == [{"id": "1"}, {"id": "2"}]


def test_a_mark_of_byte_order_is_not_seen() -> None:
    for kind, text in ((bodies.ONE, b"{}"), (bodies.BATCH, b"[{}]"), (bodies.LINES, b"{}\n")):
        assert read(b"\xef\xbb\xbf" + text, kind) == [{}]


def test_a_bad_line_is_that_lines_fault() -> None:
    first, second, third = read(b'{"id": "1"}\n{"id": \n\xff{}\n', bodies.LINES)
    assert first == {"id": "1"}
    assert isinstance(second, Unreadable)
    assert second.reason == "no JSON"
    assert isinstance(third, Unreadable)


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        pytest.param(b"{", bodies.ONE, bodies.NotJson, id="one: no JSON"),
        pytest.param(b"{} {}", bodies.ONE, bodies.NotJson, id="one: two"),
        pytest.param(b"", bodies.BATCH, bodies.NotJson, id="batch: nothing"),
        pytest.param(b"[" * 100_000, bodies.BATCH, bodies.NotJson, id="batch: too deep"),
        pytest.param(b'{"a":' * 100_000, bodies.ONE, bodies.NotJson, id="one: too deep"),
        pytest.param(b"[]", bodies.ONE, bodies.WrongShape, id="one: an array"),
        pytest.param(b"{}", bodies.BATCH, bodies.WrongShape, id="batch: an object"),
        pytest.param(b"[" + b"0," * 10_000 + b"0]", bodies.BATCH, bodies.TooMany, id="batch: 10,001 items"),
        pytest.param(b"[[" + b"0," * 1_000_000 + b"0]]", bodies.BATCH, bodies.TooMany, id="batch: a million values"),
        pytest.param(b"0\n" * 10_001, bodies.LINES, bodies.TooMany, id="lines: 10,001"),
        pytest.param(b"\n" * 1_000_000, bodies.LINES, bodies.TooMany, id="lines: a million empty ones"),
        pytest.param(b"{}", "application/json", bodies.UnknownContentType, id="plain JSON"),
        pytest.param(b"{}", "", bodies.UnknownContentType, id="no content type"),
    ],
)
def test_a_body_that_cannot_be_taken(body: bytes, content_type: str, error: type[bodies.BodyError]) -> None:
    with pytest.raises(error):
        bodies.split(body, content_type)


@pytest.mark.parametrize("kind", [bodies.LINES, bodies.BATCH])
def test_ten_thousand_items_are_taken(kind: str) -> None:
    begin, between, end = (b"[", b",", b"]") if kind == bodies.BATCH else (b"", b"\n", b"")
    assert len(bodies.split(begin + between.join([b"{}"] * 10_000) + end, kind)) == 10_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"zz", "no JSON", id="junk"),
        pytest.param(b"[" * 2000, "no JSON", id="deep"),
        pytest.param(b'"' + b"x" * bodies.LONGEST_ITEM + b'"', "the event is too long", id="long"),
        pytest.param(b"[" + b"[]," * 10_000 + b"0]", "the event has too many values", id="many values"),
    ],
)
def test_an_item_that_is_not_read_says_why(text: bytes, reason: str) -> None:
    found = bodies.read_item(text)
    assert isinstance(found, Unreadable)
    assert found.reason == reason
    assert found.fault.path == "$"


def test_the_longest_contract_is_read() -> None:
    scope = ["g" * 128] * 1000
    assert bodies.read_item(orjson.dumps(staff(data={"scope": scope})))["data"]["scope"] == scope
