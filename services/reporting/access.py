"""Who may look, what is said when something is wrong, and the headers that keep personal pages where they belong."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as RoutingException

from services.reporting.reading import Ambiguous, BadCursor, Missing
from shared.errors import Outage
from shared.status_phrases import phrase

if TYPE_CHECKING:
    from fastapi import FastAPI, Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

USER = "kvar"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Kvar", charset="UTF-8"'}
RETRY_AFTER_SECONDS = 5

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

ShowProblem = Callable[["Request", int, str], "Response"]
"""Makes an error readable for whoever asked: a person or a program."""


def password_guard(password: str) -> Guard:
    """Lets in the one user with this password. Compares in constant time, user name included."""

    async def guard(credentials: Annotated[HTTPBasicCredentials | None, Depends(_basic)]) -> None:
        given = credentials or HTTPBasicCredentials(username="", password="")
        right_user = secrets.compare_digest(given.username.encode(), USER.encode())
        right_password = secrets.compare_digest(given.password.encode(), password.encode())
        if not (right_user and right_password):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "user name and password are needed", CHALLENGE)

    return guard


def problem(_: Request, status: int, detail: str) -> JSONResponse:
    """An error as RFC 9457 has it."""
    content = {"type": "about:blank", "title": phrase(status), "status": status, "detail": detail}
    return JSONResponse(content, status, media_type="application/problem+json")


def install_problems(app: FastAPI, page: ShowProblem) -> None:
    """Answers every foreseen error: as a page where a person looks, as problem+json elsewhere."""

    def answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
        path = request.url.path
        show = problem if path.startswith(("/v1/", "/health/", "/metrics", "/openapi.json")) else page
        response = show(request, status, detail)
        response.headers.update(headers or {})
        return response

    @app.exception_handler(RoutingException)
    async def http_error(request: Request, error: RoutingException) -> Response:
        return answer(request, error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def bad_parameter(request: Request, error: RequestValidationError) -> Response:
        found = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, found)

    @app.exception_handler(BadCursor)
    async def bad_cursor(request: Request, _: BadCursor) -> Response:
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, "query.after: not a cursor that a page gave out")

    @app.exception_handler(Missing)
    async def missing(request: Request, error: Missing) -> Response:
        return answer(request, HTTPStatus.NOT_FOUND, str(error))

    @app.exception_handler(Ambiguous)
    async def ambiguous(request: Request, error: Ambiguous) -> Response:
        return answer(request, HTTPStatus.CONFLICT, str(error))

    @app.exception_handler(Outage)
    async def outage(request: Request, _: Outage) -> Response:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, "the database is away", headers)


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
