"""An alert: one message about a student's level that somebody may have to be told about, and the states it goes through.

A change of level:

    due ──> sending ──> sent         the mail system has taken the mail
     ^  │      ├──────> uncertain    handed over as often as may be, and never an answer: the mail may be out, and counts as told
     │  │      ├──────> superseded   a newer message of the same student has been mailed, or was stored first
     │  │      ├──────> withdrawn    a withdrawal names it; never mailed
     │  │      ├──────> withheld     the student has died
     │  └──────┤
     │         ├──────> joined       a newer change tells of this one too: nobody could be told of it in its time
     │         ├──────> needless     nobody was told of what it takes back
     │         ├──────> pending        nobody is known who could be told ─┐ looked at again when staff or enrolments change,
     │         └──────> undeliverable  every address was refused ─────────┘ and from time to time
     └── (mail system or ingest away, or everybody refused: again later)

The mail system has three answers: yes, no and none. After a no nothing is out. After none the mail may be out: it is handed over
again after pauses of minutes, three times at most, and that it was begun is noted in the database before the content goes.

A withdrawal of an earlier change goes the same way, with other ends than superseded and withdrawn:

    sending ──> sent       whoever was told of the change has been told that it no longer applies
       ├──────> needless   the change was never mailed, and nobody believes in a level that is not so
       └──────> joined     a newer withdrawal for the same person tells of this one too

What exactly a change needs is decided in `changes`, a withdrawal in `withdrawals`. An alert that is not final always has
`due_at`: when it is looked at next. `sending` is a lease: when it runs out, its holder is taken for dead and another replica
goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.notify.recipients import Address
from shared.events import AlertWithdrawn, Level, RiskLevelChanged

LEASE = timedelta(seconds=20)
"""How long an alert stays untouched after its holder has died."""

RENEWAL = timedelta(seconds=6)
"""How often a living holder prolongs its lease; two renewals may fail before it is lost."""

GRACE = timedelta(seconds=10)
"""How long an alert waits for an unknown coach before a coordinator or principal is told instead."""

GATHER = timedelta(seconds=5)
"""How long a withdrawal waits for others of the same correction, so that one mail can tell of all of them."""

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(seconds=60)
LONGEST_RETRY_REFUSED = timedelta(minutes=5)
"""What answers with a no is not to be asked each minute."""
REPEAT_AFTER = (timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=30))
"""Pauses before a mail that may be out is handed over again."""
REFUSAL_HOLDS = timedelta(days=1)
"""How long a refused address is not asked for again: mailboxes are mended, and faults of mail systems pass."""
FIRST_LOOK = timedelta(seconds=5)
LONGEST_LOOK = timedelta(minutes=5)

Said = RiskLevelChanged | AlertWithdrawn
"""What scoring says of a student's level."""


class AlertState(StrEnum):
    """See the module."""

    DUE = "due"
    SENDING = "sending"
    PENDING = "pending"
    UNDELIVERABLE = "undeliverable"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    WITHHELD = "withheld"
    NEEDLESS = "needless"
    JOINED = "joined"


WAITING = (AlertState.PENDING, AlertState.UNDELIVERABLE)
"""For want of somebody to tell."""

OPEN = (AlertState.DUE, AlertState.SENDING, *WAITING)
"""Not final."""

TOLD = (AlertState.SENT, AlertState.UNCERTAIN)
"""Somebody has been mailed, or may well have been, and is not mailed again."""

UNTOLD = (*OPEN, AlertState.UNCERTAIN)
"""Somebody may not know what they should."""

SPOKEN = (AlertState.SENDING, *TOLD, AlertState.NEEDLESS)
"""Nothing older may be mailed after it. A needless one has made sure that what was told before is right."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no to an address. `answer`: code and text as the mail system gave them, or why nobody can be written to there."""

    staff: str
    email: str
    answer: str
    at: datetime

    @property
    def address(self) -> Address:
        """What was refused."""
        return self.staff, self.email


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A mail that may be out: the mail system was given it, and no answer was heard.

    `times`: how often; the rest is of the last time: to whom, in which role, with which level as the present one.
    """

    times: int
    staff: str
    role: str
    level: Level

    @property
    def repeat_after(self) -> timedelta | None:
        """How long to wait before it is handed over again; nothing when it has been often enough."""
        return REPEAT_AFTER[self.times - 1] if self.times <= len(REPEAT_AFTER) else None


@dataclass(frozen=True, slots=True)
class Detour:
    """A level that the student had between two mails, and that nobody was told of.

    `alert`: id of the change that brought it, `since`: the day; nothing when it is known only by what followed it.
    """

    level: Level
    alert: str | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """What the mail of a change tells beside its level now. `before`: the level that was told last."""

    before: Level
    detour: Detour | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One change of level of one student, or the withdrawal of one. `id` is `{student}:{n}`; `rev` guards every write.

    Attributes:
        state: As stored when it was read.
        due_at: When it is looked at next; nothing when final.
        failures: Attempts in a row that found the mail system or ingest away, or nobody to tell.
        waited: Somebody to tell has been looked for in vain at least once.
        handed_over: The mail may be out; nothing when it certainly is not, or certainly is.
        refused_since: Since when every attempt has ended with a no of the mail system to everybody asked.
        telling: What the mail of a change tells, noted before it is handed over.
        told: Staff id and role of the person mailed; nothing before.
        level_told: The level that the mail gave as the present one; nothing before.
        joined: Id of the newer alert that tells of this one too.
    """

    id: str
    student: str
    authority: str
    change: Said
    state: AlertState
    created_at: datetime
    rev: int
    due_at: datetime | None = None
    failures: int = 0
    waited: bool = False
    handed_over: HandedOver | None = None
    refused_since: datetime | None = None
    refusals: tuple[Refusal, ...] = field(default=())
    telling: Telling | None = None
    told: tuple[str, str] | None = None
    level_told: Level | None = None
    sent_at: datetime | None = None
    problem: str | None = None
    joined: str | None = None

    def refused(self, now: datetime) -> tuple[Refusal, ...]:
        """The refusals that hold still."""
        return tuple(refusal for refusal in self.refusals if now < refusal.at + REFUSAL_HOLDS)

    @property
    def begun(self) -> bool:
        """Whether the mail system may have taken the mail although nobody heard its answer."""
        return self.handed_over is not None

    @property
    def withdraws(self) -> str | None:
        """Id of the change of level that a withdrawal names; nothing for a change."""
        return self.change.alert if isinstance(self.change, AlertWithdrawn) else None

    @property
    def unsettled(self) -> bool:
        """Whether a mail of it is being handed over, or may have been: only its own next attempt can tell."""
        return self.state is AlertState.SENDING or (self.begun and self.state in OPEN)

    @property
    def abandoned(self) -> bool:
        """Whether a holder that is dead may have handed the mail over."""
        return self.state is AlertState.SENDING and self.begun


def retry_after(failures: int, *, is_refused: bool = False) -> timedelta:
    """Pause after an attempt that met an outage; `failures` counts this one. `is_refused`: the mail system answered with a no."""
    longest = LONGEST_RETRY_REFUSED if is_refused else LONGEST_RETRY
    return min(FIRST_RETRY * (1 << min(failures - 1, 10)), longest)


def look_after(failures: int) -> timedelta:
    """Pause before looking again for somebody to tell; staff and enrolment events end it early."""
    return min(FIRST_LOOK * (1 << min(failures - 1, 10)), LONGEST_LOOK)


def message_id(alert_id: str, sender: str) -> str:
    """The mail's `Message-ID`: the same at every attempt, so that mail systems recognise a repetition.

    `p_…:3` from `kvar@example.se` → `<p_….3@example.se>`. `sender` is a plain address.
    """
    return f"<{alert_id.replace(':', '.')}@{sender.rsplit('@', 1)[1]}>"
