"""From what is to be told to a mail that the mail system has taken: who is asked for, in which order, and what a no means.

One attempt goes down the line of those who may be told. Whom the mail system refuses may have a bad address, or it refuses
everybody: the next in line shows. When that mail is taken, those before are passed over for a day; when nobody's is, it is an
outage, nobody is passed over, and the next attempt begins with the first again. That several addresses are bad at once is
believed after a while only: a mail system that has lost its list of users says the same. Whose fault a no is: `replies`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from services.notify.alerts import GRACE, Alert, HandedOver, Refusal
from services.notify.letter import Name, News, write
from services.notify.mail import Composer, Mail, UnusableAddress
from services.notify.marking import Marking
from services.notify.names import Names, Protected
from services.notify.places import Situation
from services.notify.recipients import Address, Recipient, choose, coach_may_follow
from services.notify.replies import Fault, Reply, Spell, fault
from services.notify.smtp import Mailer, Refused, TurnedAway, Unanswered, Unreachable
from services.notify.store import People
from shared import metrics
from shared.errors import Outage, Stale
from shared.events import StaffRole

logger = logging.getLogger(__name__)


class Declined(Outage):
    """The mail system said no to everybody who was asked for. Nothing is out. `since`: when that began."""

    def __init__(self, reply: Reply, since: datetime) -> None:
        super().__init__(f"the mail system: {reply}")
        self.reply = reply
        self.since = since


@dataclass(slots=True)
class _Attempt:
    """What is told, and who was asked for in vain; `doubted`: perhaps by the fault of the mail system.

    `replies`: what it said, first to last; `unknown`: how many of them say that the address is at fault.
    """

    alert: Alert
    news: News
    about: Situation
    refusals: list[Refusal]
    name: Name | None = None
    doubted: list[Refusal] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    unknown: int = 0

    @property
    def in_vain(self) -> list[Refusal]:
        return [*self.refusals, *self.doubted]

    @property
    def passed(self) -> frozenset[Address]:
        return frozenset(refusal.address for refusal in self.in_vain)

    @property
    def told_before(self) -> tuple[str, str] | None:
        """Staff id and role of the person who got the mail that no longer applies."""
        return self.news.withdrawn[-1].told if self.news.withdrawn else None


class Posting:
    """Tells one person. Safe to run in many replicas, each for alerts whose lease it holds."""

    def __init__(
        self,
        people: People,
        names: Names,
        mailer: Mailer,
        composer: Composer,
        marking: Marking,
        *,
        public_url: str,
        zone: tzinfo,
        clock: Callable[[], datetime],
    ) -> None:
        self._people = people
        self._names = names
        self._mailer = mailer
        self._composer = composer
        self._marking = marking
        self._public_url = public_url
        self._zone = zone
        self._clock = clock
        self._taken_at: datetime | None = None

    async def tell(self, alert: Alert, news: News, about: Situation) -> None:
        """Mails the first in line whom the mail system takes a mail for, and writes down what came of it.

        Raises:
            Outage: nothing is out by this attempt: mail system, ingest or database away, or `Declined`.
            Stale: another replica has taken the lease.
        """
        attempt = _Attempt(alert, news, about, list(alert.refused(self._clock())))
        recipient = await self._next(attempt)
        if recipient is not None:
            attempt.name, attempt.about = await self._name(alert.student, about)
        while recipient is not None:
            try:
                await self._hand_over(self._compose(attempt, recipient), attempt, recipient)
            except UnusableAddress as unusable:
                self._unusable(recipient, unusable, attempt)
            except Refused as refused:
                self._refused(recipient, refused.reply, attempt)
            else:
                return
            recipient = await self._next(attempt)
        if attempt.doubted or (attempt.unknown > 1 and self._spell(alert).is_new):
            raise self._declined(attempt)
        await self._marking.wait_for_somebody(alert, about, attempt.refusals)

    async def _next(self, attempt: _Attempt) -> Recipient | None:
        """Who is next: whoever got the mail that no longer applies, then as always. Nobody while a coach may still follow."""
        alert, about, passed = attempt.alert, attempt.about, attempt.passed
        if attempt.told_before is not None:
            staff, role = attempt.told_before
            member = await self._people.member(alert.authority, staff)
            if member is not None and member.active and (member.staff, member.email) not in passed:
                return Recipient(member, StaffRole(role))
        responsible = await self._people.staff_for(alert.authority, about)
        if self._clock() < alert.created_at + GRACE and coach_may_follow(about, responsible, passed):
            return None
        return choose(about, responsible, passed)

    async def _name(self, student: str, about: Situation) -> tuple[Name | None, Situation]:
        if about.protected:
            return None, about
        try:
            return await self._names.name(student), about
        except Protected:
            return None, replace(about, protected=True)

    def _compose(self, attempt: _Attempt, recipient: Recipient) -> Mail:
        """The mail.

        Raises:
            UnusableAddress: it cannot be written, for whatever reason: the next person must not wait for that.
        """
        alert, told = attempt.alert, attempt.told_before
        news = replace(attempt.news, told_before=told is not None and told[0] == recipient.member.staff)
        replies_to = [change.joined or change.id for change in news.withdrawn]
        try:
            letter = write(
                alert.student,
                news,
                attempt.about,
                recipient,
                name=attempt.name,
                public_url=self._public_url,
                zone=self._zone,
            )
            return self._composer.compose(alert, letter, recipient, self._clock(), replies_to)
        except UnusableAddress:
            raise
        except Exception as error:  # noqa: BLE001 - one that nobody has thought of would come back for ever
            # Only the type: the message of an error made while writing a letter could quote the student's name.
            raise UnusableAddress(f"the mail cannot be written: {type(error).__name__}") from None

    async def _hand_over(self, mail: Mail, attempt: _Attempt, recipient: Recipient) -> None:
        alert, news = attempt.alert, attempt.news
        times = 1 + (alert.handed_over.times if alert.handed_over is not None else 0)
        to = HandedOver(times, recipient.member.staff, recipient.role.value, news.said.to_level)

        begun = False

        async def begin() -> None:
            nonlocal begun
            if not await self._marking.begin(alert, news.telling, to):
                raise Stale(f"the lease of {alert.id} has been lost")
            begun = True

        try:
            await self._mailer.send(mail, begin)
        except Refused:
            raise
        except (TurnedAway, Unreachable) as outage:
            metrics.MAIL_FAILURES.labels("sender" if isinstance(outage, TurnedAway) else "away").inc()
            raise
        except Exception as error:
            if not begun:
                raise
            # Silence, or what nobody has thought of: the mail may be out.
            metrics.MAIL_FAILURES.labels("unanswered").inc()
            problem = str(error) if isinstance(error, Unanswered) else type(error).__name__
            await self._marking.unanswered(alert, to, problem)
            return
        self._taken_at = self._clock()
        if alert.withdraws is None:  # withdrawals wait for each other on purpose
            metrics.EVENT_TO_ALERT.observe((self._taken_at - alert.change.received_at).total_seconds())
        metrics.MAIL_FAILURES.labels("address").inc(len(attempt.doubted))
        await self._marking.sent(alert, to, attempt.in_vain)

    def _unusable(self, recipient: Recipient, unusable: UnusableAddress, attempt: _Attempt) -> None:
        metrics.MAIL_FAILURES.labels("unusable").inc()
        logger.warning("nobody can be written to there", extra=_shown(recipient, attempt, unusable))
        attempt.refusals.append(self._refusal(recipient, unusable))

    def _refused(self, recipient: Recipient, reply: Reply, attempt: _Attempt) -> None:
        """Notes whose fault the no is.

        Raises:
            Declined: nobody else has to be asked.
        """
        whose = fault(reply, self._spell(attempt.alert))
        logger.warning("the mail system said no", extra={**_shown(recipient, attempt, reply), "fault": whose.value})
        attempt.replies.append(reply)
        if whose is Fault.ADDRESS:
            metrics.MAIL_FAILURES.labels("address").inc()
            attempt.unknown += 1
            attempt.refusals.append(self._refusal(recipient, reply))
            return
        attempt.doubted.append(self._refusal(recipient, reply))
        if whose is Fault.OURS:
            raise self._declined(attempt)

    def _refusal(self, recipient: Recipient, answer: object) -> Refusal:
        return Refusal(recipient.member.staff, recipient.member.email, str(answer), self._clock())

    def _declined(self, attempt: _Attempt) -> Declined:
        metrics.MAIL_FAILURES.labels("everybody").inc()
        return Declined(attempt.replies[0], attempt.alert.refused_since or self._clock())

    def _spell(self, alert: Alert) -> Spell:
        since = alert.refused_since
        if since is None:
            return Spell()
        return Spell(self._clock() - since, others_taken=self._taken_at is not None and self._taken_at > since)


def _shown(recipient: Recipient, attempt: _Attempt, answer: object) -> dict[str, str]:
    return {"staff": recipient.member.staff, "alert": attempt.alert.id, "answer": str(answer)}
