"""What may have to be done next with an alert whose lease is held. Decided in `changes` and `withdrawals`, done in `delivery`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.notify.alerts import Alert, Said, Telling
from shared.events import Level


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at this time: a mail is being handed over, or may have been, or must go out before."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Join:
    """A newer alert, still to be mailed, tells of this one too."""

    other: Alert


@dataclass(frozen=True, slots=True)
class Needless:
    """Nobody has to be told."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Of a change: a withdrawal names it, and it was never mailed."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Of a change: a newer alert has been told."""


@dataclass(frozen=True, slots=True)
class Gather:
    """Of a change: these older ones, which nobody was told of, join it; then decide again."""

    changes: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class TellChange:
    """Of a change: its mail tells this."""

    telling: Telling


@dataclass(frozen=True, slots=True)
class Close:
    """Of a withdrawal: the change that it names has not been mailed. Make that one final, then decide again."""

    change: Alert


@dataclass(frozen=True, slots=True)
class TellWithdrawn:
    """Of a withdrawal: these mailed changes no longer apply; `said` is the newest word on the level."""

    changes: tuple[Alert, ...]
    said: Said


@dataclass(frozen=True, slots=True)
class TellLevel:
    """Of a withdrawal: no mailed change is wrong, but the level last told, `before`, is no longer the level."""

    before: Level


ChangeVerdict = Wait | Join | Needless | Withdrawn | Superseded | Gather | TellChange
WithdrawalVerdict = Wait | Join | Needless | Close | TellWithdrawn | TellLevel
