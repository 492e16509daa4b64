"""Errors in words that hold nothing of what was being worked on.

The text of an error is made from data more often than not: a database's quotes the whole operation, a validator's the value it
found, a lookup's the key. So an error of somebody else is told by its class, by the code the other side gives it, and by the
places in our code that it came through; only what Kvar raises on purpose is quoted. Everything has a longest length.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import ValidationError

from shared.errors import KvarError

LONGEST_NAME = 300
LONGEST_TRACE = 8_000
DEEPEST_CHAIN = 5
INNERMOST_FRAMES = 20
MOST_KINDS = 3

_KINDS_ALONE = {"include_url": False, "include_input": False, "include_context": False}

ErrorT = TypeVar("ErrorT", bound=BaseException)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and end around a mark, `longest` characters at most (and never less than the mark)."""
    if len(text) <= longest:
        return text
    mark = f"… ({len(text)} characters) …"
    left = max(0, longest - len(mark))
    return text[: left - left // 2] + mark + text[len(text) - left // 2 :]


def named(error: BaseException) -> str:
    """Kind and reason in one line, without data; 300 characters at most."""
    kind = type(error).__name__
    reason = str(error) if isinstance(error, KvarError) else _reason(error)
    return cut(f"{kind}: {reason}" if reason else kind, LONGEST_NAME)


def traced(error: BaseException, longest: int = LONGEST_TRACE) -> str:
    """The stack of an error and of those that it came from, each by its name; `longest` characters at most."""
    return cut("\n".join(reversed([_told(each) for each in _chain(error)])), longest)


def without_frames(error: ErrorT) -> ErrorT:
    """The same error without the variables of the functions that it came through, for one that is kept: they may hold a batch."""
    for each in _chain(error):
        traceback.clear_frames(each.__traceback__)
    return error


def _reason(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return ", ".join(sorted({str(each["type"]) for each in error.errors(**_KINDS_ALONE)})[:MOST_KINDS])
    if isinstance(error, BaseExceptionGroup):
        return ", ".join([type(each).__name__ for each in error.exceptions[:MOST_KINDS]])
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    if not isinstance(details, Mapping):
        details = {}
    if code is None:
        code = details.get("code")
    names = [_identifier(details.get("codeName")), f"({code})" if isinstance(code, int) else ""]
    return " ".join(name for name in names if name)


def _identifier(value: object) -> str:
    return value if isinstance(value, str) and value.isidentifier() else ""


def _told(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__, limit=-INNERMOST_FRAMES)
    return "".join(["Traceback (most recent call last):\n", *traceback.format_list(frames), named(error)])


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, the one that it came from, and so on."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen and len(seen) < DEEPEST_CHAIN:
        yield each
        seen.add(id(each))
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
