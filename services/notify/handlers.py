"""What notify does with each message. Nothing is published: what goes out is mail.

`notify.events` brings `staff.changed.v1` and `enrolment.changed.v1`: kept, and alerts that waited for them become due.
`notify.risk` brings `risk.level_changed.v1` and `risk.alert_withdrawn.v1`: each stored as one alert, acknowledged, then mailed
where somebody has to be told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import assert_never

from services.notify.alert_documents import AlertEvent
from services.notify.alert_store import Alerts
from services.notify.alerts import OPEN
from services.notify.dispatch import Dispatcher
from services.notify.store import People
from shared import metrics
from shared.events import (
    AlertWithdrawnEvent,
    EnrolmentChangedEvent,
    RiskLevelChangedEvent,
    StaffChangedEvent,
)
from shared.waiting import through_outages

SERVICE = "notify"

PeopleEvent = StaffChangedEvent | EnrolmentChangedEvent


def people_handler(
    people: People, alerts: Alerts, dispatcher: Dispatcher, clock: Callable[[], datetime]
) -> Callable[[PeopleEvent], Awaitable[None]]:
    """Handler of `notify.events`."""

    async def keep(event: PeopleEvent) -> None:
        # Woken also by a repetition: the first delivery may have died between keeping and waking.
        match event:
            case StaffChangedEvent():
                await people.keep_staff(event)
                found = await alerts.wake_for(event.authority, event.subject, event.data.scope, clock())
            case EnrolmentChangedEvent():
                await people.keep_enrolment(event)
                found = await alerts.wake_student(event.subject, clock())
            case _:
                assert_never(event)
        if found:
            dispatcher.sweep_soon()

    async def handle(event: PeopleEvent) -> None:
        await through_outages(lambda: keep(event), service=SERVICE)

    return handle


def risk_handler(
    alerts: Alerts, dispatcher: Dispatcher, clock: Callable[[], datetime]
) -> Callable[[AlertEvent], Awaitable[None]]:
    """Handler of `notify.risk`: returns when the alert is stored, whether or not it can be mailed now."""

    async def handle(event: RiskLevelChangedEvent | AlertWithdrawnEvent) -> None:
        state = await through_outages(lambda: alerts.add(event, clock()), service=SERVICE)
        if state is not None and state not in OPEN:
            metrics.ALERTS.labels(state.value).inc()
        dispatcher.wake(event.subject)

    return handle
