"""Writing down what became of an alert whose lease is held."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from services.notify import alert_documents
from services.notify.alert_store import Alerts
from services.notify.alerts import GRACE, OPEN, Alert, AlertState, HandedOver, Refusal, Telling, look_after, retry_after
from services.notify.places import Situation
from shared import metrics
from shared.waiting import through_outages

SERVICE = "notify"

logger = logging.getLogger(__name__)


class Marking:
    """Each method writes through outages: a mail that is out must be marked, or it would go out again.

    What another replica has changed meanwhile stays as it is.
    """

    def __init__(self, alerts: Alerts, clock: Callable[[], datetime]) -> None:
        self._alerts = alerts
        self._clock = clock

    async def finish(self, alert: Alert, state: AlertState, fields: dict[str, Any] | None = None) -> None:
        """The alert has come to its end, without a mail."""
        final = {"due_at": None, "problem": None, **(fields or {})}
        await self._change(alert, state, final, first_time=alert.state in OPEN)

    async def sent(self, alert: Alert, to: HandedOver, refusals: Sequence[Refusal]) -> None:
        """The mail system has taken the mail. That holds also when another replica took the lease meanwhile."""
        known = alert_documents.refusals(refusals) | alert_documents.handed_over(None)
        fields = {**known, **self._told(to), "problem": None}
        current: Alert | None = alert
        while current is not None and current.state in OPEN:
            if await self._change(current, AlertState.SENT, fields, first_time=True):
                return
            current = await through_outages(lambda: self._alerts.one(alert.id), service=SERVICE)

    async def join(self, alert: Alert, other: Alert) -> None:
        """The other one tells of it too."""
        await self.finish(alert, AlertState.JOINED, {"joined": other.id})

    async def look_again(self, alert: Alert, when: datetime) -> None:
        """It waits for another alert."""
        await self._change(alert, AlertState.DUE, {"due_at": when}, first_time=False)

    async def begin(self, alert: Alert, telling: Telling | None, to: HandedOver) -> bool:
        """The mail is about to be handed over: from now on it may be out. False when the lease has been lost."""
        fields = alert_documents.telling(telling) | alert_documents.handed_over(to)
        return await through_outages(lambda: self._alerts.note(alert, fields, self._clock()), service=SERVICE)

    async def unanswered(self, alert: Alert, mail: HandedOver, problem: str) -> None:
        """The mail may be out: it is handed over again after a while, or has been often enough and counts as told."""
        logger.warning("a mail may be out", extra={"alert": alert.id, "problem": problem, "times": mail.times})
        fields = {**alert_documents.handed_over(mail), "problem": problem, "refused_since": None}
        pause = mail.repeat_after
        if pause is None:
            await self._change(alert, AlertState.UNCERTAIN, {**fields, **self._told(mail)}, first_time=True)
            return
        await self._change(alert, AlertState.DUE, {**fields, "due_at": self._clock() + pause}, first_time=False)

    async def postpone(
        self, alert: Alert, problem: str, *, refused: bool = False, refused_since: datetime | None = None
    ) -> None:
        """Nothing is out by this attempt; it waits for an outage to end. `refused`: the mail system answers, with a no;
        `refused_since`: to everybody asked, since then.
        """
        failures = alert.failures + 1
        fields = {
            **alert_documents.handed_over(alert.handed_over),
            "failures": failures,
            "problem": problem,
            "refused_since": refused_since,
            "due_at": self._clock() + retry_after(failures, is_refused=refused),
        }
        await self._change(alert, AlertState.DUE, fields, first_time=False)

    async def wait_for_somebody(self, alert: Alert, about: Situation, refusals: Sequence[Refusal]) -> None:
        """There is nobody to tell; it is looked at again when the time is up that others are told after."""
        state = AlertState.UNDELIVERABLE if refusals else AlertState.PENDING
        failures, now, patient_until = alert.failures + 1, self._clock(), alert.created_at + GRACE
        due_at = now + look_after(failures)
        if now < patient_until:
            due_at = min(due_at, patient_until)
        fields = {
            **alert_documents.sought(about),
            **alert_documents.refusals(refusals),
            **alert_documents.handed_over(alert.handed_over),
            "failures": failures,
            "refused_since": None,
            "problem": None,
            "due_at": due_at,
        }
        await self._change(alert, state, fields, first_time=not alert.waited)

    def _told(self, mail: HandedOver) -> dict[str, Any]:
        """Fields of an alert that counts as told."""
        told = alert_documents.told(mail.staff, mail.role, mail.level)
        return {**told, "sent_at": self._clock(), "due_at": None, "refused_since": None}

    async def _change(self, alert: Alert, state: AlertState, fields: dict[str, Any], *, first_time: bool) -> bool:
        written = await through_outages(
            lambda: self._alerts.change(alert, {**fields, "state": state.value}),
            service=SERVICE,
        )
        if not written:
            logger.warning("an alert was changed by another replica", extra={"alert": alert.id})
        elif first_time:
            metrics.ALERTS.labels(state.value).inc()
        return written
