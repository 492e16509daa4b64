"""Notify as a whole on a real broker, database and mail server: one alert, the right person, once, never lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aio_pika
import pytest
from pydantic import SecretStr

from services.notify import alert_store, alerts, delivery
from services.notify.alert_store import Alerts
from services.notify.app import build
from services.notify.smtp import smtp_server
from shared import metrics
from shared.events import EnrolmentChangedEvent, Level, StaffChangedEvent, StaffRole
from shared.messaging import topology
from shared.settings import SettingsError
from tests.integration.notify.neighbours import readable
from tests.integration.notify.stage import (
    Stage,
    alert_of,
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


async def test_the_coach_gets_one_mail_however_often_the_event_is_delivered(stage: Stage) -> None:
    who = student()
    stage.ingest.people[who] = ("Märta", "Sjöström")
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who))
        event = level_changed(who)
        await stage.publish(event, event)
        shown = await reaches(client, event.id, "sent")
        marker = level_changed(student(), received_at=event.data.received_at)
        await stage.publish(event, enrolled(marker.subject), marker)
        await reaches(client, marker.id, "sent")
    [mail] = stage.sink.of(who)
    assert (shown["told"], shown["role"], shown["problem"]) == ("staff:anna", "coach", None)
    assert mail["To"] == "Åsa Öberg <anna@skola.example>"
    assert mail["X-Kvar-Alert-Id"] == event.id
    assert datetime.fromisoformat(mail["X-Kvar-Event-Received"]) == event.data.received_at
    assert "Elev: Märta Sjöström · Ekskolan" in readable(mail)


async def test_no_name_is_stored_and_none_is_shown_to_operators(stage: Stage) -> None:
    who = student()
    stage.ingest.people[who] = ("Märta", "Sjöström")
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        pages = [await client.get(path) for path in ("/v1/alerts", f"/v1/alerts/{who}:1", "/metrics")]
        async with stage.database() as database:
            names = await database.list_collection_names()
            stored = [repr(document) for name in names async for document in database[name].find()]
    assert len(stage.sink.of(who)) == 1
    assert not [text for text in [*stored, *(page.text for page in pages)] if "Sjöström" in text]


async def test_an_alert_without_recipient_is_pending_until_staff_arrive(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(enrolled(who, coach=None), level_changed(who))
        await reaches(client, f"{who}:1", "pending")
        listed = (await client.get("/v1/alerts", params={"status": "pending"})).json()
        assert [item["id"] for item in listed["items"]] == [f"{who}:1"]
        assert stage.sink.mails == []
        await stage.publish(staff_changed("staff:rektor", StaffRole.PRINCIPAL))
        shown = await reaches(client, f"{who}:1", "sent")
    assert shown["role"] == "principal"
    assert stage.sink.recipients == ["rektor@skola.example"]


async def test_an_enrolment_that_names_the_coach_flushes_what_waits(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed("staff:bo", StaffRole.COORDINATOR), staff_changed(), level_changed(who))
        await reaches(client, f"{who}:1", "pending")
        await stage.publish(enrolled(who))
        shown = await reaches(client, f"{who}:1", "sent")
    assert shown["role"] == "coach"


async def test_staff_statements_in_any_order_end_in_the_newest(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        newest = staff_changed(revision=3, active=False)
        coordinator = staff_changed("staff:bo", StaffRole.COORDINATOR)
        await stage.publish(newest, staff_changed(revision=2), coordinator, newest, enrolled(who))
        await stage.publish(level_changed(who))
        shown = await reaches(client, f"{who}:1", "sent")
    assert shown["role"] == "coordinator"


async def test_a_mail_system_that_is_down_delays_and_loses_nothing(stage: Stage) -> None:
    students = [student() for _ in range(5)]
    stage.sink.stop()
    async with stage.running() as client:
        await stage.publish(staff_changed(), *(enrolled(who) for who in students))
        await stage.publish(*(level_changed(who) for who in students))
        waiting = await reaches(client, f"{students[0]}:1", "due")
        async with stage.database() as database:
            await until_count(stage, database_count=5)
            assert await database["alerts"].count_documents({"state": "sent"}) == 0
        stage.sink.start()
        await all_reach(client, [f"{who}:1" for who in students], "sent")
    assert waiting["sent_at"] is None
    assert sorted(stage.sink.ids()) == sorted(f"{who}:1" for who in students)


async def until_count(stage: Stage, database_count: int) -> None:
    """The consumer is not held up: every alert is stored and its queue is empty although no mail can leave."""
    async with await aio_pika.connect(stage.settings.amqp_url) as connection, stage.database() as database:
        channel = await connection.channel()
        counts = {"alerts": 0}

        async def look() -> bool:
            counts["alerts"] = await database["alerts"].count_documents({"failures": {"$gte": 1}})
            queue = await channel.declare_queue("notify.risk", passive=True)
            return counts["alerts"] == database_count and queue.declaration_result.message_count == 0

        deadline = datetime.now(UTC) + timedelta(seconds=40)
        while not await look():
            assert datetime.now(UTC) < deadline, f"stored with a failed attempt: {counts}"
            await asyncio.sleep(0.05)


async def test_without_ingest_no_nameless_mail_leaves(stage: Stage) -> None:
    who = student()
    stage.ingest.people[who] = ("Märta", "Sjöström")
    stage.ingest.away = True
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        shown = await troubled(client, f"{who}:1")
        assert "503" in shown["problem"]
        assert stage.sink.mails == []
        stage.ingest.away = False
        await reaches(client, f"{who}:1", "sent")
    assert "Märta Sjöström" in readable(stage.sink.mails[0])


@pytest.mark.parametrize("known_to", ["notify", "ingest"])
async def test_a_protected_student_is_told_of_without_name_and_school(stage: Stage, known_to: str) -> None:
    who = student()
    stage.ingest.people[who] = None if known_to == "ingest" else ("Märta", "Sjöström")
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who, protected=known_to == "notify"), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
    [mail] = stage.sink.mails
    text = readable(mail)
    assert "Sjöström" not in text
    assert "Ekskolan" not in text
    assert f"{who[:8]}… (skyddad identitet)" in text
    assert (who in stage.ingest.asked) is (known_to == "ingest")


async def test_an_older_change_that_arrives_late_is_superseded(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who))
        await stage.publish(level_changed(who, 2, before=Level.TARGETED, after=Level.INDIVIDUAL))
        await reaches(client, f"{who}:2", "sent")
        await stage.publish(level_changed(who, 1))
        await reaches(client, f"{who}:1", "superseded")
        await stage.publish(level_changed(who, 3, before=Level.INDIVIDUAL, after=Level.UNIVERSAL))
        await reaches(client, f"{who}:3", "sent")
    assert stage.sink.ids() == [f"{who}:2", f"{who}:3"]


async def test_an_older_change_is_superseded_also_when_the_newer_one_still_waits(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(enrolled(who), level_changed(who, 2))
        await reaches(client, f"{who}:2", "pending")
        await stage.publish(level_changed(who, 1))
        await reaches(client, f"{who}:1", "superseded")
        await stage.publish(staff_changed())
        await reaches(client, f"{who}:2", "sent")
    assert stage.sink.ids() == [f"{who}:2"]


async def test_changes_that_waited_together_leave_in_their_order(stage: Stage) -> None:
    who = student()
    stage.sink.stop()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), *(level_changed(who, n) for n in (1, 2, 3)))
        await until_count(stage, database_count=1)
        stage.sink.start()
        await reaches(client, f"{who}:3", "sent")
    assert stage.sink.ids() == [f"{who}:{n}" for n in (1, 2, 3)]


async def test_a_refused_address_is_noted_and_the_next_in_line_told(stage: Stage) -> None:
    who = student()
    stage.sink.refuse["anna@skola.example"] = "550 5.1.1 no such user"
    async with stage.running() as client:
        await stage.publish(staff_changed(), staff_changed("staff:bo", StaffRole.COORDINATOR), enrolled(who))
        await stage.publish(level_changed(who))
        shown = await reaches(client, f"{who}:1", "sent")
    assert refusals_of(shown) == [("staff:anna", None, "550 5.1.1 no such user")]
    assert stage.sink.recipients == ["bo@skola.example"]


async def test_of_two_mentors_the_second_is_told_when_the_first_cannot_be(stage: Stage) -> None:
    who, other = student(), student()
    stage.sink.refuse["anna@skola.example"] = "550 5.1.1 no such user"
    mentors: dict[str, Any] = {"coach": None, "coaches": ["staff:anna", "staff:adam"]}
    async with stage.running() as client:
        await stage.publish(
            staff_changed(), staff_changed("staff:adam"), staff_changed("staff:bo", StaffRole.COORDINATOR)
        )
        await stage.publish(enrolled(who, **mentors), level_changed(who))
        refused = await reaches(client, f"{who}:1", "sent")
        await stage.publish(staff_changed(revision=2, active=False), enrolled(other, **mentors), level_changed(other))
        gone = await reaches(client, f"{other}:1", "sent")
    for shown in (refused, gone):
        assert (shown["told"], shown["role"]) == ("staff:adam", "coach")
    assert stage.sink.recipients == ["adam@skola.example", "adam@skola.example"]


async def test_without_any_place_the_unit_that_the_registers_name_finds_somebody(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        coordinator, principal = StaffRole.COORDINATOR, StaffRole.PRINCIPAL
        await stage.publish(staff_changed("staff:bo", coordinator), staff_changed("staff:rektor", principal))
        await stage.publish(level_changed(who))
        waiting = await reaches(client, f"{who}:1", "pending")  # an enrolment may be just behind
        shown = await reaches(client, f"{who}:1", "sent")
    assert (shown["told"], shown["role"]) == ("staff:bo", "coordinator")
    assert shown["sent_at"] >= waiting["created_at"]
    assert "Ekskolan" in readable(stage.sink.mails[0])


async def test_where_the_student_is_today_decides_and_whoever_has_left_is_said_to_have(stage: Stage) -> None:
    who, other = student(), student()
    today = datetime.now(stage.settings.zone).date()
    over, to_come = today - timedelta(1), today + timedelta(60)
    async with stage.running() as client:
        await stage.publish(staff_changed(), staff_changed("staff:bo"), staff_changed("staff:adam"))
        await stage.publish(
            enrolled(who, date(2024, 8, 19), ends_on=over),
            enrolled(who, to_come, school_unit="Lindskolan", coach="staff:bo"),
            enrolled(other, date(2024, 8, 19), ends_on=over),
            enrolled(other, today, school_unit="Lindskolan", coach="staff:bo"),
            enrolled(other, today, school_unit="Kursskolan", coach="staff:adam", main=False),
        )
        as_of = today - timedelta(7)  # both were at Ekskolan then
        await stage.publish(level_changed(who, as_of=as_of), level_changed(other, as_of=as_of))
        left = await reaches(client, f"{who}:1", "sent")
        moved = await reaches(client, f"{other}:1", "sent")
    assert (left["told"], moved["told"]) == ("staff:anna", "staff:bo")
    assert "Eleven är inte längre inskriven." in readable(stage.sink.of(who)[0])
    assert "inte längre inskriven" not in readable(stage.sink.of(other)[0])
    assert "Lindskolan" in readable(stage.sink.of(other)[0])


async def test_places_that_an_older_version_kept_are_read_and_replaced(stage: Stage) -> None:
    who, left = student(), student()
    events = {who: enrolled(who), left: enrolled(left, status="ended", protected=True)}
    async with stage.database() as database:
        for name, event in events.items():
            kept = {"_id": name, "rev": 1, "enrolments": [event.data.model_dump(mode="json")]}
            await database["notify_students"].insert_one(kept)
    async with stage.running() as client:
        await stage.publish(staff_changed(), staff_changed("staff:new"))
        await stage.publish(level_changed(who), level_changed(left))
        await all_reach(client, [f"{who}:1", f"{left}:1"], "sent")
        await stage.publish(enrolled(who, coach="staff:new", revision=2), level_changed(who, 2, after=Level.INDIVIDUAL))
        shown = await reaches(client, f"{who}:2", "sent")
        async with stage.database() as database:
            stored = await database["notify_students"].find_one({"_id": who})
    text = readable(stage.sink.of(left)[0])
    assert "Eleven är inte längre inskriven." in text
    assert "(skyddad identitet)" in text
    assert shown["told"] == "staff:new"
    assert stored is not None
    assert "enrolments" not in stored


async def test_operators_see_staff_as_their_publisher_calls_them_and_the_space(stage: Stage) -> None:
    who = student()
    stage.sink.refuse["hr/12@skola.example"] = "550 no such user"
    coordinator = staff_changed("staff:hr/bo", StaffRole.COORDINATOR, email="bo@skola.example")
    async with stage.running() as client:
        await stage.publish(staff_changed("staff:hr/12"), coordinator, enrolled(who, coach="staff:hr/12"))
        await stage.publish(level_changed(who))
        shown = await reaches(client, f"{who}:1", "sent")
        async with stage.database() as database:
            stored = await database["alerts"].find_one({"_id": f"{who}:1"})
    assert (shown["told"], shown["told_space"]) == ("staff:bo", "hr")
    assert refusals_of(shown) == [("staff:12", "hr", "550 no such user")]
    assert stored is not None
    assert stored["told"]["staff"] == "staff:hr/bo"


async def test_what_is_older_than_known_is_counted_and_a_repetition_is_not(stage: Stage) -> None:
    who, marker = student(), student()
    newest: list[StaffChangedEvent | EnrolmentChangedEvent] = [staff_changed(revision=3), enrolled(who, revision=3)]
    older: list[StaffChangedEvent | EnrolmentChangedEvent] = [
        staff_changed(revision=2, active=False),
        enrolled(who, revision=2, coach=None),
    ]

    def counted() -> list[float]:
        types = [event.type for event in older]
        return [metrics.OLDER_THAN_KNOWN.labels("notify", "2480", kind)._value.get() for kind in types]

    async with stage.running() as client:
        before = counted()
        await stage.publish(*newest)
        await stage.publish(level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        await stage.publish(*newest, *older)
        await stage.publish(enrolled(marker), level_changed(marker), level_changed(who, 2))
        await reaches(client, f"{marker}:1", "sent")
        shown = await reaches(client, f"{who}:2", "sent")
        await until(lambda: counted() == [value + 1 for value in before], "one older fact of each type")
    assert shown["told"] == "staff:anna"


async def test_a_student_with_one_name_is_named_by_it(stage: Stage) -> None:
    students = {student(): ("Zahra", None), student(): (None, "Sjöström")}
    stage.ingest.people.update(students)
    async with stage.running() as client:
        await stage.publish(staff_changed(), *(enrolled(who) for who in students))
        await stage.publish(*(level_changed(who) for who in students))
        await all_reach(client, [f"{who}:1" for who in students], "sent")
    for who, names in students.items():
        assert f"Elev: {names[0] or names[1]} · Ekskolan" in readable(stage.sink.of(who)[0])


async def test_refused_everywhere_is_undeliverable_until_an_address_is_mended(stage: Stage) -> None:
    who = student()
    stage.sink.refuse["anna@skola.example"] = "550 5.1.1 no such user"
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        shown = await reaches(client, f"{who}:1", "undeliverable")
        assert refusals_of(shown) == [("staff:anna", None, "550 5.1.1 no such user")]
        await stage.publish(staff_changed(revision=2, email="asa@skola.example"))
        await reaches(client, f"{who}:1", "sent")
    assert stage.sink.recipients == ["asa@skola.example"]


async def test_a_busy_mail_system_is_no_refusal(stage: Stage) -> None:
    who = student()
    stage.sink.refuse["anna@skola.example"] = "451 try later"
    async with stage.running() as client:
        await stage.publish(staff_changed(), staff_changed("staff:bo", StaffRole.COORDINATOR), enrolled(who))
        await stage.publish(level_changed(who))
        await troubled(client, f"{who}:1")
        stage.sink.refuse.clear()
        shown = await reaches(client, f"{who}:1", "sent")
    assert shown["role"] == "coach"


async def test_two_replicas_send_each_alert_once(stage: Stage) -> None:
    students = [student() for _ in range(30)]
    stage.sink.seconds = 0.05
    async with stage.running() as client, stage.running():
        await stage.publish(staff_changed(), *(enrolled(who) for who in students))
        events = [level_changed(who, n) for n in (1, 2) for who in students]
        await stage.publish(*events, *events)
        await all_reach(client, [f"{who}:2" for who in students], "sent")
        async with stage.database() as database:
            sent = [item["_id"] async for item in database["alerts"].find({"state": "sent"})]
    assert len(stage.sink.ids()) == len(set(stage.sink.ids()))
    assert sorted(stage.sink.ids()) == sorted(sent)
    assert len(stage.sink.sessions) < len(stage.sink.mails)


async def test_a_stop_in_the_middle_of_a_mail_neither_loses_nor_repeats_it(stage: Stage) -> None:
    who = student()
    stage.sink.seconds = 0.5
    async with stage.running():
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await until(lambda: stage.sink.busy, "the mail system to be in the middle of the mail")
    async with stage.running() as client:
        await reaches(client, f"{who}:1", "sent")
    assert stage.sink.ids() == [f"{who}:1"]


async def test_an_alert_stored_before_a_crash_is_sent_after_it(stage: Stage) -> None:
    who = student()
    async with stage.database() as database:
        await Alerts(database).add(level_changed(who), datetime.now(UTC))
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who))
        await reaches(client, f"{who}:1", "sent")
    assert stage.sink.ids() == [f"{who}:1"]


async def test_a_mail_repeated_after_a_crash_bears_the_same_message_id(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "REPEAT_AFTER", (timedelta(seconds=1),) * 3)
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
        async with stage.database() as database:
            # As a replica leaves it that dies between the mail system's yes and its mark, its lease run out.
            await database["alerts"].update_one(
                {"_id": f"{who}:1"},
                {
                    "$set": {
                        "state": "sending",
                        "due_at": datetime.now(UTC),
                        "handed_over": {"times": 1, "staff": "staff:anna", "role": "coach", "level": "targeted"},
                    },
                    "$inc": {"rev": 1},
                },
            )
        await until(lambda: len(stage.sink.mails) == 2, "the mail to be sent again")
        await reaches(client, f"{who}:1", "sent")
    first, second = stage.sink.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{who}.1@skola.example>"


async def test_a_slow_mail_system_does_not_cost_the_lease(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_store, "LEASE", timedelta(seconds=2))
    monkeypatch.setattr(delivery, "RENEWAL", timedelta(seconds=0.5))
    who = student()
    stage.sink.seconds = 7.0  # three leases and a sweep
    async with stage.running() as client, stage.running():
        await stage.publish(staff_changed(), enrolled(who), level_changed(who))
        await reaches(client, f"{who}:1", "sent")
    assert stage.sink.ids() == [f"{who}:1"]


async def test_a_living_holder_of_a_lease_is_not_disturbed(stage: Stage) -> None:
    who, other = student(), student()
    async with stage.database() as database:
        alerts = Alerts(database)
        await alerts.add(level_changed(who), datetime.now(UTC))
        [mine] = await alerts.open(who)
        assert await alerts.claim(mine, datetime.now(UTC)) is not None
        assert await alerts.claim(mine, datetime.now(UTC)) is None
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), enrolled(other), level_changed(who), level_changed(other))
        await reaches(client, f"{other}:1", "sent")
        assert (await alert_of(client, f"{who}:1"))["status"] == "sending"
    assert stage.sink.of(who) == []


async def test_nobody_is_written_to_about_a_student_who_has_died(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        died = enrolled(who, status="ended", ends_on=date(2026, 11, 9), end_reason="deceased")
        await stage.publish(staff_changed(), died, level_changed(who))
        await reaches(client, f"{who}:1", "withheld")
    assert stage.sink.mails == []


async def test_a_staff_member_of_another_authority_is_never_told(stage: Stage) -> None:
    who = student()
    elsewhere = staff_changed("staff:bo", StaffRole.COORDINATOR).model_copy(update={"authority": "0180"})
    async with stage.running() as client:
        await stage.publish(elsewhere, enrolled(who, coach=None), level_changed(who))
        await reaches(client, f"{who}:1", "pending")
    assert stage.sink.mails == []


async def test_content_that_obeys_no_contract_is_parked(stage: Stage) -> None:
    async with stage.running(), await aio_pika.connect(stage.settings.amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(topology.RISK)
        await exchange.publish(aio_pika.Message(b'{"type": "kvar.risk.level_changed.v1"}'), topology.LEVEL_CHANGED_KEY)
        parking = await channel.get_queue(topology.parking_queue("notify"))
        parked = None
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        while parked is None and datetime.now(UTC) < deadline:
            parked = await parking.get(fail=False)
            await asyncio.sleep(0.05)
    assert parked is not None
    assert "Reject" in str(parked.headers["x-kvar-error"])


async def test_alerts_are_paged_and_only_shown_with_the_token(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(who), *(level_changed(who, n) for n in (1, 2, 3)))
        await reaches(client, f"{who}:3", "sent")
        first = (await client.get("/v1/alerts", params={"student": who, "limit": 2})).json()
        second = (await client.get("/v1/alerts", params={"student": who, "limit": 2, "after": first["next"]})).json()
        assert [item["n"] for item in first["items"] + second["items"]] == [1, 2, 3]
        assert second["next"] is None
        assert (await client.get(f"/v1/alerts/{student()}:1")).status_code == 404
        refused = await client.get("/v1/alerts/p_unknown:1")
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
            assert (await client.get("/v1/alerts", headers=headers)).status_code == 401
            assert (await client.get(f"/v1/alerts/{who}:1", headers=headers)).status_code == 401


def test_wrong_settings_are_refused_at_start(stage: Stage) -> None:
    with pytest.raises(SettingsError, match="KVAR_SERVICE_TOKEN"):
        build(stage.settings.model_copy(update={"service_token": SecretStr("short")}))
    with pytest.raises(SettingsError, match="KVAR_SMTP_URL"):
        smtp_server("smtp://")


async def test_an_alert_that_cannot_be_read_keeps_its_own_student_waiting_alone(stage: Stage) -> None:
    bad, good = student(), [student() for _ in range(5)]
    async with stage.running() as client, stage.database() as database:
        await database["alerts"].insert_one(
            {"_id": f"{bad}:1", "student": bad, "state": "due", "due_at": datetime(2026, 1, 1, tzinfo=UTC)}
        )
        await stage.publish(staff_changed(), *(enrolled(who, coach="staff:anna") for who in [bad, *good]))
        await stage.publish(*(level_changed(who) for who in [*good, bad]))
        await all_reach(client, [f"{who}:1" for who in good], "sent")
        assert await database["alerts"].count_documents({"student": bad, "state": "due"}) == 1
