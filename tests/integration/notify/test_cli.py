"""`kvar alerts`: what nobody has been told of is listed and made due again, on a real database, beside a running notify."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from services.notify import alerts
from services.notify.alert_store import Alerts
from services.notify.cli import app
from shared import mongo
from tests.integration.notify.stage import Stage, enrolled, level_changed, reaches, staff_changed, student

pytestmark = pytest.mark.integration

COACH = "anna@skola.example"
TOLD = {"staff": "staff:hr/anna", "role": "coach", "level": "targeted"}


@pytest.fixture
def stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("KVAR_MONGO_URL", stage.settings.mongo_url)
    monkeypatch.setenv("KVAR_MONGO_DATABASE", stage.settings.mongo_database)
    return stage


async def kvar(*arguments: str, status: int = 0) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert result.exit_code == status, result.output
    return result.output


async def stored(stage: Stage, state: str, authority: str = "2480", **fields: Any) -> str:
    """An alert as it stands after some time."""
    who = student()
    event = level_changed(who).model_copy(update={"authority": authority})
    async with stage.database() as database:
        await Alerts(database).add(event, datetime.now(UTC))
        given = {"state": state, "due_at": datetime.now(UTC) + timedelta(hours=1), **fields}
        await database["alerts"].update_one({"_id": event.id}, {"$set": given})
    return event.id


async def states(stage: Stage) -> dict[str, str]:
    async with stage.database() as database:
        return {item["_id"]: item["state"] async for item in database["alerts"].find()}


async def test_the_list_shows_what_nobody_was_told_of_by_filters_and_pages(stage: Stage) -> None:
    refusal = {
        "staff": "staff:hr/anna",
        "email": COACH,
        "answer": "550 5.1.1 \x1b[31m" + "no " * 60,
        "at": datetime.now(UTC),
    }
    undeliverable = await stored(stage, "undeliverable", refusals=[refusal], failures=3)
    uncertain = await stored(stage, "uncertain", told=TOLD, handed_over={"times": 4, **TOLD}, problem="gone")
    elsewhere = await stored(stage, "pending", authority="0180")
    sent = await stored(stage, "sent", told=TOLD)
    everything = await kvar("list")
    assert all(alert_id in everything for alert_id in (undeliverable, uncertain, elsewhere))
    assert sent not in everything
    assert all(len(line) <= 80 for line in everything.splitlines())
    assert "\x1b" not in everything
    assert "staff:anna" in everything
    assert "handed over 4 times without an answer" in everything
    assert elsewhere not in await kvar("list", "--authority", "2480")
    assert [line for line in (await kvar("list", "--state", "sent")).splitlines() if line.startswith("p_")] == [
        line for line in (await kvar("list", "--state", "sent", "--authority", "2480")).splitlines() if sent in line
    ]
    ids = sorted([undeliverable, uncertain, elsewhere])
    first = await kvar("list", "--limit", "2")
    assert f"More: --after {ids[1]}" in first
    rest = await kvar("list", "--limit", "2", "--after", ids[1], "--json")
    assert [orjson.loads(line)["id"] for line in rest.splitlines()] == ids[2:]
    assert await kvar("list", "--authority", "9999") == "There are none.\n"


async def test_retry_makes_due_what_is_named_and_nothing_that_was_told(stage: Stage) -> None:
    waiting = await stored(stage, "undeliverable", refusals=[], failures=9)
    elsewhere = await stored(stage, "undeliverable", authority="0180")
    sent, sending = await stored(stage, "sent", told=TOLD), await stored(stage, "sending")
    output = await kvar("retry", waiting, sent, sending, "p_nobody:1", status=1)
    assert "Due again: 1\n" in output
    assert all(alert_id in output for alert_id in (sent, sending, "p_nobody:1"))
    assert await states(stage) == {waiting: "due", elsewhere: "undeliverable", sent: "sent", sending: "sending"}
    assert await kvar("retry", "--state", "undeliverable", "--authority", "2480") == "Due again: 0\n"
    assert await kvar("retry", "--all") == "Due again: 2\n"
    assert await states(stage) == {waiting: "due", elsewhere: "due", sent: "sent", sending: "sending"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name ids, or --state, or --all"),
        (["--all", "--state", "due"], "Name ids, or --state, or --all"),
        (["--state", "sent"], "sent is final"),
    ],
)
async def test_a_retry_of_everything_is_asked_for_in_words(stage: Stage, arguments: list[str], message: str) -> None:
    assert message in await kvar("retry", *arguments, status=2)


async def test_wrong_settings_and_a_database_that_is_away_are_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo, "TIMEOUT_MS", 200)
    monkeypatch.setenv("KVAR_MONGO_URL", "mongodb://127.0.0.1:1/")
    assert "The database does not answer" in await kvar("list", status=1)
    monkeypatch.setenv("KVAR_MONGO_URL", "elsewhere")
    assert "KVAR_MONGO_URL" in await kvar("list", status=2)


async def test_a_running_notify_mails_what_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "REPEAT_AFTER", ())
    refused, silent = student(), student()
    stage.sink.refuse[COACH] = "550 5.1.1 no such user"
    other_coach = staff_changed("staff:bo", scope=[])
    async with stage.running() as client:
        await stage.publish(staff_changed(), enrolled(refused), level_changed(refused))
        await reaches(client, f"{refused}:1", "undeliverable")
        stage.sink.goes = True
        await stage.publish(other_coach, enrolled(silent, coach="staff:bo"), level_changed(silent))
        await reaches(client, f"{silent}:1", "uncertain")
        stage.sink.goes = False
        stage.sink.refuse.clear()
        await kvar("retry", f"{refused}:1", f"{silent}:1")
        shown = await reaches(client, f"{refused}:1", "sent")
        again = await reaches(client, f"{silent}:1", "sent")
    assert (shown["told"], shown["refusals"]) == ("staff:anna", [])
    assert (again["told"], again["handed_over"]) == ("staff:bo", 0)
    assert len(stage.sink.of(silent)) == 2
