"""A letter as an e-mail: headers, both parts, Swedish letters, nothing that could break out of a header or a page."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC
from email.message import EmailMessage

import pytest

from services.notify.alerts import AlertState
from services.notify.letter import Name, News, write
from services.notify.mail import Composer, UnusableAddress
from services.notify.recipients import Recipient
from shared.events import StaffRole
from shared.settings import SettingsError
from tests.unit.notify.builders import (
    RECEIVED,
    STUDENT,
    about,
    alert,
    change,
    group_absence,
    member,
    to,
    withdrawal,
)

COMPOSER = Composer("kvar@skola.example")


def mail(
    recipient: Recipient | None = None,
    name: Name | None = None,
    unit: str = "Ekskolan",
    news: News | None = None,
) -> EmailMessage:
    whom = recipient or to()
    made = write(
        STUDENT,
        news or News(change()),
        about(school_unit=unit),
        whom,
        name=name or Name("Märta", "Sjöström"),
        public_url="https://kvar.example",
        zone=UTC,
    )
    continued = [earlier.id for earlier in news.withdrawn] if news else []
    content = COMPOSER.compose(alert(), made, whom, RECEIVED, continued).content
    content.decode("ascii")  # every mail system takes it, whether or not it knows 8BITMIME
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return str(text.get_content()), str(html.get_content())


def test_headers() -> None:
    message = mail()
    assert message["Subject"] == "Riktad nivå, upp från universell (Ekskolan)"
    assert message["To"] == "Åsa Öberg <anna@skola.example>"
    assert message["Message-ID"] == f"<{STUDENT}.1@skola.example>"
    assert message["X-Kvar-Alert-Id"] == f"{STUDENT}:1"
    assert message["X-Kvar-Event-Received"] == "2026-11-06T14:30:00+00:00"
    assert message["Auto-Submitted"] == "auto-generated"


def test_both_parts_say_who_why_and_where_to_look() -> None:
    for part in parts(mail()):
        plain = part.replace("\N{NO-BREAK SPACE}", " ")
        for words in (
            "Märta Sjöström",
            "Från universell till riktad nivå",
            "Total frånvaro 18,4 % de senaste 20 skoldagarna (1 104 av 6 000 minuter)",
            "12 okt–6 nov",
            "15 poäng",
            "Sedan förra nivån: ogiltig frånvaro +10; total frånvaro +5",
            f"https://kvar.example/students/{STUDENT}",
        ):
            assert words in plain


def test_the_first_lines_can_be_previewed_without_telling_who_it_is() -> None:
    text, _ = parts(mail())
    assert "Märta" not in "".join(text.splitlines()[:3])


def test_a_withdrawal_continues_the_thread_of_the_mails_that_no_longer_apply() -> None:
    mailed = [alert(id=f"{STUDENT}:{n}", state=AlertState.SENT, sent_at=RECEIVED, change=change(n)) for n in (1, 2)]
    said = withdrawal(4, reasons=[group_absence()])
    message = mail(news=News(said, withdrawn=tuple(mailed), withdrawal=said, told_before=True))
    assert message["In-Reply-To"] == f"<{STUDENT}.2@skola.example>"
    assert message["References"] == f"<{STUDENT}.1@skola.example> <{STUDENT}.2@skola.example>"
    for part in parts(message):
        plain = part.replace("\N{NO-BREAK SPACE}", " ")
        for words in (
            "Tidigare meddelanden gäller inte längre",
            "Meddelandena från 6 nov 2026 (riktad nivå) och 6 nov 2026 (riktad nivå) gäller inte längre.",
            "Det beror på att uppgifter har rättats.",
            "Nivån är nu universell.",
            "Hela gruppen NA24a: frånvaro 14,2 % de senaste 10 skoldagarna mot 6,1 % de 20 före",
            "21 sep–6 nov (ger inga poäng)",
        ):
            assert words in plain
        assert "0 poäng" not in plain
    assert mail()["In-Reply-To"] is None


def test_the_language_is_the_readers() -> None:
    text, html = parts(mail(to("en")))
    assert "From universal to targeted level" in text
    assert '<html lang="en">' in html


def test_nothing_in_the_data_becomes_markup() -> None:
    text, html = parts(mail(name=Name("<script>", "O'Brien & co"), unit="<b>"))
    assert "<script> O'Brien & co" in text
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in html


def test_the_page_loads_nothing() -> None:
    _, html = parts(mail())
    assert "src=" not in html
    assert "url(" not in html
    assert "<link" not in html


def test_a_name_with_line_breaks_cannot_add_headers() -> None:
    message = mail(Recipient(member(name="Anna\r\nBcc: all@skola.example"), StaffRole.COACH))
    assert message["Bcc"] is None


@pytest.mark.parametrize("sender", ["kvar@[", "kvar@skolå.example", "Kvar <kvar@skola.example>"])
def test_a_sender_that_is_no_address_is_refused_at_start(sender: str) -> None:
    with pytest.raises(SettingsError, match="KVAR_MAIL_FROM"):
        Composer(sender)


@pytest.mark.parametrize("address", ["a,b@skola.example", "åsa@skola.example", "<x@skola.example", "a@b@skola.example"])
def test_what_is_no_address_is_refused_before_it_is_sent(address: str) -> None:
    whom = Recipient(member(email=address), StaffRole.COACH)
    made = write(STUDENT, News(change()), about(), whom, name=None, public_url="https://kvar.example", zone=UTC)
    with pytest.raises(UnusableAddress):
        COMPOSER.compose(alert(), made, whom, RECEIVED)
