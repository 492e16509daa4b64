"""Whatever bytes come, reading them gives an event or a `Reject`: nothing that the retry ladder would try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Outage, Reject, decoding
from shared.events import read_event
from tests.builders import MONDAY, attendance, pseudonym

EVENT = attendance(pseudonym("åsa"), MONDAY)

HOSTILE = {
    "nothing": b"",
    "no text": b"\xff\xfe",
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "a list as type": b'{"type": []}',
    "an object as type": b'{"type": {}}',
    "a number as type": b'{"type": 1}',
    "no type": b"{}",
    "a NUL as type": b'{"type": "\\u0000"}',
    "a lone surrogate as type": b'{"type": "\\ud800"}',
    "a lone surrogate as subject": b'{"type": "%b", "subject": "\\udfff"}' % EVENT.type.encode(),
    "depth": b"[" * 100_000 + b"]" * 100_000,
    "depth within": b'{"type": "%b", "data": %b}' % (EVENT.type.encode(), b"[" * 900 + b"]" * 900),
    "a number without end": b'{"type": "%b", "data": %b}' % (EVENT.type.encode(), b"9" * 5_000),
    "a number beyond all": b'{"type": "%b", "data": 1e999}' % EVENT.type.encode(),
    "NaN": b'{"type": "%b", "data": NaN}' % EVENT.type.encode(),
    "data as a list": EVENT.encode().replace(b'"data":{', b'"data":[{').replace(b"}}", b"}]}"),
    "a year beyond all": EVENT.encode().replace(b"2026-", b"99999-"),
    "the first year": EVENT.encode().replace(b'"time":"2026', b'"time":"0000'),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_cannot_be_read_is_rejected(body: bytes) -> None:
    with pytest.raises(Reject):
        read_event(body)


@given(body=st.binary(max_size=200))
def test_any_bytes_are_an_event_or_rejected(body: bytes) -> None:
    with pytest.raises(Reject):
        read_event(body)


def test_an_event_is_read() -> None:
    assert read_event(EVENT.encode()) == EVENT


@pytest.mark.parametrize("error", [TypeError(), KeyError("a"), OverflowError(), RecursionError(), UnicodeError()])
def test_while_decoding_every_error_is_for_ever(error: Exception) -> None:
    with pytest.raises(Reject, match=f"cannot be read: {type(error).__name__}"), decoding():
        raise error


@pytest.mark.parametrize("error", [Outage("away"), Reject("bad"), MemoryError()])
def test_what_has_a_meaning_of_its_own_keeps_it(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, decoding():
        raise error
    assert raised.value is error
