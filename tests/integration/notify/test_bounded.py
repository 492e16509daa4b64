"""What is kept and read of one student's alerts and of a unit's staff has a largest size, on a real database."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.notify import alert_store, store
from services.notify.alert_store import Alerts
from services.notify.alerts import AlertState
from services.notify.store import People
from shared import mongo
from shared.events import StaffRole
from tests.builders import STOCKHOLM
from tests.integration.notify.stage import level_changed, staff_changed, student
from tests.unit.notify.builders import about

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 6, 12, tzinfo=UTC)


@pytest.fixture
async def database(mongo_url: str) -> AsyncIterator[mongo.Database]:
    opened = mongo.connect(mongo_url, f"test_{secrets.token_hex(6)}", service="test")
    yield opened
    opened.client.close()


async def test_of_very_many_alerts_of_a_student_the_newest_are_kept_and_the_one_that_was_mailed_last(
    database: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_store, "KEPT_OF_STUDENT", 5)
    alerts, who, other = Alerts(database), student(), student()
    await alerts.prepare()
    await alerts.add(level_changed(other), NOW)
    final = {1: AlertState.SENT, 2: AlertState.SENT, 3: AlertState.WITHDRAWN, 4: AlertState.PENDING}
    for n in range(1, 31):
        await alerts.add(level_changed(who, n), NOW)
        state = final.get(n, AlertState.SUPERSEDED)
        await database["alerts"].update_one({"_id": f"{who}:{n}"}, {"$set": {"state": state.value}})
    kept = [alert.change.n for alert in await alerts.of(who)]
    assert kept[:2] == [2, 4], "the last one mailed, and one that still waits for somebody to tell"
    assert kept[2:] == list(range(kept[2], 31))
    assert len(kept) <= 2 + 2 * 5 + 1
    assert len(await alerts.of(other)) == 1
    # What was deleted and comes once more is never mailed.
    assert await alerts.add(level_changed(who, 5), NOW) is AlertState.SUPERSEDED


async def test_a_units_staff_are_looked_for_in_its_own_authority_and_only_the_first_of_very_many(
    database: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "STAFF_AT_MOST", 3)
    people = People(database, STOCKHOLM)
    await people.prepare()
    for n in range(6):
        foreign = staff_changed(f"staff:a{n}", StaffRole.COORDINATOR)
        await people.keep_staff(foreign.model_copy(update={"authority": "0180"}))
        await people.keep_staff(staff_changed(f"staff:b{n}", StaffRole.PRINCIPAL, active=n > 0))
    await people.keep_staff(staff_changed("staff:c", StaffRole.COORDINATOR))
    found = await people.staff_for("2480", about(coaches=()))
    assert sorted(member.staff for member in found) == ["staff:b1", "staff:b2", "staff:b3", "staff:c"]
