"""Whatever names, units and addresses hold: a mail with just our headers and lines, or an address that is none. Real composer."""

from __future__ import annotations

import email
import email.policy
import unicodedata
from datetime import UTC
from email.message import EmailMessage

import pytest
from aiosmtplib.email import parse_address
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.letter import Name, News, write
from services.notify.lines import header, one_line
from services.notify.mail import ADDRESS, Composer, Mail, UnusableAddress
from services.notify.recipients import Recipient
from shared.events import StaffRole
from tests.hostile_text import ADDRESSES, NAMES
from tests.unit.notify.builders import RECEIVED, STUDENT, about, alert, change, group_absence, member

COMPOSER = Composer("kvar@skola.example")
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Kvar-Alert-Id",
    "X-Kvar-Event-Received",
    "MIME-Version",
    "Content-Type",
}
PIECES = [*NAMES, "\r\n", "\n", "\r", "=?", "?=", "Bcc: x@y.example"]
HOSTILE = st.one_of(
    st.sampled_from(NAMES),
    st.text(max_size=60),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=8).map("".join),
    st.text(st.characters(codec=None, categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "So"]), max_size=60),
)
WHERE = st.one_of(st.sampled_from(ADDRESSES), st.emails(), st.tuples(HOSTILE, HOSTILE).map("@".join))


def composed(name: str, unit: str, staff_name: str, address: str) -> Mail:
    whom = Recipient(member(name=staff_name, email=address), StaffRole.COORDINATOR)
    where = about(school_unit=unit)
    said = change(reasons=[*change().reasons, group_absence().model_copy(update={"group": unit})])
    letter = write(STUDENT, News(said), where, whom, name=Name(name, None), public_url="https://kvar.example", zone=UTC)
    return COMPOSER.compose(alert(change=said), letter, whom, RECEIVED)


def text_of(mail: Mail) -> tuple[EmailMessage, str]:
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    text = message.get_body(("plain",))
    assert text is not None
    return message, str(text.get_content()).replace("\r\n", "\n")


LINES = text_of(composed("Märta", "Ekskolan", "Åsa Öberg", "anna@skola.example"))[1].count("\n")


def has_our_headers_and_lines_alone_or_no_address(name: str, unit: str, staff_name: str, address: str) -> None:
    try:
        mail = composed(name, unit, staff_name, address)
    except UnusableAddress:
        assert address != "anna@skola.example"
        return
    message, text = text_of(mail)
    assert set(message.keys()) == HEADERS
    assert len(message.keys()) == len(HEADERS)
    assert [each.addr_spec for each in message["To"].addresses] == [address] == [parse_address(mail.recipient)]
    for value in (str(message["Subject"]), str(message["To"]), *text.split("\n")):
        assert not [one for one in value if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"}], value
    assert text.count("\n") == LINES
    assert mail.content.isascii()
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998  # RFC 5322, 2.1.1


@settings(max_examples=150, deadline=None)
@given(
    name=HOSTILE, unit=HOSTILE.filter(bool), staff_name=HOSTILE, address=st.one_of(st.just("anna@skola.example"), WHERE)
)
def test_a_mail_has_our_headers_and_lines_alone_or_the_address_is_none(
    name: str, unit: str, staff_name: str, address: str
) -> None:
    has_our_headers_and_lines_alone_or_no_address(name, unit, staff_name, address)


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_unusual_addresses(address: str) -> None:
    has_our_headers_and_lines_alone_or_no_address("Märta", "Ekskolan", "Åsa Öberg", address)


@pytest.mark.parametrize("text", NAMES, ids=ascii)
def test_unusual_names(text: str) -> None:
    has_our_headers_and_lines_alone_or_no_address(text, text, text, "anna@skola.example")


@settings(max_examples=150, deadline=None)
@given(st.emails(domains=st.just("skola.example")))
def test_no_usable_address_is_turned_away(address: str) -> None:
    if "'" not in address.partition("@")[0][:1]:
        assert ADDRESS.fullmatch(address)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("gy\nX", "gy X"),
        ("a\r\n\x00\x1bb", "a b"),
        ("علی‌رضا", "علی‌رضا"),
        ("Åsa\u00a0Öberg", "Åsa\u00a0Öberg"),
        ("👩‍🏫", "👩‍🏫"),
        ("\u202eevil", " evil"),
        ("half \ud83d of a pair", "half   of a pair"),
    ],
)
def test_only_what_no_line_can_hold_is_taken_out(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_line_is_cut_where_it_is_too_long() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    assert header("  a  =?x?=  ", 99) == "a = ?x?="
