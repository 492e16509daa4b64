"""Handing mails to the mail system: a few connections, kept open while there is something to send."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from services.notify.mail import Mail
from shared.errors import Outage
from shared.settings import SettingsError

CONNECTIONS = 4
IDLE_SECONDS = 5.0
STEP_SECONDS = 15.0
WHOLE_SECONDS = 60.0
PERMANENT_FROM = 500
PORTS = {"smtp": 25, "smtps": 465}


class Refused(Exception):
    """The mail system says no for ever to this address or mail. The message is its answer."""


class Unanswered(Outage):
    """The mail system fell silent in the middle: nobody knows whether it has taken the mail."""


class Mailer(Protocol):
    """Sends one mail."""

    async def send(self, mail: Mail) -> None:
        """Returns when the mail system has taken responsibility for the mail.

        Raises:
            Refused: a permanent answer (5xx) to the recipient or the content.
            Unanswered: gone or silent after the mail was begun. It may or may not have been taken.
            Outage: away, busy, or refusing us as sender. The mail was not taken.
        """


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are handed over. `implicit_tls`: TLS from the first byte; `starttls`: asked for and insisted on."""

    host: str
    port: int
    implicit_tls: bool
    starttls: bool
    user: str | None
    password: str | None


def smtp_server(url: str) -> SmtpServer:
    """Reads `smtp[s]://[user:password@]host[:port][?starttls=true]`; user and password percent-encoded.

    Raises:
        SettingsError: no host, a port that is none, or an option that does not exist.
    """
    parts = urlsplit(url)
    options = {name: values[-1].lower() for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    starttls = options.pop("starttls", "false")
    try:
        port = parts.port or PORTS[parts.scheme]
    except ValueError as error:
        raise SettingsError(f"KVAR_SMTP_URL: {error}") from error
    if not parts.hostname or options or starttls not in {"true", "false"} or parts.path not in {"", "/"}:
        raise SettingsError("KVAR_SMTP_URL: smtp[s]://[user:password@]host:port[?starttls=true] is expected")
    if starttls == "true" and parts.scheme == "smtps":
        raise SettingsError("KVAR_SMTP_URL: smtps speaks TLS from the start, starttls goes with smtp only")
    return SmtpServer(
        host=parts.hostname,
        port=port,
        implicit_tls=parts.scheme == "smtps",
        starttls=starttls == "true",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


class SmtpMailer:
    """At most `CONNECTIONS` at a time; one that was idle for `IDLE_SECONDS` is not used again."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[tuple[aiosmtplib.SMTP, float]] = []

    async def send(self, mail: Mail) -> None:
        """See `Mailer`."""
        begun = False
        try:
            # The wait for a connection counts too: the caller's lease does not stop meanwhile.
            async with asyncio.timeout(WHOLE_SECONDS), self._free:
                client = await self._connection()
                begun = True
                await self._send(client, mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            if _for_ever(error):
                raise Refused(_answer(error)) from error
            # An answer is a no; what breaks off without one is unknown.
            answered = not begun or isinstance(error, aiosmtplib.SMTPResponseException)
            kind = Outage if answered else Unanswered
            raise kind(f"the mail system: {_answer(error)}") from error

    async def _send(self, client: aiosmtplib.SMTP, mail: Mail) -> None:
        try:
            await client.sendmail(mail.sender, [mail.recipient], mail.content)
        except aiosmtplib.SMTPRecipientsRefused as error:
            self._keep(client)
            raise error.recipients[0] from error
        except aiosmtplib.SMTPResponseException:
            self._keep(client)
            raise
        except BaseException:
            client.close()
            raise
        self._keep(client)

    async def _connection(self) -> aiosmtplib.SMTP:
        while self._idle:
            client, since = self._idle.pop()
            if client.is_connected and time.monotonic() - since < IDLE_SECONDS:
                return client
            client.close()
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.implicit_tls,
            start_tls=server.starttls,
            username=server.user,
            password=server.password,
            timeout=STEP_SECONDS,
        )
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        return client

    def _keep(self, client: aiosmtplib.SMTP) -> None:
        self._idle.append((client, time.monotonic()))

    async def close_idle(self, *, every: bool = False) -> None:
        """Says goodbye on connections that were idle for too long, or on all that nobody uses."""
        now = time.monotonic()
        leaving = [(client, since) for client, since in self._idle if every or now - since >= IDLE_SECONDS]
        self._idle = [item for item in self._idle if item not in leaving]
        for client, _ in leaving:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it has already gone
                await client.quit(timeout=1.0)
            client.close()


def _for_ever(error: Exception) -> bool:
    """A 5xx to the recipient or to the content. One to us as sender is our own fault, and mended without a new alert."""
    return (
        isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError) and error.code >= PERMANENT_FROM
    )


def _answer(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return f"{type(error).__name__} {error}".strip()
