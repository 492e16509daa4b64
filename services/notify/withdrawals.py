"""What a withdrawal needs, decided from all stored alerts of the student. Pure.

Whoever was told of a change that was wrong is told so, once: a newer withdrawal for the same person tells of the older
ones too. A change that was never mailed is closed in silence. One thing more can need a mail then: when the level that
was last told is no longer the level, and nothing newer will say so.

Two replicas, at a change and at its withdrawal in the same moment, cannot miss each other: each writes its claim
(`sending`) before it reads the other's state, and the withdrawal waits for what is being handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.notify.alerts import OPEN, TOLD, Alert, AlertState, Said
from services.notify.changes import level_told
from services.notify.verdicts import Close, Join, Needless, TellLevel, TellWithdrawn, Wait, WithdrawalVerdict


def decide(withdrawal: Alert, known: Sequence[Alert], now: datetime) -> WithdrawalVerdict:
    """What is to be done next with a withdrawal whose lease is held. `known`: all stored alerts of the student."""
    n = withdrawal.change.n
    named = next((alert for alert in known if alert.id == withdrawal.withdraws), None)
    joined = named.joined if named is not None else None
    unsettled = [a.due_at for a in known if (a.change.n < n or a.id == joined) and a.unsettled and a.due_at]
    if unsettled:
        return Wait(max(unsettled))
    if named is not None and (named.state in OPEN or (joined and _mail_of(named, known) is None)):
        return Close(named)
    newer = [alert for alert in known if alert.change.n > n]
    wrong = _mailed_and_wrong(withdrawal, known)
    if wrong:
        return _leave_to(newer, wrong, known, now) or TellWithdrawn(wrong, _newest_word(withdrawal, newer))
    before = level_told(known)
    tells_itself = [a for a in newer if not withdrawal.begun or a.state in TOLD]
    if tells_itself or before is withdrawal.change.to_level:
        return Needless()
    return TellLevel(before)


def _mailed_and_wrong(withdrawal: Alert, known: Sequence[Alert]) -> tuple[Alert, ...]:
    """The mailed changes named by a withdrawal and by those that have joined it, at first or second hand; oldest first.

    One that was superseded when its mail may have been out already counts, too, and one of which a newer change has told.
    """
    ids = {withdrawal.id}
    for alert in sorted(known, key=lambda other: -other.change.n):  # a withdrawal joins newer ones only
        if alert.joined in ids:
            ids.add(alert.id)
    named = {alert.withdraws for alert in known if alert.id in ids} | {withdrawal.withdraws}
    mailed = [_mail_of(alert, known) for alert in known if alert.id in named]
    return tuple(sorted((alert for alert in mailed if alert is not None), key=lambda alert: alert.change.n))


def _mail_of(change: Alert, known: Sequence[Alert]) -> Alert | None:
    """A change as it was mailed: by itself, or by the newer one that it joined; nothing when nobody was told of it."""
    if _mailed(change):
        return change
    for other in known:
        detour = other.telling.detour if other.telling is not None else None
        if detour is not None and detour.alert == change.id and _mailed(other):
            return replace(change, told=other.told, sent_at=other.sent_at, joined=other.id)
    return None


def _mailed(alert: Alert) -> bool:
    return alert.state in TOLD or alert.begun


def _leave_to(
    newer: list[Alert], wrong: tuple[Alert, ...], known: Sequence[Alert], now: datetime
) -> Wait | Join | None:
    """A newer withdrawal, not mailed yet, that the same person will be mailed about, if there is one.

    One that is being written may not have seen this one: its end is waited for, but not when its holder is dead or its mail
    may be out already. Older alerts are looked at before newer ones, so such a wait would never end.
    """
    for other in newer:
        if other.withdraws is None or other.state not in OPEN:
            continue
        theirs = _mailed_and_wrong(other, known)
        if not theirs or _person(theirs) != _person(wrong):
            continue
        if other.state is AlertState.SENDING and other.due_at is not None and other.due_at > now:
            return Wait(other.due_at)
        if not other.unsettled:
            return Join(other)
    return None


def _person(changes: tuple[Alert, ...]) -> str | None:
    told = changes[-1].told
    return told[0] if told is not None else None


def _newest_word(withdrawal: Alert, newer: list[Alert]) -> Said:
    """The level as it is; a newer change that is still to be mailed will speak for itself."""
    spoken = [alert for alert in newer if alert.withdraws is not None or alert.state in TOLD]
    return max([withdrawal, *spoken], key=lambda alert: alert.change.n).change
