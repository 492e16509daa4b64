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


def words(*names: str | None) -> frozenset[str]:
    """The words of a person's names, for comparing them: without case, in Unicode NFC; a hyphen parts words."""
    text = " ".join(name for name in names if name)
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return frozenset(word for word in re.split(r"[\s,-]+", folded) if word)
