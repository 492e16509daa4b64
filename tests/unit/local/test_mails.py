"""The mail sink's files and pages; its SMTP and HTTP are in tests/integration/local."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from deploy.local import mails
from deploy.local.mailsink import MAILS_LISTED, MailSink, as_text, listing_page, mail_page

if TYPE_CHECKING:
    from pathlib import Path

ARRIVED = datetime(2026, 2, 3, 10, 0, 2, 500_000, tzinfo=UTC)


def alert(subject: str = "Åsa Öberg: nivå 2", text: str = "Frånvaro: 320 av 1 200 minuter.") -> bytes:
    message = EmailMessage()
    message["From"] = "kvar@localhost"
    message["To"] = "coach@example.org"
    message["Subject"] = subject
    message[mails.EVENT_RECEIVED_HEADER] = (ARRIVED - timedelta(seconds=2)).isoformat()
    message.set_content(text)
    return message.as_bytes()


def test_a_kept_mail_is_read_back_decoded(tmp_path: Path) -> None:
    name = MailSink(tmp_path).keep(alert(), ARRIVED)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path, *tmp_path.iterdir())] == [0o700, 0o600]
    mail = mails.read(tmp_path, name)
    assert (mail.recipient, mail.subject, mail.text) == (
        "coach@example.org",
        "Åsa Öberg: nivå 2",
        "Frånvaro: 320 av 1 200 minuter.",
    )
    assert mail.arrived == ARRIVED
    assert mail.latency_seconds == pytest.approx(2.0)


def test_a_withdrawal_is_told_from_a_change_of_level(tmp_path: Path) -> None:
    sink = MailSink(tmp_path)
    sink.keep(alert(), ARRIVED)
    sink.keep(b"X-Kvar-Withdraws: p_a:1\r\n" + alert(), ARRIVED + timedelta(seconds=1))
    assert [mail.withdraws for mail in mails.read_all(tmp_path)] == [None, "p_a:1"]


def test_a_mail_that_is_no_alert_has_no_latency(tmp_path: Path) -> None:
    name = MailSink(tmp_path).keep(b"Subject: hello\r\n\r\nhi\r\n", ARRIVED)
    assert mails.read(tmp_path, name).latency_seconds is None


def test_mails_are_listed_by_arrival(tmp_path: Path) -> None:
    sink = MailSink(tmp_path)
    for second in (2, 0, 1):
        sink.keep(alert(f"mail {second}"), ARRIVED + timedelta(seconds=second))
    assert [mail.subject for mail in mails.read_all(tmp_path)] == ["mail 0", "mail 1", "mail 2"]


def test_the_oldest_mails_are_removed_when_there_are_too_many(tmp_path: Path) -> None:
    sink = MailSink(tmp_path, max_mails_kept=2)
    for number in range(4):
        sink.keep(alert(f"mail {number}"), ARRIVED + timedelta(seconds=number))
    assert [mail.subject for mail in mails.read_all(tmp_path)] == ["mail 2", "mail 3"]
    assert MailSink(tmp_path, max_mails_kept=2).keep(alert("mail 4"), ARRIVED + timedelta(seconds=9))
    assert [mail.subject for mail in mails.read_all(tmp_path)] == ["mail 3", "mail 4"]


def test_no_file_of_an_unfinished_mail_is_listed(tmp_path: Path) -> None:
    (tmp_path / "20260203T100002.500000-000001.part").write_bytes(alert())
    assert mails.file_names(tmp_path) == []


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.eml").write_bytes(alert())
    with pytest.raises(ValueError, match="no X-Kvar-Mail-Arrived"):
        mails.read(tmp_path, "x")


def test_pages_escape_what_the_mail_says(tmp_path: Path) -> None:
    name = MailSink(tmp_path).keep(alert("<script>alert(1)</script>", "<b>text</b>"), ARRIVED)
    mail = mails.read(tmp_path, name)
    for page in (listing_page(tmp_path), mail_page(mail)):
        assert "<script" not in page
        assert "<b>" not in page
    assert "&lt;script&gt;" in listing_page(tmp_path)
    assert "&lt;b&gt;text&lt;/b&gt;" in mail_page(mail)


def test_the_listing_says_when_it_is_cut(tmp_path: Path) -> None:
    assert "Mails here: 0" in listing_page(tmp_path)
    sink = MailSink(tmp_path)
    for number in range(MAILS_LISTED + 1):
        sink.keep(alert(f"mail {number}"), ARRIVED + timedelta(seconds=number))
    page = listing_page(tmp_path)
    assert f"the newest {MAILS_LISTED} of {MAILS_LISTED + 1}" in page
    assert "mail 0<" not in page
    assert page.index(f"mail {MAILS_LISTED}<") < page.index("mail 1<")


def test_a_mail_in_the_terminal_has_what_a_coach_reads(tmp_path: Path) -> None:
    text = as_text(mails.read(tmp_path, MailSink(tmp_path).keep(alert(), ARRIVED)))
    assert "To: coach@example.org" in text
    assert text.endswith("Frånvaro: 320 av 1 200 minuter.\n")
