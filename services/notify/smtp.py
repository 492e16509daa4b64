"""Handing mails to the mail system: a few connections, kept open while there is something to send."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from services.notify.lines import one_line
from services.notify.mail import Mail
from services.notify.replies import CLOSING, NO_FROM, Reply, Step
from shared.errors import Outage
from shared.settings import SettingsError

CONNECTIONS = 20
"""So many mails may be under way: a slow one holds up nobody else's. Mail systems commonly allow one client 20 to 50."""
IDLE_SECONDS = 5.0
STEP_SECONDS = 300.0
"""For each answer but the last: what RFC 5321, 4.5.3.2, gives the longest of them at least."""
CONTENT_SECONDS = 600.0
"""For the answer to the end of the content (RFC 5321, 4.5.3.2.6): who asks sooner again may have the mail delivered twice."""
LONGEST_REPLY = 300
YES_FROM, YES_BELOW = 200, 300
PORTS = {"smtp": 25, "smtps": 465}

Begin = Callable[[], Awaitable[None]]


class Refused(Exception):
    """The mail system says no to this recipient, or to the content for this recipient, or nothing when the recipient is named.
    The mail was not taken.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Unreachable(Outage):
    """The mail system is away, silent or gone before it was given the content. The mail was not taken."""


class TurnedAway(Outage):
    """The mail system says no to us as client or sender, whoever the recipient is. The mail was not taken."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the mail system: {reply}")
        self.reply = reply


class Unanswered(Outage):
    """The mail system fell silent, or went, while it was given the content: nobody knows whether it has taken the mail."""


class Mailer(Protocol):
    """Sends one mail."""

    async def send(self, mail: Mail, begin: Begin) -> None:
        """Returns when the mail system has taken responsibility for the mail. It may take most of an hour, all steps together.

        `begin` is awaited when sender and recipient have been accepted: from then on the mail may be out. What it raises ends
        the delivery, and nothing is out.

        Raises:
            Refused: a no to the recipient or the content, or no answer to the recipient.
            TurnedAway: a no to us as client or sender.
            Unreachable: away or silent.
            Unanswered: gone or silent after `begin`. The mail may or may not have been taken.
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

    async def send(self, mail: Mail, begin: Begin) -> None:
        """See `Mailer`."""
        async with self._free, self._connection() as client:
            with _answers(Step.SENDER):
                await client.mail(mail.sender)
            with _answers(Step.RECIPIENT):
                await client.rcpt(mail.recipient)
            await begin()
            if not client.is_connected:
                raise Unreachable("the mail system: gone before it was given the content")
            with _answers(Step.CONTENT):
                await client.data(mail.content, timeout=CONTENT_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """One that is idle or new; kept for others unless something has broken off in it."""
        client = self._idle_one() or await self._new_one()
        try:
            yield client
        except Refused as refused:
            if client.is_connected and refused.reply.code != CLOSING:
                await self._reset(client)
            else:
                client.close()
            raise
        except BaseException:
            client.close()
            raise
        self._idle.append((client, time.monotonic()))

    def _idle_one(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            client, since = self._idle.pop()
            if client.is_connected and time.monotonic() - since < IDLE_SECONDS:
                return client
            client.close()
        return None

    async def _new_one(self) -> aiosmtplib.SMTP:
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
            with _answers(Step.SESSION):
                await client.connect()
        except BaseException:
            client.close()
            raise
        return client

    async def _reset(self, client: aiosmtplib.SMTP) -> None:
        """After a no the next mail may go by the same connection."""
        try:
            await client.rset(timeout=IDLE_SECONDS)
        except (aiosmtplib.SMTPException, OSError):
            client.close()
        else:
            self._idle.append((client, time.monotonic()))

    async def close_idle(self, *, every: bool = False) -> None:
        """Says goodbye on connections that were idle for too long, or on all that nobody uses."""
        now = time.monotonic()
        leaving = [(client, since) for client, since in self._idle if every or now - since >= IDLE_SECONDS]
        self._idle = [item for item in self._idle if item not in leaving]
        await asyncio.gather(*(_leave(client) for client, _ in leaving))


async def _leave(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it has already gone
        await client.quit(timeout=1.0)
    client.close()


@contextlib.contextmanager
def _answers(step: Step) -> Iterator[None]:
    """What the driver raises in a step, as what it means for the mail."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        if step in {Step.SENDER, Step.RECIPIENT} and YES_FROM <= error.code < YES_BELOW:
            return  # the driver knows two of them; the first digit is what counts (RFC 5321, 4.2.1)
        text = one_line(error.message, LONGEST_REPLY)
        if error.code < NO_FROM:
            # Nothing that the protocol knows as an answer here; after the content it may be a yes.
            raise _broken_off(step, f"{error.code} {text}") from error
        reply = Reply(step, error.code, text)
        if step in {Step.SESSION, Step.SENDER}:
            raise TurnedAway(reply) from error
        raise Refused(reply) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _broken_off(step, one_line(f"{type(error).__name__} {error}".strip(), LONGEST_REPLY)) from error


def _broken_off(step: Step, how: str) -> Outage | Refused:
    """What it means that there was no answer to a step, or none that can be understood."""
    if step is Step.RECIPIENT:
        # It may leave for this recipient, each time, so that counts as if it had said that it goes.
        return Refused(Reply(step, CLOSING, how))
    kind = Unanswered if step is Step.CONTENT else Unreachable
    return kind(f"the mail system: {how}")
