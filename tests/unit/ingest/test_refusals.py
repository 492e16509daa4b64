"""What is kept of a refused item, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.arrivals import Arrival, Door, Unreadable
from services.ingest.handlers import Publishers
from services.ingest.pseudonyms import KeyedHashes
from services.ingest.refusals import refused, responsible, unreadable
from services.ingest.rejected import LONGEST_CONTENT, Rejected
from shared.errors import Reject
from tests.unit.ingest.builders import NOW, attendance

BOTH = frozenset({"2480", "1480"})
HASHES = KeyedHashes("a secret of thirty-two characters")


def keep(arrival: Arrival, cleaned: Any) -> Rejected:
    return refused(arrival, cleaned, Reject("bad"), door=Door.AMQP, now=NOW, hashes=HASHES)


@pytest.mark.parametrize(
    ("item", "user_id", "expected"),
    [
        pytest.param(attendance(), None, "2480", id="the authority it speaks for"),
        pytest.param(attendance(authority="9999"), None, None, id="an authority that we do not know"),
        pytest.param(attendance(authority=7), None, None, id="an authority that is no text"),
        pytest.param(attendance(authority="2480"), "1480", "1480", id="the broker's user, whatever it claims"),
        pytest.param(attendance(), "some-integration", "2480", id="a user that is no authority"),
        pytest.param(Unreadable("{", "cut"), None, None, id="what cannot be read"),
    ],
)
def test_a_refused_message_belongs_to(item: Any, user_id: str | None, expected: str | None) -> None:
    assert responsible(Publishers(BOTH).arrival(item, user_id)) == expected


def test_a_user_that_is_an_authority_speaks_for_itself_alone() -> None:
    assert Publishers(BOTH).arrival(attendance(), "1480").authorities == {"1480"}
    assert Publishers(BOTH).arrival(attendance(), "guest").authorities == BOTH


def test_the_same_content_has_the_same_id_and_other_content_or_authority_another() -> None:
    arrival = Arrival(attendance(), BOTH, "2480")
    first = keep(arrival, arrival.item)
    assert first.id == keep(arrival, dict(reversed(arrival.item.items()))).id
    assert first.id != keep(Arrival(attendance(), BOTH, "1480"), attendance()).id
    assert first.id != keep(arrival, attendance(id="2")).id


def test_unreadable_text_is_kept_up_to_its_limit() -> None:
    text = Unreadable("{" * (LONGEST_CONTENT + 1), "cut")
    kept = keep(Arrival(text, BOTH, "2480"), None)
    assert kept.content is None
    assert keep(Arrival(Unreadable("{", "cut"), BOTH, "2480"), None).content == "{"
    assert unreadable(text).errors[0].expected == "cut"


def test_content_that_is_too_long_is_not_kept() -> None:
    item = attendance(data={"extra": "x" * LONGEST_CONTENT})
    assert keep(Arrival(item, BOTH, "2480"), item).content is None
