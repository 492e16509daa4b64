"""Students' names, asked from ingest for each mail and forgotten with it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol, Self

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from services.notify.letter import Name
from shared.errors import Outage

TIMEOUT = httpx.Timeout(5.0, connect=2.0)


class Protected(Exception):
    """Ingest knows the person as protected: no name, and no school either."""


class Names(Protocol):
    """Resolves a pseudonym."""

    async def name(self, pseudonym: str) -> Name | None:
        """The student's name; nothing when ingest knows none.

        Raises:
            Protected: the identity is protected.
            Outage: ingest is away or refuses to answer; a mail without the name would be wrong, so wait.
        """


class _Person(BaseModel):
    """Ingest's answer. Names are absent or null when the identity is protected; a student may have one only."""

    model_config = ConfigDict(extra="ignore")

    given_name: str | None = None
    family_name: str | None = None
    protected: bool = False


class IngestNames:
    """Names from ingest's internal endpoint. Connections are open while the context is, and may be opened again."""

    def __init__(self, ingest_url: str, token: str) -> None:
        self._url = ingest_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Opens the client."""
        self._client = httpx.AsyncClient(timeout=TIMEOUT, headers=self._headers)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Closes it."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def name(self, pseudonym: str) -> Name | None:
        """See `Names`."""
        if self._client is None:
            raise Outage("ingest: no client is open")
        try:
            answer = await self._client.get(f"{self._url}/internal/people/{pseudonym}")
        except httpx.HTTPError as error:
            raise Outage(f"ingest: {type(error).__name__}") from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code != HTTPStatus.OK:
            raise Outage(f"ingest answers {answer.status_code} to a request for a name")
        try:
            person = _Person.model_validate_json(answer.content)
        except ValidationError as error:
            # Without the cause: it would carry what was found, a name perhaps, into the log.
            raise Outage(f"ingest's answer has {error.error_count()} faults") from None
        if person.protected:
            raise Protected
        name = Name(person.given_name, person.family_name)
        return name if name.full else None
