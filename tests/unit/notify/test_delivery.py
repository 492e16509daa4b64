"""Who is told depends on where the student is today: what waits is looked at again, with the day as it is by then."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.notify.alerts import LONGEST_LOOK
from services.notify.delivery import Delivery
from services.notify.places import Situation, Statement
from services.notify.recipients import StaffMember
from shared.events import RiskLevelChangedEvent
from tests.unit.notify.builders import AS_OF, RECEIVED, STUDENT, change, member, stated
from tests.unit.notify.test_withdrawing_model import AlertsInMemory, Neighbours, World

SCHOOLS = ZoneInfo("Europe/Stockholm")
FIRST_DAY = date(2026, 11, 7)


class Moving(Neighbours):
    """A student without any coach until a new place begins."""

    async def statements(self, _student: str) -> list[Statement]:
        return [stated(coach=None, ends_on=AS_OF), stated("Lindskolan", FIRST_DAY, coach="staff:anna")]

    async def staff_for(self, _authority: str, about: Situation) -> list[StaffMember]:
        return [member(coach) for coach in about.coaches]


async def test_an_alert_that_waits_is_told_to_the_coach_of_a_place_soon_after_it_begins() -> None:
    world = World(random.Random(1), troubled=False)
    near: Any = Moving(world)
    alerts = AlertsInMemory(world)
    delivery = Delivery(
        near, alerts, near, near, near, public_url="https://kvar.example", zone=SCHOOLS, clock=world.clock
    )
    event = RiskLevelChangedEvent(
        id=f"{STUDENT}:1", source="/kvar/scoring", subject=STUDENT, time=RECEIVED, authority="2480", data=change()
    )
    await alerts.add(event, world.now)
    async with asyncio.timeout(20):
        while not world.mails:
            await delivery.deliver(STUDENT)
            [alert] = await alerts.of(STUDENT)
            if alert.due_at is not None:
                assert alert.due_at <= world.now + LONGEST_LOOK
                world.now = alert.due_at
    begins = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=SCHOOLS)
    assert begins <= world.now.astimezone(UTC) <= begins + LONGEST_LOOK + timedelta(seconds=1)
    assert alert.told == ("staff:anna", "coach")
    assert world.mails[0][1].unit == "Lindskolan"
