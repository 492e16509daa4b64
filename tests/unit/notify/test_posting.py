"""Who is asked for, in which order, and what a no means for the alert. Store and mail system are models in memory."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notify.alerts import LONGEST_RETRY_REFUSED, REFUSAL_HOLDS, AlertState
from services.notify.delivery import Delivery
from services.notify.mail import Composer
from services.notify.places import Statement
from services.notify.recipients import StaffMember
from services.notify.replies import PATIENCE, Reply, Step
from services.notify.smtp import Begin, Refused, TurnedAway, Unreachable
from shared import metrics
from shared.events import RiskLevelChangedEvent, StaffRole
from tests.unit.notify.builders import RECEIVED, STUDENT, change, member, stated
from tests.unit.notify.test_withdrawing_model import AlertsInMemory, World

ANNA, BO, REKTOR = "anna@skola.example", "bo@skola.example", "rektor@skola.example"
OTHER = "p_" + "b" * 26

UNKNOWN = Reply(Step.RECIPIENT, 550, "5.1.1 no such user")
DENIED = Reply(Step.RECIPIENT, 550, "5.7.1 denied")
PUT_OFF = Reply(Step.RECIPIENT, 452, "4.2.2 mailbox full")


class Office:
    """Three people in line, a mail system that says what it is told to, and one replica; time passes while nothing is due."""

    def __init__(self) -> None:
        self.world = World(random.Random(1), troubled=False)
        self.says: dict[str, Exception] = {}
        self.asked_for: list[str] = []
        self.mailed: list[str] = []
        self.line = [member(), member("staff:bo", StaffRole.COORDINATOR), member("staff:rektor", StaffRole.PRINCIPAL)]
        near: Any = self
        self.alerts = AlertsInMemory(self.world)
        self.delivery = Delivery(
            near,
            self.alerts,
            near,
            near,
            Composer("kvar@skola.example"),
            public_url="https://kvar.example",
            zone=UTC,
            clock=self.world.clock,
        )

    async def statements(self, _student: str) -> list[Statement]:
        return [stated()]

    async def staff_for(self, _authority: str, _about: Any) -> list[StaffMember]:
        return self.line

    async def name(self, _pseudonym: str) -> None:
        return None

    async def send(self, mail: Any, begin: Begin) -> None:
        self.asked_for.append(mail.recipient)
        if (no := self.says.get(mail.recipient)) is not None:
            raise no
        await begin()
        self.mailed.append(mail.recipient)
        if (late := self.says.get(f"after {mail.recipient}")) is not None:
            raise late

    def refuses(self, reply: Reply, *addresses: str) -> None:
        self.says = {address: Refused(reply) for address in addresses}

    async def risen(self) -> None:
        event = RiskLevelChangedEvent(
            id=f"{STUDENT}:1", source="/kvar/scoring", subject=STUDENT, time=RECEIVED, authority="2480", data=change()
        )
        await self.alerts.add(event, self.world.now)

    async def attempt(self) -> dict[str, Any]:
        """The next attempt, when its time has come; the alert afterwards."""
        document = self.world.documents[f"{STUDENT}:1"]
        self.world.now = max(self.world.now, document.get("due_at", self.world.now))
        await self.delivery.deliver(STUDENT)
        return self.world.documents[f"{STUDENT}:1"]

    async def attempts(self, until: datetime) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while (document := await self.attempt())["state"] != AlertState.SENT and self.world.now < until:
                pass
        return document


@pytest.fixture
async def office() -> Office:
    office = Office()
    await office.risen()
    return office


async def test_a_refused_address_is_not_asked_for_again_for_a_day_and_then_first(office: Office) -> None:
    del office.line[1:]
    office.refuses(UNKNOWN, ANNA)
    document = await office.attempt()
    assert document["state"] == AlertState.UNDELIVERABLE
    assert [item["answer"] for item in document["refusals"]] == [str(UNKNOWN)]
    office.says.clear()
    document = await office.attempts(until=RECEIVED + REFUSAL_HOLDS - timedelta(minutes=6))
    assert document["state"] == AlertState.UNDELIVERABLE
    assert office.asked_for == [ANNA]
    document = await office.attempts(until=RECEIVED + REFUSAL_HOLDS + timedelta(minutes=6))
    assert (document["state"], office.mailed) == (AlertState.SENT, [ANNA])


async def test_a_mail_system_that_knows_nobody_of_a_line_has_an_hour_to_find_them_again(office: Office) -> None:
    office.refuses(UNKNOWN, ANNA, BO, REKTOR)
    document = await office.attempts(until=RECEIVED + PATIENCE - timedelta(minutes=6))
    assert (document["state"], document.get("refusals")) == (AlertState.DUE, None)
    assert office.asked_for[:3] == [ANNA, BO, REKTOR]
    office.says.clear()
    document = await office.attempt()
    assert (document["state"], office.mailed) == (AlertState.SENT, [ANNA])


async def test_a_line_that_is_unknown_for_an_hour_is_undeliverable(office: Office) -> None:
    office.refuses(UNKNOWN, ANNA, BO, REKTOR)
    document = await office.attempts(until=RECEIVED + PATIENCE + LONGEST_RETRY_REFUSED)
    assert (document["state"], len(document["refusals"])) == (AlertState.UNDELIVERABLE, 3)


async def test_a_line_that_is_unknown_while_others_are_taken_is_undeliverable_at_once(office: Office) -> None:
    office.refuses(UNKNOWN, ANNA, BO, REKTOR)
    assert (await office.attempt())["state"] == AlertState.DUE
    office.world.now += timedelta(seconds=1)
    office.delivery._posting._taken_at = office.world.now  # another student's mail
    assert (await office.attempt())["state"] == AlertState.UNDELIVERABLE


async def test_each_address_that_is_passed_over_is_counted(office: Office) -> None:
    counted = metrics.MAIL_FAILURES.labels("address")._value
    before = counted.get()
    office.says = {ANNA: Refused(UNKNOWN), BO: Refused(DENIED)}
    await office.attempt()
    assert (office.mailed, counted.get() - before) == ([REKTOR], 2)


@pytest.mark.parametrize("closing", [Reply(Step.RECIPIENT, 421, "4.7.0 no"), Reply(Step.CONTENT, 421, "4.3.2 busy")])
async def test_an_address_at_which_the_mail_system_always_leaves_holds_up_the_next_for_an_hour(
    office: Office, closing: Reply
) -> None:
    office.refuses(closing, ANNA)
    await office.attempts(until=RECEIVED + 2 * PATIENCE)
    assert office.mailed == [BO]
    assert PATIENCE <= office.world.now - RECEIVED < PATIENCE + 2 * LONGEST_RETRY_REFUSED


async def test_whom_the_mail_system_refuses_is_passed_over_when_the_next_is_taken(office: Office) -> None:
    office.refuses(DENIED, ANNA)
    document = await office.attempt()
    assert office.mailed == [BO]
    assert [(item["staff"], item["answer"]) for item in document["refusals"]] == [("staff:anna", str(DENIED))]


@pytest.mark.parametrize("no", [Refused(DENIED), Refused(PUT_OFF), TurnedAway(DENIED), Unreachable("away")], ids=repr)
async def test_a_no_to_everybody_waits_with_growing_pauses_and_ends_with_the_first(
    office: Office, no: Exception
) -> None:
    office.says = dict.fromkeys((ANNA, BO, REKTOR), no)
    pauses = []
    for _ in range(12):
        document = await office.attempt()
        assert (document["state"], document.get("refusals")) == (AlertState.DUE, None)
        assert not document.get("handed_over")
        pauses.append(document["due_at"] - office.world.now)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= LONGEST_RETRY_REFUSED
    office.says.clear()
    await office.attempt()
    assert office.mailed == [ANNA]


async def test_an_address_that_is_put_off_for_ever_holds_up_the_next_for_an_hour(office: Office) -> None:
    office.refuses(PUT_OFF, ANNA)
    document = await office.attempts(until=RECEIVED + 2 * PATIENCE)
    assert office.mailed == [BO]
    assert PATIENCE <= office.world.now - RECEIVED < PATIENCE + 2 * LONGEST_RETRY_REFUSED
    assert [item["staff"] for item in document["refusals"]] == ["staff:anna"]


async def test_an_outage_in_between_begins_the_hour_anew(office: Office) -> None:
    office.refuses(PUT_OFF, ANNA)
    await office.attempts(until=RECEIVED + PATIENCE / 2)
    office.says[ANNA] = Unreachable("away")
    await office.attempts(until=RECEIVED + 2 * PATIENCE)
    office.refuses(PUT_OFF, ANNA)
    await office.attempt()
    assert BO not in office.asked_for


async def test_a_line_that_is_refused_for_an_hour_while_others_are_taken_is_undeliverable(office: Office) -> None:
    office.refuses(DENIED, ANNA, BO, REKTOR)
    await office.attempts(until=RECEIVED + PATIENCE + LONGEST_RETRY_REFUSED)
    assert office.world.documents[f"{STUDENT}:1"]["state"] == AlertState.DUE
    office.delivery._posting._taken_at = office.world.now  # another student's mail
    document = await office.attempt()
    assert document["state"] == AlertState.UNDELIVERABLE
    assert len(document["refusals"]) == 3


async def test_an_error_that_nobody_has_thought_of_repeats_a_mail_three_times_at_most(office: Office) -> None:
    office.says[f"after {ANNA}"] = RuntimeError("what?")
    async with asyncio.timeout(20):
        while (document := await office.attempt())["state"] == AlertState.DUE:
            assert document["problem"] == "RuntimeError"
    assert (document["state"], document["told"]["staff"]) == (AlertState.UNCERTAIN, "staff:anna")
    assert office.mailed == [ANNA] * 4


async def test_a_mail_that_cannot_be_written_is_told_to_the_next(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.line[0] = member(language="tlh")
    document = await office.attempt()
    assert office.mailed == [BO]
    assert document["refusals"][0]["answer"] == "the mail cannot be written: KeyError"
