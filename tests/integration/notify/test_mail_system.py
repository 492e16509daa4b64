"""A mail system that misbehaves, for real: slow, silent, refusing. Nobody is mailed for ever, nothing is lost by what passes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.notify import alert_store, alerts, delivery, dispatch, replies, smtp
from services.notify.alert_store import Alerts
from services.notify.dispatch import Dispatcher
from shared import metrics
from shared.events import Level, StaffRole
from tests.integration.notify.stage import (
    Stage,
    all_reach,
    enrolled,
    level_changed,
    reaches,
    refusals_of,
    staff_changed,
    student,
    troubled,
    until,
)

pytestmark = pytest.mark.integration

LINE = (
    staff_changed(),
    staff_changed("staff:bo", StaffRole.COORDINATOR),
    staff_changed("staff:rektor", StaffRole.PRINCIPAL),
)
"""Coach, coordinator, principal."""
COACH = "anna@skola.example"
SKEW = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults: Any = Dispatcher.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "sweep_seconds", 0.2)
    monkeypatch.setattr(alerts, "FIRST_RETRY", timedelta(seconds=0.2))
    monkeypatch.setattr(alerts, "REPEAT_AFTER", tuple(timedelta(seconds=seconds) for seconds in (0.2, 0.4, 0.6)))


def failures(cause: str) -> float:
    return float(metrics.MAIL_FAILURES.labels(cause)._value.get())


@pytest.mark.parametrize(
    ("step", "answer", "cause"),
    [
        pytest.param("greeting", "554 5.3.2 not today", "sender", id="greeting"),
        pytest.param("EHLO", "550 5.7.1 who are you", "sender", id="EHLO"),
        pytest.param("AUTH", "535 5.7.8 wrong password", "sender", id="AUTH"),
        pytest.param("MAIL", "550 5.1.8 no such sender", "sender", id="MAIL"),
        pytest.param("RCPT", "550 5.7.1 relaying denied", "everybody", id="RCPT"),
        pytest.param("DATA", "554 5.6.0 not that", "everybody", id="DATA"),
    ],
)
async def test_a_passing_no_to_everybody_is_an_outage_and_the_first_in_line_is_told_after_it(
    stage: Stage, step: str, answer: str, cause: str
) -> None:
    who, before = student(), failures(cause)
    stage.sink.says[step] = answer
    if step == "AUTH":
        url = stage.sink.url.replace("smtp://", "smtp://kvar:secret@")
        stage.settings = stage.settings.model_copy(update={"smtp_url": url})
    async with stage.running() as client:
        await stage.publish(*LINE, enrolled(who), level_changed(who))
        waiting = await troubled(client, f"{who}:1")
        await until(lambda: failures(cause) >= before + 2, "another attempt")
        stage.sink.says.clear()
        shown = await reaches(client, f"{who}:1", "sent")
    assert answer in waiting["problem"]
    assert (waiting["status"], waiting["refusals"], waiting["begun"]) == ("due", [], False)
    assert (shown["told"], shown["role"], shown["refusals"]) == ("staff:anna", "coach", [])
    assert stage.sink.recipients == [COACH]


@pytest.mark.parametrize("answer", ["550 5.1.1 no such user", "550 5.7.133 sender not allowed", "550 no"])
async def test_one_refused_address_among_good_ones_is_passed_over_at_once(stage: Stage, answer: str) -> None:
    who, other = student(), student()
    stage.sink.refuse[COACH] = answer
    async with stage.running() as client:
        await stage.publish(*LINE, enrolled(who), enrolled(other, coach="staff:rektor"))
        await stage.publish(level_changed(who), level_changed(other))
        shown = await reaches(client, f"{who}:1", "sent")
        await reaches(client, f"{other}:1", "sent")
    assert (shown["told"], refusals_of(shown)) == ("staff:bo", [("staff:anna", None, answer)])
    assert sorted(stage.sink.recipients) == ["bo@skola.example", "rektor@skola.example"]
    assert stage.sink.asked_for.count(COACH) == 1


@pytest.mark.parametrize("answer", ["251 not local, will forward", "252 cannot verify, but will try", "200 yes"])
async def test_every_yes_to_the_recipient_is_one(stage: Stage, answer: str) -> None:
    who = student()
    stage.sink.says["RCPT"] = answer
    async with stage.running() as client:
        await stage.publish(*LINE, enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
    assert stage.sink.recipients == [COACH]


async def test_an_address_at_which_the_mail_system_hangs_up_is_passed_over_at_last(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "PATIENCE", timedelta(seconds=1))
    who = student()
    stage.sink.leaves_at.add(COACH)
    async with stage.running() as client:
        await stage.publish(*LINE, enrolled(who), level_changed(who))
        await troubled(client, f"{who}:1")
        assert stage.sink.recipients == []
        shown = await reaches(client, f"{who}:1", "sent")
    assert (shown["told"], stage.sink.recipients) == ("staff:bo", ["bo@skola.example"])


async def test_an_answer_that_takes_longer_than_any_other_step_is_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.3)
    who = student()
    stage.sink.seconds = 1.5
    async with stage.running() as client:
        await stage.publish(*LINE, enrolled(who), level_changed(who))
        shown = await reaches(client, f"{who}:1", "sent")
    assert shown["handed_over"] == 0
    assert stage.sink.recipients == [COACH]


async def test_slow_mails_hold_up_no_others(stage: Stage) -> None:
    slow, quick = [student() for _ in range(8)], [student() for _ in range(5)]
    stage.sink.held.add(COACH)
    async with stage.running() as client:
        await stage.publish(*LINE, *(enrolled(who) for who in slow), *(level_changed(who) for who in slow))
        await until(lambda: stage.sink.asked_for.count(COACH) == len(slow), "the slow mails to be in work")
        await stage.publish(*(enrolled(who, coach="staff:bo") for who in quick), *(level_changed(who) for who in quick))
        await all_reach(client, [f"{who}:1" for who in quick], "sent")
        await all_reach(client, [f"{who}:1" for who in slow], "sending")
        stage.sink.stop()
    assert stage.sink.recipients == ["bo@skola.example"] * len(quick)


async def test_a_mail_that_is_never_answered_is_repeated_three_times_and_counts_as_told(stage: Stage) -> None:
    who, before = student(), metrics.ALERTS.labels("uncertain")._value.get()
    stage.sink.goes = True
    async with stage.running() as client:
        await stage.publish(*LINE, enrolled(who), level_changed(who))
        shown = await reaches(client, f"{who}:1", "uncertain")
        listed = (await client.get("/v1/alerts", params={"status": "uncertain", "student": who})).json()["items"]
        stage.sink.goes = False
        await stage.publish(level_changed(who, 2, before=Level.TARGETED, after=Level.INDIVIDUAL))
        await reaches(client, f"{who}:2", "sent")
    *repeated, next_one = stage.sink.mails
    assert stage.sink.recipients == [COACH] * 5
    assert {str(mail["Message-ID"]) for mail in repeated} == {f"<{who}.1@skola.example>"}
    assert next_one["Subject"] == "Individuell nivå, upp från riktad (Ekskolan)"
    assert (shown["told"], shown["role"], shown["begun"], shown["handed_over"]) == ("staff:anna", "coach", True, 4)
    assert "mail system" in shown["problem"]
    assert [item["id"] for item in listed] == [f"{who}:1"]
    assert metrics.ALERTS.labels("uncertain")._value.get() == before + 1


async def test_a_mail_that_is_answered_at_last_was_repeated_in_the_same_words(stage: Stage) -> None:
    who = student()
    stage.sink.goes = True
    async with stage.running() as client:
        await stage.publish(*LINE, enrolled(who), level_changed(who))
        assert (await troubled(client, f"{who}:1"))["handed_over"] == 1
        stage.sink.goes = False
        shown = await reaches(client, f"{who}:1", "sent")
    assert (shown["handed_over"], shown["begun"], shown["problem"]) == (0, False, None)
    assert 2 <= len(stage.sink.mails) <= 4
    assert len({str(mail["Subject"]) for mail in stage.sink.mails}) == 1


async def test_a_stop_cuts_off_a_mail_that_gets_no_answer_and_notes_that_it_may_be_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "STOP_SECONDS", 0.2)
    monkeypatch.setattr(alert_store, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(delivery, "RENEWAL", timedelta(seconds=0.3))
    who = student()
    stage.sink.held.add(COACH)
    async with stage.running():
        await stage.publish(*LINE, enrolled(who), level_changed(who))
        await until(lambda: stage.sink.busy, "the mail system to have the mail")
    async with stage.database() as database:
        left = await database["alerts"].find_one({"_id": f"{who}:1"})
    assert left is not None
    assert (left["state"], left["handed_over"]["times"]) == ("sending", 1)
    stage.sink.held.clear()
    async with stage.running() as client:
        await reaches(client, f"{who}:1", "sent")
    assert stage.sink.asked_for == [COACH, COACH]


async def test_who_was_refused_is_asked_for_again_when_staff_data_come(stage: Stage) -> None:
    who = student()
    stage.sink.refuse[COACH] = "550 5.2.1 mailbox disabled"
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "undeliverable")
        stage.sink.refuse.clear()
        await stage.publish(staff_changed(revision=2))
        shown = await reaches(client, f"{who}:1", "sent")
    assert (shown["told"], shown["refusals"]) == ("staff:anna", [])


async def test_an_address_that_is_none_is_passed_over(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(*LINE[1:], staff_changed(email="coach@["), enrolled(who), level_changed(who))
        shown = await reaches(client, f"{who}:1", "sent")
    assert (shown["told"], refusals_of(shown)) == ("staff:bo", [("staff:anna", None, "not an e-mail address")])


@pytest.mark.parametrize(
    ("holders", "others"), [(timedelta(), SKEW), (-SKEW, timedelta()), (-SKEW, SKEW)], ids=["ahead", "behind", "both"]
)
async def test_a_clock_that_is_wrong_by_minutes_sends_nothing_twice_and_delays_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, holders: timedelta, others: timedelta
) -> None:
    students, late, sweeps = [student() for _ in range(4)], student(), list[datetime]()
    look = Alerts.due_students

    async def counted(self: Alerts, now: datetime, limit: int) -> list[str]:
        sweeps.append(now)
        return await look(self, now, limit)

    monkeypatch.setattr(Alerts, "due_students", counted)
    stage.sink.held.add(COACH)
    async with stage.running(ahead=holders) as client:
        await stage.publish(*LINE, *(enrolled(who) for who in students), *(level_changed(who) for who in students))
        await until(lambda: stage.sink.asked_for.count(COACH) == len(students), "the mails to be in work")
        async with stage.running(ahead=others):
            swept = len(sweeps)
            await until(lambda: len(sweeps) >= swept + 10, "both to look for what is due")
            await stage.publish(enrolled(late, coach="staff:bo"), level_changed(late))
            await reaches(client, f"{late}:1", "sent")
            stage.sink.held.clear()
            await all_reach(client, [f"{who}:1" for who in students], "sent")
    assert sorted(stage.sink.ids()) == sorted(f"{who}:1" for who in [*students, late])
