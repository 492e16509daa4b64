"""Neighbours of notify in these tests: a real mail sink, and a small HTTP server that stands for ingest's internal endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
import uvicorn
from aiosmtpd.controller import Controller
from fastapi import FastAPI, Header, HTTPException

from deploy.local.ports import free_ports

TOKEN = "token-between-services"


@dataclass
class Sink:
    """A mail system that can be started, stopped, told to refuse addresses, and made slow to answer."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    busy: bool = False
    sessions: set[int] = field(default_factory=set)
    _controller: Any = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.busy = True
        await asyncio.sleep(self.seconds)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.recipients.extend(envelope.rcpt_tos)
        self.sessions.add(id(session))
        self.mails.append(message)
        return "250 taken"

    def ids(self) -> list[str]:
        """Alert ids in the order of arrival."""
        return [str(mail["X-Kvar-Alert-Id"]) for mail in self.mails]

    def of(self, student: str) -> list[EmailMessage]:
        """A student's mails in the order of arrival."""
        return [mail for mail in self.mails if str(mail["X-Kvar-Alert-Id"]).startswith(student)]


def readable(mail: EmailMessage) -> str:
    """Headers, text and HTML of a mail, decoded."""
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    texts = [str(body.get_content()) for body in bodies if body is not None]
    assert len(texts) == 2, "a mail has a text and an HTML part"
    return "\n".join([*(f"{name}: {value}" for name, value in mail.items()), *texts])


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink(free_ports(1)[0])
    made.start()
    yield made
    made.stop()


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


@pytest.fixture
async def ingest() -> AsyncIterator[Neighbour]:
    neighbour = Neighbour()
    [port] = free_ports(1)
    neighbour.url = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(neighbour.app(), port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the neighbour did not start"
        await asyncio.sleep(0.01)
    yield neighbour
    server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await serving
