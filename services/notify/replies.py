"""What a mail system's no means: whether the address is at fault, or we and the mail system are. Pure.

Codes: RFC 5321, section 4.2; enhanced codes: RFC 3463. Why so: `docs/decisions/0010-whose-fault-a-refusal-is.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

NO_FROM, PERMANENT_FROM = 400, 500
CLOSING = 421
"""The mail system goes; on no other reply it may (RFC 5321, 3.8)."""
PATIENCE = timedelta(hours=1)
"""How long an address may be put off, or everybody be refused, before it is looked at what became of other mails meanwhile.
Greylisting (RFC 6647) puts off for minutes, an hour at most.
"""

_ENHANCED = re.compile(r"5\.([0-9]{1,3})\.([0-9]{1,3})(?![0-9.])")
_OF_THE_ADDRESS = {"1", "2"}
"""Subjects: addressing, mailbox."""
_OF_THE_SENDER = {("1", "7"), ("1", "8")}
"""Of these only the details that speak of the sender's address, which is ours."""


class Step(StrEnum):
    """Where in a delivery the no was said."""

    SESSION = "session"
    """Greeting, EHLO, TLS, login."""
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Reply:
    """A no of the mail system: `code` 400…599, `text` without line breaks."""

    step: Step
    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()

    @property
    def is_permanent(self) -> bool:
        """Whether the same would be refused again, as the mail system sees it."""
        return self.code >= PERMANENT_FROM


@dataclass(frozen=True, slots=True)
class Spell:
    """What went before the no. `lasting`: since how long every attempt to tell of this alert has ended with one for everybody
    asked; `others_taken`: mails about others have been taken meanwhile.
    """

    lasting: timedelta = timedelta()
    others_taken: bool = False

    @property
    def is_long(self) -> bool:
        """Longer than a fault of the mail system should be silent about itself."""
        return self.lasting >= PATIENCE

    @property
    def is_new(self) -> bool:
        """Whether nothing speaks yet against a fault of the mail system."""
        return not self.is_long and not self.others_taken


class Fault(StrEnum):
    """Whose fault a no is."""

    OURS = "ours"
    """Ours or the mail system's: an outage, which ends. Nobody else is asked."""
    ADDRESS = "address"
    """The address's: it is passed over, and the next person is told."""
    OPEN = "open"
    """Shown by the next person in line: when that mail is taken it is the address's, when everybody is refused ours."""


def fault(reply: Reply, spell: Spell) -> Fault:
    """Whose fault a no is."""
    if reply.step in {Step.SESSION, Step.SENDER}:
        return Fault.OURS
    if reply.is_permanent and _names_the_address(reply.text):
        return Fault.ADDRESS
    if spell.is_long and spell.others_taken:
        return Fault.ADDRESS
    return Fault.OPEN if reply.is_permanent or spell.is_long else Fault.OURS


def _names_the_address(text: str) -> bool:
    found = _ENHANCED.match(text)
    return found is not None and found[1] in _OF_THE_ADDRESS and found.groups() not in _OF_THE_SENDER
