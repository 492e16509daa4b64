"""Who may look, what is said when something is wrong, and the headers that keep personal pages where they belong."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from starlette.datastructures import MutableHeaders

from services.reporting.reading import Ambiguous, Missing
from shared.problems import Show, problem

if TYPE_CHECKING:
    from fastapi import FastAPI, Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

USER = "kvar"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Kvar", charset="UTF-8"'}

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NO_STORE = "no-store"


class _Utf8Basic(HTTPBasic):
    """HTTP Basic as we announce it, in UTF-8: FastAPI's own reads ASCII only and would lock out a password with å."""

    async def __call__(self, request: Request) -> HTTPBasicCredentials | None:  # type: ignore[override]
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return HTTPBasicCredentials(username=user, password=password) if colon else None


_basic = _Utf8Basic(
    auto_error=False,
    scheme_name="HTTPBasic",
    realm="Kvar",
    description=f"User name `{USER}`, password KVAR_VIEWER_PASSWORD.",
)

Guard = Callable[..., Awaitable[None]]
"""A dependency that raises 401 unless the request may pass."""

ShowPage = Callable[[Request, int, str], "Response"]
"""Makes a page of an error."""


def password_guard(password: str) -> Guard:
    """Lets in the one user with this password. Compares in constant time, user name included."""

    async def guard(credentials: Annotated[HTTPBasicCredentials | None, Depends(_basic)]) -> None:
        given = credentials or HTTPBasicCredentials(username="", password="")
        right_user = secrets.compare_digest(given.username.encode(), USER.encode())
        right_password = secrets.compare_digest(given.password.encode(), password.encode())
        if not (right_user and right_password):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "user name and password are needed", CHALLENGE)

    return guard


def show_with(page: ShowPage) -> Show:
    """Answers an error as a page where a person looks, as problem details elsewhere."""

    def show(
        request: Request,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Response:
        if request.url.path.startswith(("/v1/", "/health/", "/metrics", "/openapi.json")):
            return problem(request, status, detail, headers, more)
        response = page(request, status, detail)
        response.headers.update(headers or {})
        return response

    return show


def install_problems(app: FastAPI, show: Show) -> None:
    """Answers what there is not, and what cannot be told apart."""

    @app.exception_handler(Missing)
    async def missing(request: Request, error: Missing) -> Response:
        return show(request, HTTPStatus.NOT_FOUND, str(error))

    @app.exception_handler(Ambiguous)
    async def ambiguous(request: Request, error: Ambiguous) -> Response:
        return show(request, HTTPStatus.CONFLICT, str(error))


class SecurityHeaders:
    """Adds the headers to every answer; what says nothing of caching itself is not stored anywhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", NO_STORE)
            await send(message)

        await self._app(scope, receive, send_with_headers)
