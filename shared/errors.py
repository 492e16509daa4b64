"""The kinds of failure, and who reacts to each.

KvarError
├── Reject   bad for ever: back to the publisher or parked at once, never tried again
│   └── Unstorable   no database can hold it
├── Retry    not now: the message goes down the retry ladder and comes back later
├── Stale    another replica was faster: re-read and redo, at once and in place
└── Outage   broker, database or a service beside us is away: nobody's fault, keep the work and wait
    └── Unclear      an outage, or the fault of what was asked
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class KvarError(Exception):
    """Root of all failures that Kvar raises on purpose."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field, in words a publisher can act on.

    `path` is a JSON path (`$.data.minutes`), `found` what stood there (shortened), `expected` what should have.
    """

    path: str
    found: str
    expected: str


class Reject(KvarError):
    """The content is bad and stays so. Reaction: refuse it, name the fields, keep it where it can be seen."""

    def __init__(self, reason: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errors = errors


class Unstorable(Reject):
    """The database can never hold it as it is: too large, or a value that it has no form for."""


class Retry(KvarError):
    """It may work later without anybody's help. Reaction: the retry ladder, then parking."""


class Stale(KvarError):
    """A compare-and-set lost against another writer. Reaction: re-read and redo only what lost."""


class Outage(KvarError):
    """Something we depend on is unreachable. Reaction: keep the work unacknowledged and try again in place."""


class Unclear(Outage):
    """The other side failed in a way that does not tell whose fault it is. Reaction: ask whether it works otherwise
    (`shared.waiting` does): if not, it is an outage; if so, what was asked is at fault, which is a `Retry`.
    """


@contextmanager
def decoding() -> Iterator[None]:
    """Around everything that reads content and nothing else: what fails there fails for ever, whatever the error is called.

    Raises:
        Reject: instead of any error that is none of ours.
    """
    try:
        yield
    except (KvarError, MemoryError):
        raise
    except Exception as error:
        raise Reject(f"the content cannot be read: {type(error).__name__}") from error
