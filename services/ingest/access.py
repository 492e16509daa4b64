"""Who is asking: publishers by their tokens, services by theirs."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.ingest.problems import Problem

PUBLISHER = HTTPBearer(
    scheme_name="publisher", description="the token of a school authority's system", auto_error=False
)
SERVICE = HTTPBearer(scheme_name="service", description="the secret between services", auto_error=False)

PublisherCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(PUBLISHER)]
ServiceCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(SERVICE)]


class Access:
    """Tells tokens apart, in a time that does not depend on how much of one is right."""

    def __init__(self, publishers: Mapping[str, str], service_token: str) -> None:
        """`publishers`: authority to token."""
        self._publishers = {authority: token.encode() for authority, token in publishers.items()}
        self._service_token = service_token.encode()

    def publisher(self, credentials: PublisherCredentials) -> str:
        """The authority that the token belongs to.

        Raises:
            Problem: 401.
        """
        given = _given(credentials)
        owners = [code for code, token in self._publishers.items() if hmac.compare_digest(token, given)]
        if not owners:
            raise _unauthorized("the publisher's token is needed")
        return owners[0]

    def service(self, credentials: ServiceCredentials) -> None:
        """Passes when the token is the one between services.

        Raises:
            Problem: 401.
        """
        if not hmac.compare_digest(self._service_token, _given(credentials)):
            raise _unauthorized("the service token is needed")


def _given(credentials: HTTPAuthorizationCredentials | None) -> bytes:
    return credentials.credentials.encode() if credentials is not None else b""


def _unauthorized(detail: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED, f"{detail}: Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"}
    )
