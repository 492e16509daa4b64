"""From a refusal to what is kept of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.ingest.arrivals import Arrival, Door, Unreadable
from services.ingest.pseudonyms import KeyedHashes
from services.ingest.rejected import LONGEST_CONTENT, Rejected
from shared.errors import FieldError, Reject
from shared.events import canonical_json

LONGEST_ID = 255


def unreadable(text: Unreadable) -> Reject:
    """The refusal of what is no JSON."""
    return Reject("no JSON", (FieldError("$", "text that is no JSON", text.complaint),))


def event_id(item: Any) -> str | None:
    """The event's own id, as far as it can be read."""
    value = item.get("id") if isinstance(item, dict) else None
    return value[:LONGEST_ID] if isinstance(value, str) else None


def responsible(arrival: Arrival) -> str | None:
    """The authority that may read the refused item: the publisher, else the one that it speaks for if it may."""
    if arrival.publisher is not None:
        return arrival.publisher
    claimed = arrival.item.get("authority") if isinstance(arrival.item, dict) else None
    return claimed if isinstance(claimed, str) and claimed in arrival.authorities else None


def refused(
    arrival: Arrival, cleaned: Any, refusal: Reject, *, door: Door, now: datetime, hashes: KeyedHashes
) -> Rejected:
    """What is kept of a refused item.

    Args:
        arrival: the item as it came.
        cleaned: the item without forbidden fields; None when it could not even be cleaned: then nothing of it is kept.
        refusal: why.
        door: how it came.
        now: time of receipt.
        hashes: for the digest by which a repetition is recognised.
    """
    authority = responsible(arrival)
    text = arrival.item.text if isinstance(arrival.item, Unreadable) else canonical_json(cleaned).decode()
    identity = hashes.of_content(authority or "", text.encode())[:32]
    is_known = cleaned is not None or isinstance(arrival.item, Unreadable)
    return Rejected(
        id=identity,
        authority=authority,
        door=door.value,
        received_at=now,
        last_seen_at=now,
        content=text if is_known and len(text) <= LONGEST_CONTENT else None,
        reason=refusal.reason,
        errors=refusal.errors,
    )
