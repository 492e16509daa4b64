"""What arrives at the door and what becomes of it, whichever door it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.errors import FieldError


class Door(StrEnum):
    """How an item came."""

    HTTP = "http"
    AMQP = "amqp"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Of an arrival that cannot be read as JSON, or need not be: why, in one word for all such and in detail."""

    reason: str
    fault: FieldError


@dataclass(frozen=True, slots=True)
class Arrival:
    """One item as it came. It is read when its turn comes: what waits takes no more room than it did on the way.

    `text`: what should be its JSON. `authorities`: whom its publisher may speak for. `publisher`: the authority that it
    certainly came from; None when the door cannot tell. `is_confirmed`: somebody has looked at it and says that it is right
    although it contradicts what is known.
    """

    text: bytes
    authorities: AbstractSet[str]
    publisher: str | None
    is_confirmed: bool = False


class Status(StrEnum):
    """What became of an item."""

    ACCEPTED = "accepted"
    """Archived, and confirmed by the broker."""
    DUPLICATE = "duplicate"
    """This source and id was accepted before; nothing was done."""
    REJECTED = "rejected"
    """Refused and kept: bad for ever as it is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for one item. `id` is the event's own, as far as it can be read. `is_kept`: what is refused can be seen and
    sent again; else it is only counted among the others of its request.
    """

    status: Status
    id: str | None
    errors: tuple[FieldError, ...] = ()
    note: str | None = None
    is_kept: bool = True


Turn = Callable[[], AbstractAsyncContextManager[None]]


class Receiver(Protocol):
    """The core, as a door sees it."""

    async def receive(
        self, arrivals: Sequence[Arrival], *, door: Door, now: datetime, turn: Turn = nullcontext
    ) -> list[Outcome]:
        """Takes items in order; returns what became of each, when that is certain.

        Args:
            arrivals: the items. Those of one request, when the door is HTTP.
            door: how they came.
            now: time of receipt, stamped on each as `recordedtime` (to the millisecond, which is what the archive keeps).
            turn: waited for before each few hundred items, so that others have theirs in between.

        Raises:
            Outage: broker or database are away. Nothing may be told as accepted; the same items may be sent again.
        """
