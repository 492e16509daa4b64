"""Whose fault a no is: replies as mail systems give them (RFC 5321, RFC 3463, and as Postfix, Exchange and Exim word them)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.notify.replies import PATIENCE, Fault, Reply, Spell, Step, fault

OURS, ADDRESS, OPEN = Fault.OURS, Fault.ADDRESS, Fault.OPEN
FIRST = Spell()
LONG = Spell(PATIENCE)
LONG_AND_OTHERS_TAKEN = Spell(PATIENCE, others_taken=True)
SHORT_AND_OTHERS_TAKEN = Spell(PATIENCE - timedelta(seconds=1), others_taken=True)

CASES = [
    # Before the recipient: about us, whatever the code says.
    (Step.SESSION, 554, "5.3.2 system not accepting network messages", OURS, OURS),
    (Step.SESSION, 554, "5.7.1 your address is on a block list", OURS, OURS),
    (Step.SESSION, 535, "5.7.8 authentication credentials invalid", OURS, OURS),
    (Step.SESSION, 421, "4.7.0 try again later", OURS, OURS),
    (Step.SENDER, 550, "5.1.8 sender address rejected: domain not found", OURS, OURS),
    (Step.SENDER, 553, "5.1.7 invalid address", OURS, OURS),
    (Step.SENDER, 452, "4.3.1 insufficient system storage", OURS, OURS),
    # The address, in so many words.
    (Step.RECIPIENT, 550, "5.1.1 <anna@skola.example>: user unknown", ADDRESS, ADDRESS),
    (Step.RECIPIENT, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound", ADDRESS, ADDRESS),
    (Step.RECIPIENT, 553, "5.1.3 bad destination mailbox address syntax", ADDRESS, ADDRESS),
    (Step.RECIPIENT, 550, "5.2.1 mailbox disabled", ADDRESS, ADDRESS),
    (Step.RECIPIENT, 552, "5.2.2 mailbox full", ADDRESS, ADDRESS),
    (Step.CONTENT, 552, "5.2.2 mailbox full", ADDRESS, ADDRESS),
    # About the sender, though said when the recipient was named.
    (Step.RECIPIENT, 550, "5.1.8 sender address rejected: domain not found", OPEN, ADDRESS),
    (Step.RECIPIENT, 550, "5.1.7 sender's address", OPEN, ADDRESS),
    # Can be either.
    (Step.RECIPIENT, 550, "5.7.1 relaying denied", OPEN, ADDRESS),
    (Step.RECIPIENT, 554, "5.7.1 <unknown[192.0.2.1]>: client host rejected", OPEN, ADDRESS),
    (Step.RECIPIENT, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", OPEN, ADDRESS),
    (Step.RECIPIENT, 550, "5.4.1 recipient address rejected: access denied", OPEN, ADDRESS),
    (Step.RECIPIENT, 503, "5.5.1 bad sequence of commands", OPEN, ADDRESS),
    (Step.RECIPIENT, 550, "5.3.2 system not accepting network messages", OPEN, ADDRESS),
    (Step.RECIPIENT, 550, "no such user here", OPEN, ADDRESS),
    (Step.RECIPIENT, 553, "sorry, that domain isn't in my list of allowed rcpthosts", OPEN, ADDRESS),
    (Step.RECIPIENT, 550, "4.1.1 a class that does not fit the code", OPEN, ADDRESS),
    (Step.RECIPIENT, 550, "5.1.1.1 is no enhanced code", OPEN, ADDRESS),
    (Step.CONTENT, 554, "5.6.0 content rejected", OPEN, ADDRESS),
    (Step.CONTENT, 554, "transaction failed", OPEN, ADDRESS),
    # Not now.
    (Step.RECIPIENT, 450, "4.7.1 greylisted, try again in 5 minutes", OURS, ADDRESS),
    (Step.RECIPIENT, 452, "4.2.2 mailbox full", OURS, ADDRESS),
    (Step.CONTENT, 451, "4.3.0 error in processing", OURS, ADDRESS),
    (Step.RECIPIENT, 421, "4.7.0 not from you, not to them", OURS, ADDRESS),
    (Step.CONTENT, 421, "4.4.2 timeout", OURS, ADDRESS),
]


@pytest.mark.parametrize(
    ("step", "code", "text", "at_first", "at_last"), CASES, ids=[f"{c[0]} {c[1]} {c[2]}" for c in CASES]
)
def test_whose_fault_it_is(step: Step, code: int, text: str, at_first: Fault, at_last: Fault) -> None:
    reply = Reply(step, code, text)
    assert fault(reply, FIRST) is at_first
    assert fault(reply, SHORT_AND_OTHERS_TAKEN) is at_first
    assert fault(reply, LONG_AND_OTHERS_TAKEN) is at_last


def test_after_an_hour_somebody_else_is_asked_also_when_an_address_is_only_put_off() -> None:
    put_off = Reply(Step.RECIPIENT, 452, "4.2.2 mailbox full")
    assert fault(put_off, LONG) is OPEN
    assert fault(put_off, Spell(PATIENCE - timedelta(seconds=1))) is OURS


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("spell", [FIRST, LONG, LONG_AND_OTHERS_TAKEN])
def test_every_no_has_a_meaning(step: Step, spell: Spell) -> None:
    for code in range(400, 600):
        for text in ("", "5.1.1", "5.7.1 no", "x" * 300):
            assert fault(Reply(step, code, text), spell) in Fault
