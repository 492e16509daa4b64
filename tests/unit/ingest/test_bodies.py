"""Bodies of requests: three content types, each with its faults."""

from __future__ import annotations

import pytest

from services.ingest import bodies
from services.ingest.arrivals import Unreadable


def test_one_event() -> None:
    assert bodies.items_of(b'{"id": "1"}', "application/cloudevents+json; charset=utf-8") == [{"id": "1"}]


def test_a_batch_may_hold_anything_since_each_item_is_judged_by_itself() -> None:
    assert bodies.items_of(b'[{"id": "1"}, 5, null]', bodies.BATCH) == [{"id": "1"}, 5, None]


def test_lines_end_in_either_way_and_empty_ones_are_no_items() -> None:
    items = bodies.items_of(b'{"id": "1"}\r\n\n  \n{"id": "2"}', "Application/X-NDJSON")
    assert items == [{"id": "1"}, {"id": "2"}]


def test_a_bad_line_is_that_lines_fault() -> None:
    first, second, third = bodies.items_of(b'{"id": "1"}\n{"id": \n\xff{}\n', bodies.LINES)
    assert first == {"id": "1"}
    assert isinstance(second, Unreadable)
    assert second.text == '{"id": '
    assert isinstance(third, Unreadable)


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        pytest.param(b"{", bodies.ONE, bodies.NotJson, id="one: no JSON"),
        pytest.param(b"", bodies.BATCH, bodies.NotJson, id="batch: nothing"),
        pytest.param(b"[]", bodies.ONE, bodies.WrongShape, id="one: an array"),
        pytest.param(b"{}", bodies.BATCH, bodies.WrongShape, id="batch: an object"),
        pytest.param(b"[" + b"0," * 10_000 + b"0]", bodies.BATCH, bodies.TooMany, id="batch: 10,001 items"),
        pytest.param(b"0\n" * 10_001, bodies.LINES, bodies.TooMany, id="lines: 10,001"),
        pytest.param(b"{}", "application/json", bodies.UnknownContentType, id="plain JSON"),
        pytest.param(b"{}", "", bodies.UnknownContentType, id="no content type"),
    ],
)
def test_a_body_that_cannot_be_taken(body: bytes, content_type: str, error: type[bodies.BodyError]) -> None:
    with pytest.raises(error):
        bodies.items_of(body, content_type)
