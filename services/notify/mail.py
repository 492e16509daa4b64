"""A letter as an e-mail: headers, a text part and an HTML part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.notify.alerts import Alert, message_id
from services.notify.letter import Letter, language_of
from services.notify.lines import header, one_line
from services.notify.recipients import Recipient
from shared.settings import SettingsError

ALERT_HEADER = "X-Kvar-Alert-Id"
RECEIVED_HEADER = "X-Kvar-Event-Received"
WITHDRAWS_HEADER = "X-Kvar-Withdraws"
"""Only in a withdrawal: the id of the alert that it takes back."""

LONGEST_SUBJECT = 150
LONGEST_NAME = 60
"""Of a line of 78 characters: a quoted name that is folded loses its quotes in some versions of Python."""
SPECIALS = str.maketrans(dict.fromkeys('"()<>[]:;@\\,', " "))
"""What has a meaning in a list of addresses (RFC 5322, 3.2.3), but for the full stop."""
ADDRESS = re.compile(
    r"(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
"""A mailbox of RFC 5321 that can be read in one way only: no quotes, comments, address literals, nothing like an encoded word."""


class UnusableAddress(ValueError):
    """Nobody can be written to there: what the staff data call an e-mail address is none, or the mail cannot be composed."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to hand over: envelope sender and recipient, and its bytes."""

    sender: str
    recipient: str
    content: bytes


class Composer:
    """Makes mails from letters. `sender`: the plain address that they come from; `SettingsError` when it is none."""

    def __init__(self, sender: str) -> None:
        if not ADDRESS.fullmatch(sender):
            raise SettingsError("KVAR_MAIL_FROM: a plain e-mail address is expected")
        self._sender = sender
        self._templates = Environment(
            loader=PackageLoader("services.notify"),
            autoescape=select_autoescape(enabled_extensions=("html.j2",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_printed,
        )

    def compose(
        self, alert: Alert, letter: Letter, recipient: Recipient, now: datetime, replies_to: Sequence[str] = ()
    ) -> Mail:
        """The mail. `replies_to`: ids of the alerts whose mails it continues, oldest first.

        Raises:
            UnusableAddress: the recipient's address cannot stand in a header.
        """
        message = EmailMessage(policy=SMTP)
        message["From"] = Address("Kvar", addr_spec=self._sender)
        message["To"] = _address(recipient)
        message["Subject"] = header(letter.subject, LONGEST_SUBJECT)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = message_id(alert.id, self._sender)
        if replies_to:
            thread = [message_id(other, self._sender) for other in replies_to]
            message["In-Reply-To"] = thread[-1]
            message["References"] = " ".join(thread)
        message["Auto-Submitted"] = "auto-generated"
        message[ALERT_HEADER] = alert.id
        message[RECEIVED_HEADER] = alert.change.received_at.isoformat()
        if alert.withdraws is not None:
            message[WITHDRAWS_HEADER] = alert.withdraws
        message["Content-Language"] = language_of(recipient).code
        text = self._render("alert.txt.j2", letter, recipient)
        message.set_content(text, charset="utf-8", cte="quoted-printable")
        html = self._render("alert.html.j2", letter, recipient)
        message.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
        return Mail(self._sender, recipient.member.email, message.as_bytes())

    def _render(self, template: str, letter: Letter, recipient: Recipient) -> str:
        language = language_of(recipient)
        return self._templates.get_template(template).render(
            letter=letter, words=language.words, language=language.code
        )


def _printed(value: object) -> object:
    """What a template writes: what comes from elsewhere stays on its line."""
    return one_line(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _address(recipient: Recipient) -> Address:
    if not ADDRESS.fullmatch(recipient.member.email):
        raise UnusableAddress("not an e-mail address")
    name = header(recipient.member.name.translate(SPECIALS), LONGEST_NAME)
    return Address(name, addr_spec=recipient.member.email)
