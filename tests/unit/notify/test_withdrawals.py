"""What a withdrawal needs, in every situation that the student's other alerts can be in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.notify.alerts import OPEN, Alert, AlertState, Detour, Telling
from services.notify.verdicts import Close, Join, Needless, TellLevel, TellWithdrawn, Wait, WithdrawalVerdict
from services.notify.withdrawals import decide
from shared.events import Level
from tests.unit.notify.builders import RECEIVED, STUDENT, alert, change, withdrawal

LATER = RECEIVED + timedelta(seconds=20)
DUE, SENDING, SENT = AlertState.DUE, AlertState.SENDING, AlertState.SENT
ANNA, BO = ("staff:anna", "coach"), ("staff:bo", "coordinator")


def raised(n: int, state: AlertState, level: Level = Level.TARGETED, **fields: Any) -> Alert:
    fields.setdefault("told", ANNA if state is SENT else None)
    return _alert(n, state, change=change(n, after=level), **fields)


def withdrawing(n: int, withdraws: int, state: AlertState = DUE, **fields: Any) -> Alert:
    data = {name: fields.pop(name) for name in ("before", "after") if name in fields}
    return _alert(n, state, change=withdrawal(n, withdraws, **data), **fields)


def _alert(n: int, state: AlertState, **fields: Any) -> Alert:
    return alert(id=f"{STUDENT}:{n}", state=state, due_at=LATER if state in OPEN else None, **fields)


def verdict(own: Alert, known: list[Alert]) -> WithdrawalVerdict:
    return decide(own, known, RECEIVED)


@pytest.mark.parametrize("state", [AlertState.DUE, AlertState.PENDING, AlertState.UNDELIVERABLE])
def test_a_change_that_was_not_mailed_is_closed_and_then_nothing_is_said(state: AlertState) -> None:
    own, named = withdrawing(2, 1, SENDING), raised(1, state)
    assert verdict(own, [named, own]) == Close(named)
    assert verdict(own, [raised(1, AlertState.WITHDRAWN), own]) == Needless()


@pytest.mark.parametrize("state", [AlertState.SUPERSEDED, AlertState.WITHHELD, AlertState.WITHDRAWN])
def test_a_change_that_ended_without_a_mail_needs_none(state: AlertState) -> None:
    own = withdrawing(2, 1, SENDING)
    assert verdict(own, [raised(1, state), own]) == Needless()


def test_a_change_that_is_not_known_yet_needs_no_mail() -> None:
    own = withdrawing(2, 1, SENDING)
    assert verdict(own, [own]) == Needless()


def test_who_was_told_of_a_change_is_told_that_it_no_longer_applies() -> None:
    own, named = withdrawing(2, 1, SENDING), raised(1, SENT)
    assert verdict(own, [named, own]) == TellWithdrawn((named,), own.change)


@pytest.mark.parametrize(
    "being_mailed",
    [
        pytest.param(raised(1, SENDING), id="being handed over"),
        pytest.param(raised(1, DUE, begun=True), id="the answer was lost"),
        pytest.param(raised(1, AlertState.PENDING, begun=True), id="the answer was lost, and nobody is there any more"),
    ],
)
def test_a_mail_that_may_be_out_is_waited_for(being_mailed: Alert) -> None:
    own = withdrawing(3, 1, SENDING)
    assert verdict(own, [being_mailed, own]) == Wait(LATER)
    other = withdrawing(3, 2, SENDING)
    assert verdict(other, [being_mailed, raised(2, SENT), other]) == Wait(LATER)


def test_a_superseded_change_whose_mail_may_be_out_is_taken_back() -> None:
    own, named = withdrawing(3, 1, SENDING), raised(1, AlertState.SUPERSEDED, begun=True)
    known = [named, raised(2, SENT, Level.INDIVIDUAL), own]
    assert verdict(own, known) == TellWithdrawn((named,), own.change)


def test_a_mail_that_was_begun_and_came_to_its_end_holds_nothing_up() -> None:
    own, named = withdrawing(2, 1, SENDING), raised(1, SENT, begun=True)
    assert verdict(own, [named, own]) == TellWithdrawn((named,), own.change)


def test_withdrawals_for_the_same_person_become_one_mail_with_the_newest_level() -> None:
    first, second = raised(1, SENT), raised(2, SENT, Level.INDIVIDUAL)
    older, newer = withdrawing(3, 2, SENDING, after=Level.TARGETED), withdrawing(4, 1)
    assert verdict(older, [first, second, older, newer]) == Join(newer)
    older, newer = withdrawing(3, 2, AlertState.JOINED, joined=newer.id), withdrawing(4, 1, SENDING)
    assert verdict(newer, [first, second, older, newer]) == TellWithdrawn((first, second), newer.change)


def test_what_has_joined_goes_along_when_its_leader_joins_another() -> None:
    mailed = [raised(n, SENT) for n in (1, 2, 3)]
    own = withdrawing(6, 1, SENDING)
    known = [
        *mailed,
        withdrawing(4, 3, AlertState.JOINED, joined=f"{STUDENT}:5"),
        withdrawing(5, 2, AlertState.JOINED, joined=own.id),
        own,
    ]
    assert verdict(own, known) == TellWithdrawn(tuple(mailed), own.change)


def test_another_persons_mail_tells_nothing_to_this_one_but_knows_the_newest_level() -> None:
    first, second = raised(1, SENT, told=BO), raised(2, SENT, told=ANNA)
    older, newer = withdrawing(3, 2, SENDING, after=Level.TARGETED), withdrawing(4, 1)
    assert verdict(older, [first, second, older, newer]) == TellWithdrawn((second,), newer.change)


def test_a_mail_that_is_being_written_is_not_joined_but_waited_for() -> None:
    first, second = raised(1, SENT), raised(2, SENT)
    older, newer = withdrawing(3, 2, SENDING), withdrawing(4, 1, SENDING)
    assert verdict(older, [first, second, older, newer]) == Wait(LATER)
    assert verdict(newer, [first, second, older, newer]) == Wait(LATER)  # whoever tries next comes first


def test_a_mail_that_may_be_out_already_or_whose_writer_is_dead_is_not_waited_for() -> None:
    first, second = raised(1, SENT), raised(2, SENT)
    own, dead = withdrawing(3, 2, SENDING), withdrawing(4, 1, SENDING)
    assert decide(own, [first, second, own, dead], LATER) == TellWithdrawn((second,), dead.change)
    begun = withdrawing(4, 1, DUE, begun=True)
    assert verdict(own, [first, second, own, begun]) == TellWithdrawn((second,), begun.change)


def test_a_newer_withdrawal_without_a_mail_is_not_joined() -> None:
    own, silent = withdrawing(3, 2, SENDING), withdrawing(4, 1)
    known = [raised(1, AlertState.WITHDRAWN), raised(2, SENT), own, silent]
    assert verdict(own, known) == TellWithdrawn((known[1],), silent.change)


def test_a_withdrawal_that_comes_after_a_newer_mail_tells_the_level_of_that() -> None:
    own = withdrawing(2, 1, SENDING)
    mailed, waiting = raised(3, SENT, Level.INDIVIDUAL), raised(4, DUE)
    known = [raised(1, SENT), own, mailed, waiting]
    assert verdict(own, known) == TellWithdrawn((known[0],), mailed.change)


def test_a_level_that_was_told_and_is_no_longer_so_is_told_although_no_mail_was_wrong() -> None:
    known = [raised(1, SENT), raised(2, AlertState.WITHDRAWN, Level.INDIVIDUAL)]
    fallen = withdrawing(3, 2, SENDING, before=Level.INDIVIDUAL, after=Level.UNIVERSAL)
    assert verdict(fallen, [*known, fallen]) == TellLevel(Level.TARGETED)
    back = withdrawing(3, 2, SENDING, before=Level.INDIVIDUAL, after=Level.TARGETED)
    assert verdict(back, [*known, back]) == Needless()


def test_a_level_that_nobody_heard_of_because_its_alert_was_superseded_is_told() -> None:
    known = [raised(1, AlertState.SUPERSEDED), raised(2, AlertState.WITHDRAWN, Level.INDIVIDUAL)]
    own = withdrawing(3, 2, SENDING, before=Level.INDIVIDUAL, after=Level.TARGETED)
    assert verdict(own, [*known, own]) == TellLevel(Level.UNIVERSAL)


def test_what_is_newer_tells_the_level_itself() -> None:
    own = withdrawing(3, 2, SENDING, before=Level.INDIVIDUAL, after=Level.UNIVERSAL)
    known = [raised(1, SENT), raised(2, AlertState.WITHDRAWN), own, raised(4, DUE)]
    assert verdict(own, known) == Needless()


def told_with(n: int, of: int, state: AlertState = SENT, **fields: Any) -> Alert:
    """A fall whose mail told of an earlier rise that nobody had been told of."""
    telling = Telling(Level.UNIVERSAL, Detour(Level.TARGETED, f"{STUDENT}:{of}"))
    fields.setdefault("told", ANNA if state is SENT else None)
    return _alert(n, state, change=change(n, Level.TARGETED, Level.UNIVERSAL), telling=telling, **fields)


def test_a_rise_that_was_told_with_its_fall_is_taken_back_from_whoever_got_that_mail() -> None:
    rise = raised(1, AlertState.JOINED, joined=f"{STUDENT}:2")
    fall = told_with(2, 1, sent_at=RECEIVED)
    own = withdrawing(3, 1, SENDING, before=Level.UNIVERSAL)
    verdict_ = verdict(own, [rise, fall, own])
    assert isinstance(verdict_, TellWithdrawn)
    [wrong] = verdict_.changes
    assert (wrong.id, wrong.joined, wrong.told, wrong.sent_at) == (rise.id, fall.id, ANNA, RECEIVED)


def test_a_rise_that_joined_what_is_not_mailed_yet_is_withdrawn_in_silence() -> None:
    rise = raised(1, AlertState.JOINED, joined=f"{STUDENT}:2")
    own = withdrawing(3, 1, SENDING, before=Level.UNIVERSAL)
    fall = told_with(2, 1, AlertState.PENDING)
    assert verdict(own, [rise, fall, own]) == Close(rise)
    assert verdict(own, [raised(1, AlertState.WITHDRAWN), fall, own]) == Needless()


def test_a_rise_that_joined_what_is_being_mailed_waits_for_that_mail() -> None:
    rise = raised(1, AlertState.JOINED, joined=f"{STUDENT}:3")
    own, late = withdrawing(2, 1, SENDING), told_with(3, 1, SENDING)
    assert verdict(own, [rise, own, late]) == Wait(LATER)


def test_a_rise_that_the_mail_of_a_higher_one_did_not_name_was_told_to_nobody() -> None:
    rise, higher = raised(1, AlertState.JOINED, joined=f"{STUDENT}:2"), raised(2, SENT, Level.INDIVIDUAL)
    own = withdrawing(3, 1, SENDING, before=Level.INDIVIDUAL, after=Level.INDIVIDUAL)
    assert verdict(own, [rise, higher, own]) == Close(rise)


def test_a_level_whose_mail_may_be_out_is_told_to_its_end_although_something_newer_waits() -> None:
    known = [raised(1, AlertState.WITHDRAWN)]
    own = withdrawing(2, 1, SENDING, after=Level.TARGETED, begun=True)
    assert verdict(own, [*known, own, raised(3, DUE)]) == TellLevel(Level.UNIVERSAL)
    assert verdict(own, [*known, own, raised(3, SENT, Level.INDIVIDUAL)]) == Needless()
