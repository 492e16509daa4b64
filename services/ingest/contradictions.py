"""Statements that contradict what is known of who somebody is: refused and shown, never guessed.

Such an event is kept among the rejected; a person who has looked at it may confirm it.
"""

from __future__ import annotations

import re
import unicodedata

from shared.errors import FieldError, Reject

NATIONAL_ID, STAFF = "national_id", "staff"


class Contradiction(Reject):
    """What is known says otherwise. `kind`: as the metric counts it."""

    def __init__(self, kind: str, reason: str, error: FieldError) -> None:
        super().__init__(reason, (error,))
        self.kind = kind


_IN_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_PARTICLES = frozenset({"af", "av", "de", "den", "der", "di", "du", "la", "le", "van", "von", "y"})
_TITLES = frozenset(
    {"coach", "elev", "koordinator", "kurator", "lärare", "mentor", "principal", "rektor", "teacher", "vikarie"}
)
"""Particles and titles: two people who have nothing else in common have no name in common."""


def words(*names: str | None) -> frozenset[str]:
    """The words of a person's names, for comparing them: without case, in Unicode NFC; a hyphen parts words.

    What stands in brackets, particles and titles are left out, unless there is nothing else.
    """
    text = " ".join(name for name in names if name)
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    found = _parts(_IN_BRACKETS.sub(" ", folded))
    return found - _PARTICLES - _TITLES or found or _parts(folded)


def _parts(text: str) -> frozenset[str]:
    return frozenset(word for word in re.split(r"[\s,()\[\]-]+", text) if word)
