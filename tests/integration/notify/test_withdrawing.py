"""Withdrawn alerts on a real broker, database and mail server: told to whom the alert was told, else silent; in any order."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from services.notify import alert_documents, alerts
from services.notify.alert_store import Alerts
from shared.events import AlertWithdrawnEvent, Level, RiskLevelChangedEvent, StaffRole
from tests.integration.notify.neighbours import readable
from tests.integration.notify.stage import (
    Stage,
    alert_of,
    alert_withdrawn,
    enrolled,
    level_changed,
    reaches,
    staff_changed,
    student,
    troubled,
    until,
)

pytestmark = pytest.mark.integration

UP = {"before": Level.TARGETED, "after": Level.INDIVIDUAL}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_documents, "GATHER", timedelta(seconds=1))
    monkeypatch.setattr(alerts, "REPEAT_AFTER", (timedelta(seconds=2),) * 3)


async def test_who_was_told_is_told_once_that_it_no_longer_applies(stage: Stage) -> None:
    who = student()
    stage.ingest.people[who] = ("Märta", "Sjöström")
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        # The student has another coach by now; it is Anna who was told.
        await stage.publish(staff_changed("staff:new"), enrolled(who, coach="staff:new", revision=2))
        withdrawn = alert_withdrawn(who)
        await stage.publish(withdrawn, withdrawn)
        shown = await reaches(client, withdrawn.id, "sent")
        await stage.publish(withdrawn, level_changed(who, 3))
        await reaches(client, f"{who}:3", "sent")
        assert (await alert_of(client, f"{who}:1"))["status"] == "sent"
    assert (shown["kind"], shown["withdraws"], shown["cause"]) == ("withdrawal", f"{who}:1", "correction")
    assert (shown["told"], shown["role"]) == ("staff:anna", "coach")
    assert stage.sink.ids() == [f"{who}:{n}" for n in (1, 2, 3)]
    assert stage.sink.recipients == ["anna@skola.example", "anna@skola.example", "new@skola.example"]
    alert, mail, _ = stage.sink.mails
    assert mail["In-Reply-To"] == mail["References"] == alert["Message-ID"]
    assert [each["X-Kvar-Withdraws"] for each in stage.sink.mails] == [None, f"{who}:1", None]
    text = readable(mail)
    assert "Märta Sjöström" in text
    assert "gäller inte längre" in text
    assert "Nivån är nu universell." in text


async def test_somebody_else_is_told_when_the_one_who_was_has_left(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        await stage.publish(staff_changed("staff:bo", StaffRole.COORDINATOR), staff_changed(revision=2, active=False))
        await stage.publish(enrolled(who, coach=None, revision=2), alert_withdrawn(who))
        shown = await reaches(client, f"{who}:2", "sent")
    assert shown["told"] == "staff:bo"
    assert "gick till en kollega" in readable(stage.sink.mails[1])


async def test_an_alert_that_waits_for_somebody_is_withdrawn_in_silence(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(enrolled(who, coach=None), level_changed(who))
        await reaches(client, f"{who}:1", "pending")
        await stage.publish(alert_withdrawn(who))
        await reaches(client, f"{who}:1", "withdrawn")
        await reaches(client, f"{who}:2", "needless")
        await stage.publish(staff_changed("staff:bo", StaffRole.PRINCIPAL), level_changed(who, 3))
        await reaches(client, f"{who}:3", "sent")
    assert stage.sink.ids() == [f"{who}:3"]


async def test_an_alert_that_every_address_refused_is_withdrawn_in_silence(stage: Stage) -> None:
    who = student()
    stage.sink.refuse["anna@skola.example"] = "550 5.1.1 no such user"
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "undeliverable")
        await stage.publish(alert_withdrawn(who))
        await reaches(client, f"{who}:1", "withdrawn")
        await reaches(client, f"{who}:2", "needless")


async def test_an_alert_that_waits_for_the_mail_system_is_withdrawn_in_silence(stage: Stage) -> None:
    who = student()
    stage.sink.stop()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        assert (await troubled(client, f"{who}:1"))["begun"] is False
        await stage.publish(alert_withdrawn(who))
        await reaches(client, f"{who}:1", "withdrawn")
        await reaches(client, f"{who}:2", "needless")
        stage.sink.start()
        await stage.publish(level_changed(who, 3))
        await reaches(client, f"{who}:3", "sent")
    assert stage.sink.ids() == [f"{who}:3"]


@pytest.mark.parametrize("order", list(permutations((0, 1, 2))), ids=str)
async def test_a_withdrawal_may_come_before_what_it_names(stage: Stage, order: tuple[int, ...]) -> None:
    who = student()
    events: list[RiskLevelChangedEvent | AlertWithdrawnEvent] = [
        level_changed(who),
        level_changed(who, 2, **UP),
        alert_withdrawn(who, 3, 2, after=Level.TARGETED),
    ]
    async with stage.running() as client:
        await stage.publish(enrolled(who, coach=None))
        for position in order:
            await stage.publish(events[position])
            await until_stored(stage, events[position].id)
        await reaches(client, f"{who}:2", "withdrawn")
        await stage.publish(staff_changed("staff:bo", StaffRole.PRINCIPAL))
        await until(lambda: len(stage.sink.mails) > 0, "the level to be told")
        await until_final(stage, 3)
    [mail] = stage.sink.mails
    assert mail["Subject"] == "Riktad nivå, upp från universell (Ekskolan)"


async def until_stored(stage: Stage, alert_id: str) -> None:
    async with stage.database() as database, asyncio.timeout(40):
        while True:
            if await database["alerts"].find_one({"_id": alert_id}) is not None:
                return
            await asyncio.sleep(0.02)


async def until_final(stage: Stage, count: int) -> None:
    """So many alerts are stored, and none of them is open."""
    async with stage.database() as database, asyncio.timeout(40):
        while True:
            found = [item async for item in database["alerts"].find({}, {"due_at": 1})]
            if len(found) == count and not any("due_at" in item for item in found):
                return
            await asyncio.sleep(0.05)


async def test_withdrawals_that_come_together_are_told_in_one_mail(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        await stage.publish(level_changed(who, 2, **UP))
        await reaches(client, f"{who}:2", "sent")
        await stage.publish(alert_withdrawn(who, 3, 2, before=Level.INDIVIDUAL, after=Level.TARGETED))
        await stage.publish(alert_withdrawn(who, 4, 1))
        await reaches(client, f"{who}:4", "sent")
        joined = await reaches(client, f"{who}:3", "joined")
    assert joined["joined"] == f"{who}:4"
    assert stage.sink.ids() == [f"{who}:{n}" for n in (1, 2, 4)]
    mail = stage.sink.mails[-1]
    assert mail["Subject"] == "Tidigare meddelanden gäller inte längre (Ekskolan)"
    assert mail["References"] == f"<{who}.1@skola.example> <{who}.2@skola.example>"
    assert "Nivån är nu universell." in readable(mail)


async def test_an_older_change_is_not_mailed_after_a_withdrawal(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who, 2, **UP))
        await reaches(client, f"{who}:2", "sent")
        await stage.publish(alert_withdrawn(who, 3, 2, before=Level.INDIVIDUAL))
        await reaches(client, f"{who}:3", "sent")
        await stage.publish(level_changed(who, 1))
        await reaches(client, f"{who}:1", "superseded")
    assert stage.sink.ids() == [f"{who}:2", f"{who}:3"]


async def test_a_withdrawal_waits_for_the_mail_that_is_being_handed_over(stage: Stage) -> None:
    who = student()
    stage.sink.seconds = 3.0
    async with stage.running() as client, stage.running():
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await until(lambda: stage.sink.busy, "the mail system to be in the middle of the mail")
        await stage.publish(alert_withdrawn(who))
        await reaches(client, f"{who}:2", "sent")
        assert (await alert_of(client, f"{who}:1"))["status"] == "sent"
    assert stage.sink.ids() == [f"{who}:1", f"{who}:2"]


async def test_an_alert_whose_sender_died_is_mailed_to_its_end_and_then_withdrawn(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        async with stage.database() as database:
            # As a replica leaves it that dies between the mail system's yes and its mark.
            await database["alerts"].update_one(
                {"_id": f"{who}:1"},
                {
                    "$set": {
                        "state": "sending",
                        "due_at": datetime.now(UTC) + timedelta(seconds=3),
                        "handed_over": {"times": 1, "staff": "staff:anna", "role": "coach", "level": "targeted"},
                    },
                    "$inc": {"rev": 1},
                    "$unset": {"told": "", "sent_at": ""},
                },
            )
        await stage.publish(alert_withdrawn(who))
        await reaches(client, f"{who}:2", "sent")
        assert (await alert_of(client, f"{who}:1"))["status"] == "sent"
    assert stage.sink.ids() == [f"{who}:1", f"{who}:1", f"{who}:2"]
    assert stage.sink.mails[0]["Message-ID"] == stage.sink.mails[1]["Message-ID"]


async def test_a_mail_whose_answer_was_lost_is_withdrawn_by_a_mail(stage: Stage) -> None:
    who = student()
    stage.sink.goes = True
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        assert (await troubled(client, f"{who}:1"))["begun"] is True
        stage.sink.goes = False
        await stage.publish(alert_withdrawn(who))
        await reaches(client, f"{who}:2", "sent")
    assert stage.sink.ids() == [f"{who}:1", f"{who}:1", f"{who}:2"]


async def test_two_replicas_and_repetitions_end_like_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_documents, "GATHER", timedelta(seconds=6))
    students = [student() for _ in range(15)]
    stage.sink.seconds = 0.02
    events = [
        event
        for who in students
        for event in (
            level_changed(who),
            level_changed(who, 2, **UP),
            alert_withdrawn(who, 3, 2),
            alert_withdrawn(who, 4),
        )
    ]
    async with stage.running(), stage.running():
        await stage.publish(staff_changed(), *(enrolled(who) for who in students))
        await stage.publish(*events, *events[::-1])
        await until_final(stage, len(events))
        async with stage.database() as database:
            sent = [item["_id"] async for item in database["alerts"].find({"state": "sent"})]
            states = {item["_id"]: item["state"] async for item in database["alerts"].find()}
    assert sorted(stage.sink.ids()) == sorted(sent)
    for who in students:
        told = [n for n in (1, 2) if states[f"{who}:{n}"] == "sent"]
        taken_back = [n for n in (3, 4) if states[f"{who}:{n}"] == "sent"]
        assert bool(told) == bool(taken_back), (who, states)
        assert len(taken_back) <= 1


@pytest.mark.parametrize("known_to", ["notify", "ingest"])
async def test_a_withdrawal_shows_neither_name_nor_school_of_a_protected_student(stage: Stage, known_to: str) -> None:
    who = student()
    stage.ingest.people[who] = ("Märta", "Sjöström")
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        if known_to == "ingest":
            stage.ingest.people[who] = None
        await stage.publish(enrolled(who, protected=known_to == "notify", revision=2))
        marker = student()
        await stage.publish(enrolled(marker), level_changed(marker))
        await reaches(client, f"{marker}:1", "sent")
        await stage.publish(alert_withdrawn(who))
        await reaches(client, f"{who}:2", "sent")
    text = readable(stage.sink.of(who)[1])
    assert "Sjöström" not in text
    assert "Ekskolan" not in text
    assert "(skyddad identitet)" in text


async def test_a_withdrawal_is_not_written_about_a_student_who_has_died(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        died = enrolled(who, status="ended", ends_on=date(2026, 11, 9), end_reason="deceased", revision=2)
        await stage.publish(died, alert_withdrawn(who))
        await reaches(client, f"{who}:2", "withheld")
    assert stage.sink.ids() == [f"{who}:1"]


async def test_a_withdrawal_stored_before_a_crash_is_handled_after_it(stage: Stage) -> None:
    who = student()
    async with stage.database() as database:
        alerts = Alerts(database)
        await alerts.add(alert_withdrawn(who), datetime.now(UTC))
        await alerts.add(level_changed(who), datetime.now(UTC))
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who))
        await reaches(client, f"{who}:2", "needless")
        assert (await alert_of(client, f"{who}:1"))["status"] == "withdrawn"
        metrics = (await client.get("/metrics")).text
    assert 'kvar_alerts_total{outcome="needless"}' in metrics
    assert stage.sink.mails == []
