"""What went wrong with a request, as RFC 9457 problem details: one form for the HTTP interfaces of all services."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

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
    title: str = Field(description="the status in words", examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no such student"])


class Show(Protocol):
    """Makes an answer of an error. `more`: further members of the problem details."""

    def __call__(
        self,
        request: Request,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Response:
        """See the class."""


def problem(
    request: Request,  # noqa: ARG001 - like every `Show`
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The error as problem details."""
    details = {"type": "about:blank", "title": phrase(status), "status": int(status), "detail": detail}
    return Response(orjson.dumps({**details, **(more or {})}), status, headers, MEDIA_TYPE)


def install(app: FastAPI, show: Show = problem) -> None:
    """Makes every error of the application problem details, or what `show` makes of it, and says so in its OpenAPI document."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        _complete(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return show(request, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(request: Request, error: RequestValidationError) -> Response:
        errors = [{"path": ".".join(map(str, each["loc"])), "expected": each["msg"]} for each in error.errors()]
        detail = "; ".join(f"{each['path']}: {each['expected']}" for each in errors)
        return show(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail, more={"errors": errors})

    @app.exception_handler(Outage)
    async def outage(request: Request, error: Outage) -> Response:
        logger.warning("a request met an outage", extra={"outage": str(error)})
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return show(request, HTTPStatus.SERVICE_UNAVAILABLE, f"{error}; try again", headers)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        # The server logs it, since the framework raises it again.
        return show(request, HTTPStatus.INTERNAL_SERVER_ERROR, f"a fault in Kvar ({type(error).__name__})")


def told(texts: Mapping[HTTPStatus, str]) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, and what each means there, for its OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}}}
    return {status.value: {"description": text, "content": content} for status, text in texts.items()}


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The same where the status says it all."""
    return told({status: phrase(status) for status in statuses})


def _complete(document: dict[str, Any]) -> None:
    """Adds problem details to an OpenAPI document, also where FastAPI says that it answers a wrong parameter otherwise."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas[ProblemDetails.__name__] = ProblemDetails.model_json_schema()
    if schemas.pop("HTTPValidationError", None) is None:
        return
    del schemas["ValidationError"]
    wrong_parameter = told({HTTPStatus.UNPROCESSABLE_ENTITY: "a parameter is wrong"})
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            if "application/json" in answers.get("422", {}).get("content", {}):
                answers["422"] = wrong_parameter[422]
