"""Neighbours of notify in these tests: a real mail sink, and a small HTTP server that stands for ingest's internal endpoint."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from fastapi import FastAPI, Header, HTTPException

TOKEN = "token-between-services"


@dataclass
class Sink:
    """A mail system that can be started, stopped, told to refuse addresses or everything at a step, and made slow to answer.

    `refuse`: answers to addresses. `says`: answers to everybody at a step (greeting, EHLO, AUTH, MAIL, RCPT, DATA). `held`:
    addresses whose mails get no answer as long as they are in it. `leaves_at`: addresses at which
    it hangs up. `goes`: takes the content and goes without an answer.
    """

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    says: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    held: set[str] = field(default_factory=set)
    leaves_at: set[str] = field(default_factory=set)
    goes: bool = False
    busy: bool = False
    sessions: set[int] = field(default_factory=set)
    _controller: Any = None

    def start(self) -> None:
        self._controller = _Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        self.asked_for.append(address)
        if address in self.leaves_at:
            server.transport.abort()
        answer = self.says.get("RCPT") or self.refuse.get(address) or "250 OK"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if answer := self.says.get("DATA"):
            return answer
        self.busy = True
        await asyncio.sleep(self.seconds)
        while self.held & set(envelope.rcpt_tos):  # noqa: ASYNC110 - changed by another thread
            await asyncio.sleep(0.02)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.recipients.extend(envelope.rcpt_tos)
        self.sessions.add(id(session))
        self.mails.append(message)
        if self.goes:
            server.transport.abort()
        return "250 taken"

    def ids(self) -> list[str]:
        """Alert ids in the order of arrival."""
        return [str(mail["X-Kvar-Alert-Id"]) for mail in self.mails]

    def of(self, student: str) -> list[EmailMessage]:
        """A student's mails in the order of arrival."""
        return [mail for mail in self.mails if str(mail["X-Kvar-Alert-Id"]).startswith(student)]


class _Controller(Controller):
    """Of a server that knows a user, and says at each step what it is told to."""

    def factory(self) -> SMTP:
        sink: Sink = self.handler
        return _Server(
            sink,
            authenticator=lambda *_: AuthResult(success=True),
            auth_require_tls=False,
            **self.SMTP_kwargs,
        )


class _Server(SMTP):
    async def push(self, status: Any) -> None:
        if self.session is not None and self.session.host_name is None and str(status).startswith("220 "):
            status = self.event_handler.says.get("greeting", status)
        await super().push(status)

    async def _unless_told(self, step: str, usual: Callable[[Any], Awaitable[None]], given: Any) -> None:
        if answer := self.event_handler.says.get(step):
            await self.push(answer)
        else:
            await usual(given)

    async def smtp_EHLO(self, given: Any) -> None:  # noqa: N802
        await self._unless_told("EHLO", super().smtp_EHLO, given)

    async def smtp_HELO(self, given: Any) -> None:  # noqa: N802
        await self._unless_told("EHLO", super().smtp_HELO, given)

    async def smtp_AUTH(self, given: Any) -> None:  # noqa: N802
        await self._unless_told("AUTH", super().smtp_AUTH, given)

    async def smtp_MAIL(self, given: Any) -> None:  # noqa: N802
        await self._unless_told("MAIL", super().smtp_MAIL, given)


def readable(mail: EmailMessage) -> str:
    """Headers, text and HTML of a mail, decoded."""
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    texts = [str(body.get_content()) for body in bodies if body is not None]
    assert len(texts) == 2, "a mail has a text and an HTML part"
    return "\n".join([*(f"{name}: {value}" for name, value in mail.items()), *texts])


@dataclass
class Neighbour:
    """Stands for ingest: names by pseudonym, `None` = protected; `away` makes it answer 503."""

    url: str = ""
    people: dict[str, tuple[str | None, str | None] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/internal/people/{pseudonym}")
        async def person(pseudonym: str, authorization: str = Header()) -> dict[str, Any]:
            if authorization != f"Bearer {TOKEN}":
                raise HTTPException(401)
            if self.away:
                raise HTTPException(503)
            self.asked.append(pseudonym)
            if pseudonym not in self.people:
                raise HTTPException(404)
            names = self.people[pseudonym]
            if names is None:
                return {"given_name": None, "family_name": None, "protected": True}
            return {"given_name": names[0], "family_name": names[1], "protected": False}

        return app
