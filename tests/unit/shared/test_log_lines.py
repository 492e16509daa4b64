"""Lines of a log: one JSON object each, never longer than a line may be, and without the texts of errors."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pymongo.errors import BulkWriteError

from shared.errors import Reject
from shared.log_lines import LONGEST_LINE, LineFormatter

SECRET = "Åsa Öberg 200801032388"
GIANT = 3_000_000


logger = logging.getLogger("tests.lines")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the logger and asyncio's write, and nobody else."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        LineFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": "test"},
        )
    )
    written_by = (logger, logging.getLogger("asyncio"))
    for one in written_by:
        one.addHandler(handler)
        one.propagate = False
    yield stream
    for one in written_by:
        one.removeHandler(handler)
        one.propagate = True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    found = stream.getvalue().splitlines()
    assert all(len(line.encode()) <= LONGEST_LINE for line in found)
    return [json.loads(line) for line in found]


def giant_error() -> BulkWriteError:
    return BulkWriteError({"writeErrors": [{"code": 17419, "op": {"name": SECRET, "state": "x" * GIANT}}]})


@pytest.mark.parametrize(
    "character", ["x", "å", "😀", '"', "\n"], ids=["ascii", "two bytes", "four bytes", "quote", "break"]
)
def test_a_giant_message_is_cut_with_a_mark(written: io.StringIO, character: str) -> None:
    logger.warning(character * GIANT)
    [line] = lines(written)
    assert f"({GIANT} characters)" in line["message"]
    assert line["level"] == "WARNING"
    assert line["service"] == "test"


@pytest.mark.parametrize(
    "value",
    [
        "x" * GIANT,
        ["x" * GIANT] * 50,
        {f"{number}" * 1000: "x" * 10_000 for number in range(1000)},
        10**6000,
        {"deep": [{"deeper": ["x" * GIANT]}]},
        b"x" * GIANT,
    ],
    ids=["text", "list", "mapping", "number", "nested", "bytes"],
)
def test_a_giant_field_is_cut(written: io.StringIO, value: object) -> None:
    logger.warning("what is said", extra={"value": value, "other": "kept"})
    [line] = lines(written)
    assert line["message"] == "what is said"
    assert line["other"] == "kept"


def test_a_giant_error_is_named(written: io.StringIO) -> None:
    try:
        raise giant_error()
    except BulkWriteError:
        logger.exception("failed", extra={"more": "y" * GIANT})
    [line] = lines(written)
    assert "BulkWriteError: (65)" in line["exc_info"]
    assert "test_a_giant_error_is_named" in line["exc_info"]
    assert SECRET not in written.getvalue()


@pytest.mark.parametrize("name", ["field", "x" * 10_000], ids=["many", "with long names"])
def test_more_fields_than_a_line_can_hold(written: io.StringIO, name: str) -> None:
    logger.warning("said", extra={f"{name}_{number}": "x" for number in range(5000)})
    [line] = lines(written)
    assert (line["message"], line["level"], line["logger"]) == ("said", "WARNING", "tests.lines")


def test_errors_are_named_wherever_they_stand(written: io.StringIO) -> None:
    error = ValueError(SECRET)
    logger.warning("as argument: %s %r", error, error)
    logger.warning("by name: %(error)s", {"error": error})
    logger.warning(error)
    logger.warning("as field", extra={"error": error, "errors": [error]})
    found = lines(written)
    messages = ["as argument: ValueError 'ValueError'", "by name: ValueError", "ValueError", "as field"]
    assert [line["message"] for line in found] == messages
    assert found[3]["error"] == "ValueError"
    assert SECRET not in written.getvalue()


def test_frameworks_that_write_the_text_of_an_error_into_their_message(written: io.StringIO) -> None:
    """As FastStream does."""
    error = KeyError(SECRET)
    logger.error(f"{type(error).__name__}: {error}", exc_info=error)
    [line] = lines(written)
    assert line["message"] == "KeyError: KeyError"
    assert SECRET not in written.getvalue()


def test_what_kvar_raises_on_purpose_is_quoted(written: io.StringIO) -> None:
    logger.error("Reject: bad", exc_info=Reject("bad"))
    [line] = lines(written)
    assert line["message"] == "Reject: bad"
    assert line["exc_info"].endswith("Reject: bad")


def test_an_error_of_a_task_that_nobody_asks(written: io.StringIO) -> None:
    async def failing() -> None:
        raise ValueError(SECRET)

    async def scene() -> None:
        task = asyncio.create_task(failing(), name=SECRET)
        await asyncio.wait([task])
        del task

    asyncio.run(scene())
    [line] = [line for line in lines(written) if line["logger"] == "asyncio" and line["level"] == "ERROR"]
    assert line["message"] == "Task exception was never retrieved"
    assert "in failing" in line["exc_info"]
    assert SECRET not in written.getvalue()


def test_a_validation_error_shows_no_value(written: io.StringIO) -> None:
    class Model(BaseModel):
        minutes: int

    try:
        Model.model_validate({"minutes": SECRET})
    except ValidationError:
        logger.exception("bad")
    assert SECRET not in json.dumps(lines(written), ensure_ascii=False)


class Unprintable:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ValueError(SECRET)


@pytest.mark.parametrize(
    ("message", "arguments", "error"),
    [("what is said %s", (Unprintable(),), "ValueError"), ("too many %s", (1, 2), "TypeError")],
    ids=["an argument that cannot be shown", "too many arguments"],
)
def test_a_record_that_cannot_be_written_is_told_of(message: str, arguments: tuple[object, ...], error: str) -> None:
    """Else the logging module would print it as it is."""
    record = logging.LogRecord("x", logging.WARNING, "", 0, message, arguments, None)
    assert json.loads(LineFormatter().format(record)) == {
        "level": "WARNING",
        "logger": "x",
        "message": f"a record could not be written: {error}",
    }
