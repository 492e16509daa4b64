"""What is kept of a refused item, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.arrivals import Arrival, Door, Outcome, Unreadable
from services.ingest.handlers import Publishers
from services.ingest.pseudonyms import KeyedHashes
from services.ingest.refusals import MOST_ERRORS, MOST_ERRORS_OF_ALL, Refusals, responsible, unreadable
from services.ingest.rejected import LONGEST_CONTENT, Rejected
from shared.errors import FieldError, Reject
from tests.unit.ingest.builders import NOW, attendance, text

BOTH = frozenset({"2480", "1480"})
UNREADABLE = Unreadable("no JSON", FieldError("$", "text that is no JSON", "cut"))
HASHES = KeyedHashes("a secret of thirty-two characters")


def refusals(door: Door = Door.AMQP) -> Refusals:
    return Refusals(HASHES, door, NOW)


def keep(arrival: Arrival, item: Any) -> Rejected:
    _, kept = refusals().add(arrival, item, None if isinstance(item, Unreadable) else item, Reject("bad"))
    assert kept is not None
    return kept


@pytest.mark.parametrize(
    ("item", "user_id", "expected"),
    [
        pytest.param(attendance(), None, "2480", id="the authority it speaks for"),
        pytest.param(attendance(authority="9999"), None, None, id="an authority that we do not know"),
        pytest.param(attendance(authority=7), None, None, id="an authority that is no text"),
        pytest.param(attendance(authority="2480"), "1480", "1480", id="the broker's user, whatever it claims"),
        pytest.param(attendance(), "some-integration", "2480", id="a user that is no authority"),
        pytest.param(UNREADABLE, None, None, id="what cannot be read"),
    ],
)
def test_a_refused_message_belongs_to(item: Any, user_id: str | None, expected: str | None) -> None:
    assert responsible(Publishers(BOTH).arrival(b"", user_id), item) == expected


def test_a_user_that_is_an_authority_speaks_for_itself_alone() -> None:
    assert Publishers(BOTH).arrival(b"{}", "1480").authorities == {"1480"}
    assert Publishers(BOTH).arrival(b"{}", "guest").authorities == BOTH


def test_the_same_content_has_the_same_id_and_other_content_or_authority_another() -> None:
    item = attendance()
    arrival = Arrival(text(item), BOTH, "2480")
    first = keep(arrival, item)
    assert first.id == keep(arrival, dict(reversed(item.items()))).id
    assert first.id != keep(Arrival(text(item), BOTH, "1480"), item).id
    assert first.id != keep(arrival, attendance(id="2")).id


def test_unreadable_text_is_kept_up_to_its_limit() -> None:
    assert keep(Arrival(b"{" * (LONGEST_CONTENT + 1), BOTH, "2480"), UNREADABLE).content is None
    assert keep(Arrival(b"{\xff", BOTH, "2480"), UNREADABLE).content == "{\ufffd"
    assert unreadable(UNREADABLE).errors[0].expected == "cut"


def test_content_that_is_too_long_is_not_kept() -> None:
    item = attendance(data={"extra": "x" * LONGEST_CONTENT})
    assert keep(Arrival(text(item), BOTH, "2480"), item).content is None


def refuse(found: Refusals, number: int, errors: tuple[FieldError, ...]) -> tuple[Outcome, Rejected | None]:
    item = attendance(id=str(number))
    return found.add(Arrival(text(item), BOTH, "2480"), item, item, Reject("bad", errors))


def test_of_a_request_the_first_hundred_are_kept_and_the_rest_is_summed_up() -> None:
    found = refusals(Door.HTTP)
    faults = [FieldError("$.data.minutes", "0", "more"), FieldError("$.data.state", '"x"', "a state")]
    told = [refuse(found, number, (faults[number % 10 == 0],)) for number in range(10_000)]
    assert [outcome.is_kept for outcome, _ in told] == [True] * 100 + [False] * 9900
    assert [kept is not None for _, kept in told] == [True] * 100 + [False] * 9900
    assert all(outcome.errors[0] in faults for outcome, _ in told)
    rest = found.sum()
    assert rest is not None
    assert (rest.items, rest.authority, rest.content) == (9900, "2480", None)
    assert rest.errors == (
        FieldError("$.data.minutes", "8910 items", "more"),
        FieldError("$.data.state", "990 items", "a state"),
    )


def test_the_same_rest_has_the_same_id() -> None:
    def rest(first: int) -> str:
        found = refusals(Door.HTTP)
        for number in range(first, first + 150):
            refuse(found, number, ())
        summed = found.sum()
        assert summed is not None
        return summed.id

    assert rest(0) == rest(0)
    assert rest(0) != rest(1)


def test_few_are_all_kept_and_messages_always() -> None:
    few = refusals(Door.HTTP)
    messages = refusals(Door.AMQP)
    assert all(refuse(few, number, ())[1] for number in range(100))
    assert all(refuse(messages, number, ())[1] for number in range(500))
    assert few.sum() is None
    assert messages.sum() is None


def test_the_faults_told_are_bounded_and_the_rest_counted() -> None:
    found = refusals(Door.HTTP)
    many = tuple(FieldError(f"$.data.scope[{number}]", "1", "a text") for number in range(1000))
    outcome, kept = refuse(found, 0, many)
    assert kept is not None
    assert outcome.errors == kept.errors
    assert outcome.errors[:-1] == many[:MOST_ERRORS]
    assert outcome.errors[-1].found == "980 more faults"
    told = sum(len(refuse(found, number, many)[0].errors) for number in range(1, 10_000))
    assert told < MOST_ERRORS_OF_ALL + 2 * 10_000 + MOST_ERRORS
