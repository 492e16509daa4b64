"""Changes of level that waited for somebody to tell, on a real broker, database and mail server: one mail tells them together."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.notify import alert_documents
from shared.events import Level, StaffRole
from tests.integration.notify.neighbours import readable
from tests.integration.notify.stage import (
    Stage,
    alert_withdrawn,
    enrolled,
    level_changed,
    reaches,
    staff_changed,
    student,
)

pytestmark = pytest.mark.integration

RISE: dict[str, Any] = {"as_of": date(2026, 11, 3)}
FALL: dict[str, Any] = {"before": Level.TARGETED, "after": Level.UNIVERSAL}
BOTH = "Nivån var riktad en tid och är nu universell (Ekskolan)"


@pytest.fixture(autouse=True)
def short_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_documents, "GATHER", timedelta(seconds=1))


async def test_a_rise_that_waits_and_its_fall_are_one_mail_that_is_no_good_news(stage: Stage) -> None:
    who = student()
    async with stage.running() as client, stage.running():
        await stage.publish(enrolled(who, coach=None), level_changed(who, **RISE))
        await reaches(client, f"{who}:1", "pending")
        await stage.publish(level_changed(who, 2, **FALL))
        await reaches(client, f"{who}:2", "pending")
        await stage.publish(staff_changed("staff:bo", StaffRole.COORDINATOR))
        await reaches(client, f"{who}:2", "sent")
        rise = await reaches(client, f"{who}:1", "joined")
    assert rise["joined"] == f"{who}:2"
    [mail] = stage.sink.mails
    text = readable(mail).replace("\N{NO-BREAK SPACE}", " ")
    assert mail["Subject"] == BOTH
    assert "Den 3 nov 2026 steg nivån till riktad; då fanns det ingen som kunde få veta det." in text
    assert "Goda nyheter" not in text


async def test_a_fall_that_comes_when_somebody_is_known_already_tells_the_rise_too(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(enrolled(who, coach=None), level_changed(who, **RISE))
        await reaches(client, f"{who}:1", "pending")
        async with stage.database() as database:
            # As when the day on which a new place begins has come: somebody is there, and no event has told so.
            place = {"places.0.coaches": ["staff:anna"]}
            await database["notify_students"].update_one({"_id": who}, {"$set": place, "$inc": {"rev": 1}})
            await database["alerts"].update_one({"_id": f"{who}:1"}, {"$set": {"due_at": _in_five_minutes()}})
        await stage.publish(staff_changed(scope=[]))
        await stage.publish(level_changed(who, 2, **FALL))
        await reaches(client, f"{who}:2", "sent")
        await reaches(client, f"{who}:1", "joined")
    assert [mail["Subject"] for mail in stage.sink.mails] == [BOTH]


def _in_five_minutes() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=5)


async def test_a_rise_that_is_withdrawn_before_anybody_was_told_leaves_its_fall_silent_too(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(enrolled(who, coach=None), level_changed(who, **RISE))
        await reaches(client, f"{who}:1", "pending")
        await stage.publish(level_changed(who, 2, **FALL))
        await reaches(client, f"{who}:1", "joined")
        await stage.publish(alert_withdrawn(who, 3, 1, before=Level.UNIVERSAL))
        await reaches(client, f"{who}:1", "withdrawn")
        await reaches(client, f"{who}:3", "needless")
        await stage.publish(staff_changed("staff:bo", StaffRole.COORDINATOR))
        await reaches(client, f"{who}:2", "needless")
    assert stage.sink.mails == []


async def test_a_rise_that_was_told_with_its_fall_is_taken_back_in_a_reply_to_that_mail(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(enrolled(who, coach=None), level_changed(who, **RISE))
        await reaches(client, f"{who}:1", "pending")
        await stage.publish(level_changed(who, 2, **FALL), staff_changed("staff:bo", StaffRole.COORDINATOR))
        await reaches(client, f"{who}:2", "sent")
        await stage.publish(alert_withdrawn(who, 3, 1, before=Level.UNIVERSAL))
        shown = await reaches(client, f"{who}:3", "sent")
    both, taken_back = stage.sink.mails
    assert shown["told"] == "staff:bo"
    assert taken_back["In-Reply-To"] == both["Message-ID"] == f"<{who}.2@skola.example>"
    assert taken_back["Subject"] == "Meddelandet om riktad nivå gäller inte längre (Ekskolan)"


async def test_rises_that_waited_start_from_the_level_that_was_told(stage: Stage) -> None:
    who = student()
    async with stage.running() as client:
        await stage.publish(enrolled(who, coach=None), level_changed(who))
        await reaches(client, f"{who}:1", "pending")
        await stage.publish(level_changed(who, 2, before=Level.TARGETED, after=Level.INDIVIDUAL))
        await reaches(client, f"{who}:1", "joined")
        await stage.publish(staff_changed("staff:bo", StaffRole.COORDINATOR))
        await reaches(client, f"{who}:2", "sent")
    assert [mail["Subject"] for mail in stage.sink.mails] == ["Individuell nivå, upp från universell (Ekskolan)"]
