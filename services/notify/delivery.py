"""From a stored alert to a mail that the mail system has taken.

Every alert is mailed at least once and, but for one case, exactly once: the lease keeps replicas apart, and the alert is
marked as sent when the mail system has taken the mail. Between these two lies a moment; a process that dies in it leaves
an alert that another replica mails again when the lease has run out. That second mail bears the same `Message-ID`, by
which mail systems and readers recognise it. For the same reason an alert whose mail may be out is mailed to its end even when
a withdrawal names it by then: the withdrawal follows.

An outage (mail system, ingest) is nobody's fault: the alert stays due and is tried again with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from services.notify import alert_documents
from services.notify.alert_store import Alerts
from services.notify.alerts import GRACE, RENEWAL, Alert, AlertState, Refusal, look_after, retry_after
from services.notify.letter import Name, News, write
from services.notify.mail import Composer, UnusableAddress
from services.notify.names import Names, Protected
from services.notify.places import Place, place_on
from services.notify.recipients import Recipient, StaffMember, choose, coach_may_follow
from services.notify.smtp import Mailer, Refused, Unanswered
from services.notify.store import People
from services.notify.withdrawals import Close, Join, Needless, TellLevel, TellWithdrawn, Wait, decide
from shared import metrics
from shared.errors import Outage
from shared.events import AlertWithdrawn, StaffRole
from shared.waiting import through_outages

SERVICE = "notify"

logger = logging.getLogger(__name__)


class Delivery:
    """Brings one student's alerts to the right person, in the order of the changes. Safe to run in many replicas."""

    def __init__(
        self,
        people: People,
        alerts: Alerts,
        names: Names,
        mailer: Mailer,
        composer: Composer,
        *,
        public_url: str,
        zone: tzinfo,
        clock: Callable[[], datetime],
    ) -> None:
        self._people = people
        self._alerts = alerts
        self._names = names
        self._mailer = mailer
        self._composer = composer
        self._public_url = public_url
        self._zone = zone
        self._clock = clock

    async def deliver(self, student: str) -> None:
        """Mails what is due for a student; returns when nothing is left to do now.

        Raises:
            Outage: the database is away. What is stored stays due.
        """
        while (alert := await self._claim_next(student)) is not None:
            async with self._held(alert):
                await self._attempt_or_postpone(alert)

    async def _claim_next(self, student: str) -> Alert | None:
        """The oldest change that is due. One being mailed, or waiting out an outage, holds back those behind it."""
        now = self._clock()
        for alert in await self._alerts.open(student):
            if alert.due_at is None or alert.due_at <= now:
                return await self._alerts.claim(alert, now)
            if alert.state is AlertState.DUE:
                await self._alerts.defer(student, alert.due_at)
                return None
            if alert.state is AlertState.SENDING:
                return None
        return None

    @asynccontextmanager
    async def _held(self, alert: Alert) -> AsyncIterator[None]:
        """Keeps the lease for as long as it takes, be the mail system ever so slow."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEWAL.total_seconds())
                await through_outages(lambda: self._alerts.renew(alert, self._clock()), service=SERVICE)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def _attempt_or_postpone(self, alert: Alert) -> None:
        try:
            await self._attempt(alert)
        except Outage as outage:
            logger.warning("an alert waits for an outage to end", extra={"outage": str(outage), "alert": alert.id})
            await self._postpone(alert, str(outage), begun=alert.begun or isinstance(outage, Unanswered))
        except Exception as error:
            await self._postpone(alert, type(error).__name__, begun=alert.begun)
            raise

    async def _attempt(self, alert: Alert) -> None:
        news = await self._news(alert)
        if news is None:
            return
        enrolments = await self._people.enrolments(alert.student)
        day = news.said.as_of or news.said.received_at.astimezone(self._zone).date()
        place = place_on(enrolments, day, school_unit=news.said.school_unit)
        if place.deceased:
            await self._finish(alert, AlertState.WITHHELD)
            return
        await self._tell(alert, news, place)

    async def _news(self, alert: Alert) -> News | None:
        """What has to be told; nothing when the alert has come to its end, or waits, without a mail."""
        if isinstance(alert.change, AlertWithdrawn):
            return await self._withdrawal(alert, alert.change)
        standing = await self._alerts.standing(alert.student)
        withdrawn = alert.id in standing.withdrawn
        if withdrawn and not alert.begun:
            await self._finish(alert, AlertState.WITHDRAWN)
        elif standing.spoken > alert.change.n and not withdrawn:
            await self._finish(alert, AlertState.SUPERSEDED)
        else:
            return News(alert.change)
        return None

    async def _withdrawal(self, alert: Alert, said: AlertWithdrawn) -> News | None:
        while True:
            match decide(alert, await self._alerts.of(alert.student), self._clock()):
                case Close(change):
                    await self._finish(change, AlertState.WITHDRAWN)
                case Wait(until):
                    await self._change(alert, AlertState.DUE, {"due_at": until}, first_time=False)
                    return None
                case Join(other):
                    await self._finish(alert, AlertState.JOINED, {"joined": other.id})
                    return None
                case Needless():
                    await self._finish(alert, AlertState.NEEDLESS)
                    return None
                case TellLevel(before):
                    return News(said.model_copy(update={"from_level": before}))
                case TellWithdrawn(changes, newest):
                    return News(newest, withdrawn=changes, withdrawal=said)

    async def _tell(self, alert: Alert, news: News, place: Place) -> None:
        recipient = await self._told_before(alert, news)
        if recipient is None:
            staff = await self._people.staff_for(alert.authority, place)
            recipient = self._recipient(alert, place, staff)
        else:
            news = replace(news, told_before=True)
        if recipient is None:
            await self._wait_for_somebody(alert, place)
            return
        name, place = await self._name(alert.student, place)
        letter = write(alert.student, news, place, recipient, name=name, public_url=self._public_url, zone=self._zone)
        replies_to = [change.id for change in news.withdrawn]
        try:
            await self._mailer.send(self._composer.compose(alert, letter, recipient, self._clock(), replies_to))
        except (Refused, UnusableAddress) as refusal:
            logger.warning("an address was refused", extra={"staff": recipient.member.staff, "alert": alert.id})
            await self._pass_over(alert, recipient, str(refusal))
            return
        if alert.withdraws is None:  # withdrawals wait for each other on purpose
            metrics.EVENT_TO_ALERT.observe((self._clock() - alert.change.received_at).total_seconds())
        await self._finish(alert, AlertState.SENT, alert_documents.told(recipient.member.staff, recipient.role.value))

    async def _told_before(self, alert: Alert, news: News) -> Recipient | None:
        """The person who got the mail that no longer applies, while they can be told."""
        told = news.withdrawn[-1].told if news.withdrawn else None
        if told is None:
            return None
        member = await self._people.member(alert.authority, told[0])
        if member is None or not member.active or (member.staff, member.email) in alert.refused:
            return None
        return Recipient(member, StaffRole(told[1]))

    def _recipient(self, alert: Alert, place: Place, staff: list[StaffMember]) -> Recipient | None:
        if coach_may_follow(place, staff) and self._clock() < alert.created_at + GRACE:
            return None
        return choose(place, staff, alert.refused)

    async def _name(self, student: str, place: Place) -> tuple[Name | None, Place]:
        if place.protected:
            return None, place
        try:
            return await self._names.name(student), place
        except Protected:
            return None, replace(place, protected=True)

    async def _pass_over(self, alert: Alert, recipient: Recipient, answer: str) -> None:
        """Notes the refusal and leaves the alert due at once, for the next in line."""
        refusal = Refusal(recipient.member.staff, recipient.member.email, answer)
        fields = {**alert_documents.refusals((*alert.refusals, refusal)), "due_at": self._clock()}
        await self._change(alert, AlertState.DUE, fields, first_time=False)

    async def _wait_for_somebody(self, alert: Alert, place: Place) -> None:
        state = AlertState.UNDELIVERABLE if alert.refusals else AlertState.PENDING
        failures = alert.failures + 1
        fields = {**alert_documents.sought(place), "failures": failures, "due_at": self._clock() + look_after(failures)}
        await self._change(alert, state, fields, first_time=not alert.waited)

    async def _finish(self, alert: Alert, state: AlertState, fields: dict[str, Any] | None = None) -> None:
        final = {"due_at": None, "problem": None, **(fields or {})}
        if state is AlertState.SENT:
            final["sent_at"] = self._clock()
        await self._change(alert, state, final, first_time=True)

    async def _postpone(self, alert: Alert, problem: str, *, begun: bool) -> None:
        failures = alert.failures + 1
        due_at = self._clock() + retry_after(failures)
        fields = {"failures": failures, "problem": problem, "due_at": due_at, "begun": begun or None}
        await self._change(alert, AlertState.DUE, fields, first_time=False)

    async def _change(self, alert: Alert, state: AlertState, fields: dict[str, Any], *, first_time: bool) -> None:
        """Writes through outages: a mail that is out must be marked, or it would go out again."""
        written = await through_outages(
            lambda: self._alerts.change(alert, {**fields, "state": state.value}),
            service=SERVICE,
        )
        if not written:
            logger.warning("an alert was changed by another replica", extra={"alert": alert.id})
        elif first_time:
            metrics.ALERTS.labels(state.value).inc()
