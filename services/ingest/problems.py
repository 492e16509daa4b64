"""What went wrong with a request, as RFC 9457 problem details."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from shared.errors import Outage
from shared.status_phrases import phrase

if TYPE_CHECKING:
    from fastapi import FastAPI

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

logger = logging.getLogger(__name__)


class ProblemDetails(BaseModel):
    """RFC 9457. `detail` says what to do; more members may follow."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(default="about:blank", description="the status says it all")
    title: str = Field(description="the status in words")
    status: int
    detail: str


class Problem(Exception):
    """Ends a request with problem details. `more`: further members of the answer."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def answer(self) -> Response:
        """The response."""
        details = {
            "type": "about:blank",
            "title": phrase(self.status),
            "status": self.status.value,
            "detail": self.detail,
        }
        body = orjson.dumps(details | self.more)
        return Response(body, self.status.value, {**self.headers, "Content-Type": MEDIA_TYPE})


def unavailable(detail: str) -> Problem:
    """Not now; nothing was accepted."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def install(app: FastAPI) -> None:
    """Makes every error of the application problem details."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Outage, _outage)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _fault)


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}}}
    return {status.value: {"description": phrase(status), "content": content} for status in statuses}


async def _problem(_: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return error.answer()


async def _outage(_: Request, error: Exception) -> Response:
    logger.warning("a request met an outage", extra={"outage": str(error)})
    return unavailable(f"Broker or database cannot work ({error}). Nothing was accepted; send the same again.").answer()


async def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return Problem(HTTPStatus(error.status_code), str(error.detail), headers=error.headers).answer()


async def _fault(_: Request, error: Exception) -> Response:
    """A fault of ours. The server logs it, since the framework raises it again."""
    detail = f"A fault in Kvar ({type(error).__name__}). Nothing can be told as accepted; send the same again later."
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail).answer()


async def _validation(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [{"path": ".".join(map(str, each["loc"])), "expected": each["msg"]} for each in error.errors()]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "a parameter is wrong", more={"errors": errors}).answer()
