"""A line of a log: one JSON object, with a longest length, and without what the texts of errors quote."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from shared.error_text import cut, named, traced
from shared.errors import KvarError

LONGEST_LINE = 8192
"""Bytes, the line's end not counted."""
LONGEST_TRACE = 5000
MOST_ITEMS = 20
MOST_BITS = 64
MOST_FIELDS = 50
SHORTEST_TEXT = 16
ESSENTIAL = ("time", "level", "logger", "service", "message")

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
"""What every record has."""


class LineFormatter(JsonFormatter):
    """Writes a record as a line. Errors in it (`exc_info`, arguments, extra fields) are told by `shared.error_text`, whoever
    logs them; what is too long is cut in its middle, with a mark.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line. Never fails: the logging module would print the record as it is."""
        try:
            return super().format(_without_texts(record))
        except Exception as error:  # noqa: BLE001 - see above
            message = f"a record could not be written: {type(error).__name__}"
            return json.dumps({"level": record.levelname, "logger": record.name, "message": message})

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class's name
        """The stack, without the texts of errors."""
        return traced(ei[1], LONGEST_TRACE) if ei[1] is not None else ""

    def serialize_log_record(self, log_data: dict[str, Any]) -> str:
        """The line, at most `LONGEST_LINE` bytes long."""
        for fields in (log_data, {name: log_data.get(name) for name in ESSENTIAL}):
            limit = LONGEST_LINE
            while limit >= SHORTEST_TEXT:
                line = self._line(fields, limit)
                if len(line.encode()) <= LONGEST_LINE:
                    return line
                limit //= 2
        raise ValueError("no line is short enough")

    def _line(self, log_data: dict[str, Any], limit: int) -> str:
        some = islice(log_data.items(), MOST_FIELDS)
        return str(super().serialize_log_record({name: _short(value, limit) for name, value in some}))


def _short(value: Any, limit: int) -> Any:
    """The value as something that JSON can hold, its texts at most so long."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MOST_BITS else f"a number of {value.bit_length()} bits"
    if isinstance(value, BaseException):
        return cut(named(value), limit)
    if isinstance(value, Mapping):
        return {cut(str(name), limit): _short(each, limit) for name, each in islice(value.items(), MOST_ITEMS)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_short(each, limit) for each in islice(value, MOST_ITEMS)]
    return cut(str(value), limit)


def _without_texts(record: logging.LogRecord) -> logging.LogRecord:
    """A copy whose message and extra fields name errors instead of quoting them."""
    told = copy.copy(record)
    told.msg, told.args = _message(record), None
    told.exc_text = None
    for name in told.__dict__.keys() - _PLAIN:
        if isinstance(error := told.__dict__[name], BaseException):
            told.__dict__[name] = named(error)
    return told


def _message(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    message = str(_named(record.msg))
    if record.args:
        arguments = record.args
        message %= (
            {name: _named(value) for name, value in arguments.items()}
            if isinstance(arguments, Mapping)
            else tuple(map(_named, arguments))
        )
    if record.name == "asyncio":
        # What follows is the representation of a task or of its error.
        message = message.partition("\n")[0]
    if error is not None and not isinstance(error, KvarError) and (text := str(error).strip()):
        message = message.replace(text, named(error))
    return message


def _named(value: object) -> object:
    return named(value) if isinstance(value, BaseException) else value
