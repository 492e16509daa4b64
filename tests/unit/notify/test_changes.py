"""What a change of level needs, in every situation that the student's other alerts can be in."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from services.notify.alerts import OPEN, Alert, AlertState, Detour, Telling
from services.notify.changes import decide, level_told
from services.notify.verdicts import Gather, Join, Needless, Superseded, TellChange, Wait, Withdrawn
from shared.events import Level
from tests.unit.notify.builders import RECEIVED, STUDENT, alert, change, withdrawal

LATER = RECEIVED + timedelta(seconds=20)
DUE, SENDING, SENT, PENDING = AlertState.DUE, AlertState.SENDING, AlertState.SENT, AlertState.PENDING
JOINED, SUPERSEDED, NEEDLESS = AlertState.JOINED, AlertState.SUPERSEDED, AlertState.NEEDLESS
U, T, I = Level.UNIVERSAL, Level.TARGETED, Level.INDIVIDUAL  # noqa: E741
ROSE = date(2026, 11, 2)


def moved(n: int, state: AlertState, before: Level, after: Level, **fields: Any) -> Alert:
    fields.setdefault("waited", state is PENDING)
    return _alert(n, state, change=change(n, before, after, as_of=ROSE + timedelta(n)), **fields)


def withdrawing(n: int, withdraws: int, state: AlertState, before: Level = T, after: Level = U, **fields: Any) -> Alert:
    return _alert(n, state, change=withdrawal(n, withdraws, before, after), **fields)


def _alert(n: int, state: AlertState, **fields: Any) -> Alert:
    return alert(id=f"{STUDENT}:{n}", state=state, due_at=LATER if state in OPEN else None, **fields)


def joined(n: int, to: int, before: Level, after: Level) -> Alert:
    return moved(n, JOINED, before, after, joined=f"{STUDENT}:{to}")


def detour(level: Level, n: int) -> Detour:
    return Detour(level, f"{STUDENT}:{n}", ROSE + timedelta(n))


def test_a_change_alone_tells_itself() -> None:
    own = moved(1, SENDING, U, T)
    assert decide(own, [own]) == TellChange(Telling(U))


def test_a_change_that_has_waited_leaves_it_to_the_newest_that_waits() -> None:
    own, later, newest = moved(1, SENDING, U, T, waited=True), moved(2, PENDING, T, I), moved(3, DUE, I, U)
    assert decide(own, [own, later, newest]) == Join(newest)


def test_changes_that_wait_for_the_mail_system_only_leave_one_by_one() -> None:
    own, newer = moved(1, SENDING, U, T), moved(2, DUE, T, U)
    assert decide(own, [own, newer]) == TellChange(Telling(U))
    delayed, own = moved(1, DUE, U, T), moved(2, SENDING, T, U)
    assert decide(own, [delayed, own]) == Wait(LATER)


@pytest.mark.parametrize("state", [PENDING, AlertState.UNDELIVERABLE, SUPERSEDED])
def test_what_nobody_was_told_of_is_gathered(state: AlertState) -> None:
    untold, own = moved(1, state, U, T), moved(2, SENDING, T, U)
    assert decide(own, [untold, own]) == Gather((untold,))
    elsewhere = joined(1, 2, U, T)
    middle, own = moved(2, PENDING, T, I), moved(3, SENDING, I, U)
    assert decide(own, [elsewhere, middle, own]) == Gather((elsewhere, middle))


@pytest.mark.parametrize(
    ("last", "steps", "expected"),
    [
        pytest.param(U, [U, T, U], TellChange(Telling(U, detour(T, 2))), id="rise and fall"),
        pytest.param(U, [U, T, I, U], TellChange(Telling(U, detour(I, 3))), id="rise, rise, fall: the highest"),
        pytest.param(U, [U, T, I], TellChange(Telling(U)), id="rise, rise"),
        pytest.param(U, [U, I, T], TellChange(Telling(U, detour(I, 2))), id="rise, and fall half the way"),
        pytest.param(U, [U, T, U, T], TellChange(Telling(U)), id="rise, fall, rise"),
        pytest.param(U, [U, I, U, I, U], TellChange(Telling(U, detour(I, 2))), id="twice up and down: the first day"),
        pytest.param(T, [T, I, T], TellChange(Telling(T, detour(I, 2))), id="back to what was told last"),
        pytest.param(T, [T, I, U], TellChange(Telling(T, detour(I, 2))), id="rise, and fall below what was told last"),
        pytest.param(I, [I, T, U], TellChange(Telling(I)), id="fall, fall: good news"),
        pytest.param(T, [T, U, T], TellChange(Telling(T, detour(U, 2))), id="fall, and a new rise"),
        pytest.param(I, [I, U, T], TellChange(Telling(I, detour(U, 2))), id="fall, and a new rise half the way"),
        pytest.param(T, [T, U, I], TellChange(Telling(T)), id="fall, and a rise above what was told last"),
    ],
)
def test_what_several_changes_come_to(last: Level, steps: list[Level], expected: TellChange) -> None:
    own = len(steps)
    known = [moved(1, SENT, U, last)] if last is not U else [moved(1, NEEDLESS, T, U)]
    known += [joined(n, own, steps[n - 2], steps[n - 1]) for n in range(2, own)]
    known.append(moved(own, SENDING, steps[-2], steps[-1]))
    assert decide(known[-1], known) == expected


def test_what_was_told_before_is_over() -> None:
    known = [joined(1, 2, U, I), moved(2, SENT, I, U), moved(3, SENDING, U, T)]
    assert decide(known[-1], known) == TellChange(Telling(U))


def test_a_rise_that_was_withdrawn_before_anybody_was_told_is_not_told_with_its_fall() -> None:
    own = moved(2, SENDING, T, U)
    for state in (AlertState.WITHDRAWN, JOINED, PENDING):
        known = [moved(1, state, U, T), own, withdrawing(3, 1, DUE, U, U)]
        assert decide(own, known) == Needless()


def test_of_two_untold_rises_one_withdrawn_the_other_is_told() -> None:
    own = moved(3, SENDING, I, U)
    known = [joined(1, 3, U, T), moved(2, AlertState.WITHDRAWN, T, I), own, withdrawing(4, 2, DUE, U, U)]
    assert decide(own, known) == TellChange(Telling(U, detour(T, 1)))


def test_a_fall_whose_rise_has_not_come_is_no_good_news() -> None:
    own = moved(2, SENDING, T, U)
    assert decide(own, [own]) == TellChange(Telling(U, Detour(T)))


def test_a_rise_whose_predecessor_has_not_come_starts_from_what_was_told() -> None:
    own = moved(2, SENDING, T, I)
    assert decide(own, [own]) == TellChange(Telling(U))


def test_a_rise_is_never_kept_silent() -> None:
    known = [moved(1, SENT, U, T), moved(2, SENDING, U, T)]
    assert decide(known[-1], known) == TellChange(Telling(T, Detour(U)))


def test_a_withdrawal_that_nobody_could_be_told_of_does_not_make_the_next_rise_needless() -> None:
    own = moved(3, SENDING, U, T)
    untold = withdrawing(2, 1, PENDING)
    verdict = decide(own, [moved(1, SENT, U, T), untold, own])
    assert verdict == TellChange(Telling(T, Detour(U, None, untold.change.as_of)))


@pytest.mark.parametrize("state", [SENDING, SENT, NEEDLESS])
def test_after_a_newer_alert_that_has_spoken_nothing_is_told(state: AlertState) -> None:
    own = moved(1, SENDING, U, T)
    assert decide(own, [own, moved(2, state, T, I)]) == Superseded()


def test_a_change_that_a_withdrawal_names_is_not_told() -> None:
    own = moved(1, SENDING, U, T)
    assert decide(own, [own, withdrawing(2, 1, DUE)]) == Withdrawn()


@pytest.mark.parametrize(
    "being_mailed",
    [
        pytest.param(moved(1, SENDING, U, T), id="being handed over"),
        pytest.param(
            moved(1, PENDING, U, T, begun=True, telling=Telling(U)),
            id="the answer was lost, nobody is there",
        ),
        pytest.param(withdrawing(1, 0, DUE), id="a withdrawal that waits for others"),
    ],
)
def test_an_older_mail_is_waited_for(being_mailed: Alert) -> None:
    own = moved(2, SENDING, T, U)
    assert decide(own, [being_mailed, own]) == Wait(LATER)


def test_a_mail_that_may_be_out_is_told_again_in_the_same_words() -> None:
    telling = Telling(U, detour(T, 1))
    own = moved(2, SENDING, T, U, begun=True, telling=telling)
    for other in (withdrawing(3, 1, DUE, U, U), moved(3, DUE, U, T), moved(3, SENDING, U, T)):
        assert decide(own, [joined(1, 2, U, T), own, other]) == TellChange(telling)
    assert decide(own, [own, moved(3, SENT, U, T)]) == Superseded()


def test_the_level_told_is_that_of_the_last_mail_whatever_its_number() -> None:
    assert level_told([]) is U
    early = moved(4, SENT, U, I, sent_at=RECEIVED)
    late = withdrawing(3, 1, SENT, sent_at=LATER, level_told=T)
    assert level_told([late, early]) is T
    assert level_told([early, moved(5, PENDING, I, U)]) is I
