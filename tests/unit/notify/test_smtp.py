"""Reading the mail server's address. Sending is tested against a real server in tests/integration/notify."""

from __future__ import annotations

import pytest

from services.notify.smtp import SmtpServer, smtp_server
from shared.settings import SettingsError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://127.0.0.1:1025", SmtpServer("127.0.0.1", 1025, False, False, None, None)),
        ("smtp://mail.example", SmtpServer("mail.example", 25, False, False, None, None)),
        ("smtps://u%40x:p%2Fw@mail.example", SmtpServer("mail.example", 465, True, False, "u@x", "p/w")),
        ("smtp://u:p@mail.example:587/?starttls=true", SmtpServer("mail.example", 587, False, True, "u", "p")),
    ],
)
def test_addresses(url: str, expected: SmtpServer) -> None:
    assert smtp_server(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "smtp://:1025",
        "smtp://mail.example:99999",
        "smtp://mail.example?starttls=perhaps",
        "smtp://mail.example?startls=true",
        "smtps://mail.example?starttls=true",
        "smtp://mail.example/inbox",
    ],
)
def test_what_cannot_be_used_is_refused_by_the_name_of_the_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="KVAR_SMTP_URL"):
        smtp_server(url)
