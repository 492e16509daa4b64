"""What an operator reads of a parked message. On the real broker: tests/integration/shared/test_parking.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aio_pika
import orjson
import pytest
from aiormq.abc import DeliveredMessage
from pamqp import commands, header

from shared.messaging.budget import UNKNOWN
from shared.messaging.forwarding import LONGEST_READ, authority_of
from shared.messaging.parked import Parked
from shared.messaging.parking_text import as_ndjson, as_text

WHEN = datetime(2026, 2, 2, 8, tzinfo=UTC)
DEATH = {"queue": "scoring.s00", "reason": "delivery_limit", "routing-keys": ["s00.x"], "time": WHEN}


def delivered(body: bytes, headers: dict[str, Any] | None = None, **properties: Any) -> aio_pika.IncomingMessage:
    frame = commands.Basic.Deliver("tag", 1, routing_key="scoring.parking")
    content = header.ContentHeader(properties=commands.Basic.Properties(headers=headers or {}, **properties))
    return aio_pika.IncomingMessage(DeliveredMessage(delivery=frame, header=content, body=body, channel=None))  # type: ignore[arg-type]


def test_a_message_without_id_gets_one_from_its_content() -> None:
    ids = [Parked.of("scoring", delivered(body)).id for body in (b"x", b"x", b"y")]
    assert ids[0] == ids[1] != ids[2]


def test_what_the_broker_parked_is_read_from_its_own_note() -> None:
    parked = Parked.of("scoring", delivered(b"{}", {"x-death": [DEATH]}))
    assert (parked.routing_key, parked.parked_at) == ("s00.x", WHEN)
    assert "20 times" in parked.error


def test_what_a_service_wrote_goes_before_what_the_broker_did_earlier() -> None:
    headers = {"x-death": [DEATH], "x-kvar-error": "Reject: bad", "x-kvar-routing-key": "s07.y"}
    parked = Parked.of("scoring", delivered(b"{}", headers))
    assert (parked.error, parked.routing_key) == ("Reject: bad", "s07.y")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({"x-death": "no list"}, b"{}", id="x-death of another shape"),
        pytest.param({"x-kvar-parked-at": "yesterday"}, b"{}", id="a time that is none"),
        pytest.param({"x-kvar-attempt": "many"}, b"{}", id="a count that is none"),
        pytest.param({}, b"[1]", id="JSON that is no object"),
        pytest.param({}, b"\xff", id="no text"),
    ],
)
def test_what_a_stranger_wrote_can_always_be_read(headers: dict[str, Any], body: bytes) -> None:
    parked = Parked.of("scoring", delivered(body, headers))
    assert (parked.parked_at, parked.attempts, parked.type) == (None, 0, "")
    assert parked.id in as_text(parked, with_body=True)


def test_a_copy_holds_text_as_text_and_the_rest_in_base64() -> None:
    assert orjson.loads(as_ndjson(Parked.of("scoring", delivered("åäö".encode()))))["body"] == "åäö"
    assert orjson.loads(as_ndjson(Parked.of("scoring", delivered(b"\xff"))))["body_base64"] == "/w=="


@pytest.mark.parametrize(
    ("body", "headers", "meant"),
    [
        pytest.param(b'{"authority": "2480"}', {}, "2480", id="as the message says"),
        pytest.param(
            b'{"authority": "2480"}', {"x-kvar-user-id": "vendor"}, "2480", id="of a user who speaks for many"
        ),
        pytest.param(b'{"authority": "2480"}', {"x-kvar-user-id": "0180"}, "0180", id="of a user who is an authority"),
        pytest.param(b'{"authority": "2480"}', {"x-kvar-user-id": 7}, "2480", id="of a user who is none"),
        pytest.param(b'{"authority": ["2480"]}', {}, UNKNOWN, id="no text"),
        pytest.param(b'{"authority": ""}', {}, UNKNOWN, id="empty"),
        pytest.param(b'{"authority": "%b"}' % (b"1" * 33), {}, UNKNOWN, id="too long"),
        pytest.param(b'["authority"]', {}, UNKNOWN, id="no object"),
        pytest.param(b"{", {}, UNKNOWN, id="no JSON"),
        pytest.param(b'{"authority": "2480", "x": "%b"}' % (b"1" * LONGEST_READ), {}, UNKNOWN, id="not worth reading"),
    ],
)
def test_whose_a_message_is(body: bytes, headers: dict[str, Any], meant: str) -> None:
    assert authority_of(delivered(body, headers), {"0180", "2480"}) == meant
