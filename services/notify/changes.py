"""What a change of level needs, decided from all stored alerts of the student. Pure.

A mail starts from the level that somebody was told last, not from one that nobody heard of. So changes that wait for somebody to
tell join the newest one, and its mail tells what they come to together. Where the level was somewhere else in between, risen
and fallen back say, the mail tells that too: a fall is no good news to whoever never heard of the rise.

Two replicas, at an older and at a newer change in the same moment, cannot miss each other: each writes its claim (`sending`)
before it reads the other's state; the newer one waits for an older one that is being handed over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.notify.alerts import OPEN, SPOKEN, TOLD, WAITING, Alert, AlertState, Detour, Telling
from services.notify.verdicts import (
    ChangeVerdict,
    Gather,
    Join,
    Needless,
    Superseded,
    TellChange,
    Wait,
    Withdrawn,
)
from shared.events import Level

GATHERED = (*WAITING, AlertState.SUPERSEDED, AlertState.JOINED)
"""States of changes that were not mailed and may join another."""


def decide(alert: Alert, known: Sequence[Alert]) -> ChangeVerdict:
    """What is to be done next with a change of level whose lease is held. `known`: all stored alerts of the student."""
    n = alert.change.n
    withdrawn = {other.withdraws for other in known}
    older, newer = [a for a in known if a.change.n < n], [a for a in known if a.change.n > n]
    if alert.begun:
        # What may be out goes to its end, with the same words; whoever comes later waits for it.
        told = alert.id not in withdrawn and any(a.state in SPOKEN and a.state is not AlertState.SENDING for a in newer)
        return Superseded() if told else TellChange(alert.telling or Telling(alert.change.from_level))
    if alert.id in withdrawn:
        return Withdrawn()
    waits_for = [a.due_at for a in older if a.due_at is not None and (a.unsettled or a.state is AlertState.DUE)]
    aside = _left_to(newer, alert, withdrawn) or (Wait(max(waits_for)) if waits_for else None)
    return aside or _in_one(alert, older, withdrawn, level_told(known))


def _left_to(newer: Sequence[Alert], alert: Alert, withdrawn: Collection[str | None]) -> Superseded | Join | None:
    """A newer alert has told or tells the level. A change leaves it to one that still waits only when it has waited itself."""
    if any(other.state in SPOKEN for other in newer):
        return Superseded()
    later = [a for a in newer if a.withdraws is None and a.state in OPEN and a.id not in withdrawn]
    return Join(later[-1]) if alert.waited and later else None


def _in_one(
    alert: Alert, older: Sequence[Alert], withdrawn: Collection[str | None], told: Level
) -> Gather | Needless | TellChange:
    """The change with everything before it that nobody was told of."""
    heard = max((a.change.n for a in older if a.state in TOLD), default=0)
    unheard = [a for a in older if a.change.n > heard and not a.begun and a.id not in withdrawn]
    apart = [a for a in unheard if a.withdraws is None and a.state in GATHERED and a.joined != alert.id]
    if apart:
        return Gather(tuple(apart))
    between = [Detour(a.change.to_level, a.id if a.withdraws is None else None, a.change.as_of) for a in unheard]
    before = alert.change.from_level
    if all(a.change.n != alert.change.n - 1 or a.change.to_level is not before for a in older):
        between.append(Detour(before))  # what brought it has not come
    return _told_in_one(alert.change.to_level, told, between)


def level_told(known: Sequence[Alert]) -> Level:
    """The level in the last mail; before the first one every student is taken for universal."""
    sent = [alert for alert in known if alert.state in TOLD]
    if not sent:
        return Level.UNIVERSAL
    last = max(sent, key=lambda alert: (alert.sent_at or alert.created_at, alert.change.n))
    return last.level_told or last.change.to_level


def _told_in_one(now: Level, told: Level, between: Sequence[Detour]) -> Needless | TellChange:
    """From the level last told to the one now. Of the levels in between the first highest is told when it lies above both,
    else the first lowest when the mail would be silent about it, or call a rise a fall.
    """
    by_level = sorted(between, key=lambda detour: detour.level.rank)
    if by_level and by_level[-1].level.rank > max(now.rank, told.rank):
        return TellChange(Telling(told, _first(between, by_level[-1].level)))
    if by_level and by_level[0].level.rank < now.rank <= told.rank:
        return TellChange(Telling(told, _first(between, by_level[0].level)))
    return Needless() if now is told else TellChange(Telling(told))


def _first(between: Sequence[Detour], level: Level) -> Detour:
    return next(detour for detour in between if detour.level is level)
