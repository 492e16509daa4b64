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


_IN_BRACKETS = re.compile(r"\([^)]*\)?|\[[^\]]*\]?")
_PARTICLES = frozenset({"af", "av", "de", "den", "der", "di", "du", "la", "le", "van", "von", "y"})
_TITLES = frozenset(
    {
        "bitr",
        "biträdande",
        "coach",
        "doktor",
        "dr",
        "elev",
        "koordinator",
        "kurator",
        "lektor",
        "lärare",
        "mentor",
        "mentorer",
    }
    | {"principal", "prof", "professor", "rektor", "samordnare", "skolsköterska", "specialpedagog", "speciallärare"}
    | {"studievägledare", "syv", "teacher", "vik", "vikarie"}
)
"""Particles and titles: two people who have nothing else in common have no name in common."""


def words(*names: str | None) -> frozenset[str]:
    """The words of a person's names, for comparing them: without case, in Unicode NFC; a hyphen parts words.

    What stands in brackets, particles, titles and initials are left out, where anything else is left.
    """
    text = unicodedata.normalize("NFC", " ".join(name for name in names if name))
    found = _parts(_IN_BRACKETS.sub(" ", text))
    named = {word for word in found - _PARTICLES - _TITLES if len(word) > 1}
    return frozenset(named) or found or _parts(text)


def _parts(text: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFC", text.casefold())
    return frozenset(word for word in re.split(r"[\s,.()\[\]-]+", folded) if word)
