"""Errors in words: nothing of what was worked on, and never long."""

from __future__ import annotations

import errno
import weakref

import aiormq
import orjson
import pytest
from pydantic import BaseModel, ValidationError
from pymongo.errors import BulkWriteError, NotPrimaryError, OperationFailure

from shared.error_text import LONGEST_NAME, LONGEST_TRACE, cut, named, traced, without_frames
from shared.errors import FieldError, Outage, Reject

SECRET = "Åsa Öberg 200801032388"


class Model(BaseModel):
    """Something to validate."""

    minutes: int
    day: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as info:
        Model.model_validate({"minutes": SECRET})
    return info.value


def server_error() -> OperationFailure:
    return OperationFailure(SECRET, 14031, {"errmsg": SECRET, "codeName": "OutOfDiskSpace", "op": {"name": SECRET}})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Reject("bad", (FieldError("$.name", SECRET, "none"),)), "Reject: bad"),
        (Outage("away"), "Outage: away"),
        (ValueError(SECRET), "ValueError"),
        (KeyError(SECRET), "KeyError"),
        (invalid(), "ValidationError: int_parsing, missing"),
        (server_error(), "OperationFailure: OutOfDiskSpace (14031)"),
        (NotPrimaryError(SECRET, {"code": 10107, "errmsg": SECRET}), "NotPrimaryError: (10107)"),
        (BulkWriteError({"writeErrors": [{"op": SECRET}]}), "BulkWriteError: (65)"),
        (OperationFailure("", 1, {"codeName": f"no name: {SECRET}"}), "OperationFailure: (1)"),
        (OSError(errno.ECONNREFUSED, SECRET, SECRET), "ConnectionRefusedError: Connection refused"),
        (OSError(SECRET), "OSError"),
        (aiormq.ChannelPreconditionFailed(406, SECRET), "ChannelPreconditionFailed"),
        (ExceptionGroup(SECRET, [ValueError(SECRET)]), "ExceptionGroup: ValueError"),
        (orjson.JSONDecodeError("", SECRET, 0), "JSONDecodeError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_is_named_without_what_it_is_about(error: BaseException, text: str) -> None:
    assert named(error) == text


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as info:
        raise error from cause
    return info.value


def test_a_trace_names_every_error_of_the_chain_and_quotes_none() -> None:
    cause = raised(ValueError(SECRET))
    text = traced(raised(Outage("away"), cause))
    assert SECRET not in text
    assert text.index("\nValueError\n") < text.index("Outage: away")
    assert "test_error_text.py" in text
    assert "in raised" in text


def handling(*, aside: bool) -> None:
    try:
        int(SECRET)
    except ValueError:
        if aside:
            raise Outage("away") from None
        raise Outage("away")  # noqa: B904 - that is what is tested


def handled(*, aside: bool) -> Outage:
    with pytest.raises(Outage) as info:
        handling(aside=aside)
    return info.value


def test_what_an_error_met_while_another_was_handled_is_told_unless_it_was_set_aside() -> None:
    assert "ValueError" in traced(handled(aside=False))
    assert "ValueError" not in traced(handled(aside=True))


def test_errors_that_come_from_each_other_end() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    assert traced(one).count("ValueError") == 2


def deep(levels: int) -> None:
    if not levels:
        raise Reject("x" * 100_000)
    deep(levels - 1)


def test_nothing_is_long() -> None:
    with pytest.raises(Reject) as info:
        deep(500)
    assert len(named(info.value)) == LONGEST_NAME
    assert len(traced(info.value)) <= LONGEST_TRACE
    assert len(traced(info.value, 200)) == 200


@pytest.mark.parametrize(
    ("text", "longest", "result"),
    [
        ("short", 5, "short"),
        ("x" * 100 + "y" * 100, 50, "x" * 15 + "… (200 characters) …" + "y" * 15),
        ("x" * 100, 0, "… (100 characters) …"),
    ],
    ids=["short", "cut in the middle", "the mark alone"],
)
def test_a_text_is_cut_in_its_middle(text: str, longest: int, result: str) -> None:
    assert cut(text, longest) == result


class Large:
    """Stands for a batch."""


def failing(held: list[weakref.ref[Large]]) -> None:
    large = Large()
    held.append(weakref.ref(large))
    raise ValueError(SECRET)


def test_an_error_that_is_kept_keeps_nothing_else() -> None:
    held: list[weakref.ref[Large]] = []
    try:
        failing(held)
    except ValueError as caught:
        error = caught
    assert held[0]() is not None
    without_frames(error)
    assert held[0]() is None
    assert "in failing" in traced(error)
