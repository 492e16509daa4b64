"""Long texts in Unicode NFC. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

MOST_MARKS = 30
"""Marks in a row on one letter, beyond which a text is not put in order: what Unicode calls a stream-safe text has no more
(UAX #15, 13), and no language needs ten. Putting them in order takes as long as their number squared: half a minute for those
that fit in one event.
"""
_FIRST, _LAST = 0x300, 0x1FFFF
"""All marks stand in the first two planes of Unicode."""


def _is_mark(character: str) -> bool:
    """Whether it, or what it is made of, comes behind a letter and in an order of its own."""
    return unicodedata.combining(unicodedata.normalize("NFD", character)[0]) > 0


_MARKS = frozenset(filter(_is_mark, map(chr, range(_FIRST, _LAST + 1))))


def in_nfc(text: str) -> str:
    """The text in NFC, in a time that grows with its length; runs of more than `MOST_MARKS` marks stay as they are."""
    if text.isascii():
        return text
    parts, done = [], 0
    for start, end in _runs(text):
        parts += [unicodedata.normalize("NFC", text[done:start]), text[start:end]]
        done = end
    return "".join([*parts, unicodedata.normalize("NFC", text[done:])])


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Where more than `MOST_MARKS` marks follow each other: at each of so many characters one look finds them all."""
    end = 0
    for position in range(0, len(text), MOST_MARKS + 1):
        if position < end or text[position] not in _MARKS:
            continue
        start = position
        while start > end and text[start - 1] in _MARKS:
            start -= 1
        end = position + 1
        while end < len(text) and text[end] in _MARKS:
            end += 1
        if end - start > MOST_MARKS:
            yield start, end
