"""From a refusal to what is told of it, and to what is kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ingest.arrivals import Arrival, Door, Outcome, Status, Unreadable
from services.ingest.pseudonyms import KeyedHashes
from services.ingest.rejected import LONGEST_CONTENT, Rejected
from shared.errors import FieldError, Reject
from shared.events import canonical_json

LONGEST_ID = 255
MOST_ERRORS = 20
"""Faults told and kept of one item; the last then says how many more there are."""
MOST_ERRORS_OF_ALL = 20_000
"""Faults told of one request beyond the first of each item: some 5 MB."""
KEPT_OF_A_REQUEST = 100
"""Refused items of one HTTP request that are kept one by one. Its publisher has all of them, and is told what is wrong with
each; a fault of all is seen from a hundred, and mended at its source."""
KINDS_OF_FAULTS = 20
"""Told of those that are summed up, the most frequent first."""
MOST_KINDS = 1000


@dataclass(slots=True)
class Refusals:
    """What is refused of the items that came together: of one request, or of one batch of messages."""

    hashes: KeyedHashes
    door: Door
    now: datetime
    kept: int = 0
    summed: int = 0
    told: int = 0
    _kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    _digest: Any = field(default_factory=hashlib.sha256)
    _authority: str | None = None

    def add(self, arrival: Arrival, item: Any, cleaned: Any, refusal: Reject) -> tuple[Outcome, Rejected | None]:
        """What is told of a refused item, and what is to be kept of it: None when it is summed up with others.

        Args:
            arrival: the item as it came.
            item: as it was read.
            cleaned: the item without forbidden fields; None when it could not even be cleaned: then nothing of it is kept.
            refusal: why.
        """
        errors = self._told(refusal.errors)
        # A message's publisher hears nothing: each is kept, and the room that an authority has for such is the only bound.
        is_kept = self.door is not Door.HTTP or self.kept < KEPT_OF_A_REQUEST
        outcome = Outcome(Status.REJECTED, event_id(item), errors, is_kept=is_kept)
        if is_kept:
            self.kept += 1
            return outcome, self._rejected(arrival, item, cleaned, refusal.reason, errors)
        self.summed += 1
        self._authority = arrival.publisher
        self._digest.update(hashlib.sha256(arrival.text).digest())
        for error in errors[:1] or (FieldError("$", "", refusal.reason),):
            kind = (error.path, error.expected)
            self._kinds[kind if kind in self._kinds or len(self._kinds) < MOST_KINDS else ("$", "other")] += 1
        return outcome, None

    def sum(self) -> Rejected | None:
        """What is kept of all that is not kept one by one."""
        if not self.summed:
            return None
        return Rejected(
            id=self.hashes.of_content(self._authority or "", self._digest.digest())[:32],
            authority=self._authority,
            door=self.door.value,
            received_at=self.now,
            last_seen_at=self.now,
            content=None,
            reason=f"further refused items of one request, beyond the first {KEPT_OF_A_REQUEST}: not kept, to be sent again",
            errors=tuple(
                FieldError(path, f"{count} items", expected)
                for (path, expected), count in self._kinds.most_common(KINDS_OF_FAULTS)
            ),
            items=self.summed,
        )

    def _told(self, errors: tuple[FieldError, ...]) -> tuple[FieldError, ...]:
        most = MOST_ERRORS if self.told < MOST_ERRORS_OF_ALL else 1
        if len(errors) > most:
            errors = (*errors[:most], FieldError("$", f"{len(errors) - most} more faults", "to be told after these"))
        self.told += len(errors)
        return errors

    def _rejected(
        self, arrival: Arrival, item: Any, cleaned: Any, reason: str, errors: tuple[FieldError, ...]
    ) -> Rejected:
        authority = responsible(arrival, item)
        text = arrival.text if isinstance(item, Unreadable) else canonical_json(cleaned)
        is_known = cleaned is not None or isinstance(item, Unreadable)
        return Rejected(
            id=self.hashes.of_content(authority or "", text)[:32],
            authority=authority,
            door=self.door.value,
            received_at=self.now,
            last_seen_at=self.now,
            content=text.decode(errors="replace") if is_known and len(text) <= LONGEST_CONTENT else None,
            reason=reason,
            errors=errors,
        )


def unreadable(item: Unreadable) -> Reject:
    """The refusal of what is no JSON, or is not read."""
    return Reject(item.reason, (item.fault,))


def event_id(item: Any) -> str | None:
    """The event's own id, as far as it can be read."""
    value = item.get("id") if isinstance(item, dict) else None
    return value[:LONGEST_ID] if isinstance(value, str) else None


def responsible(arrival: Arrival, item: Any) -> str | None:
    """The authority that may read the refused item: the publisher, else the one that it speaks for if it may."""
    if arrival.publisher is not None:
        return arrival.publisher
    claimed = item.get("authority") if isinstance(item, dict) else None
    return claimed if isinstance(claimed, str) and claimed in arrival.authorities else None
