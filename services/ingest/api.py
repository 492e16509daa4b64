"""HTTP: publishing events, and the internal way to names."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from services.ingest import bodies
from services.ingest.access import Access
from services.ingest.arrivals import Outcome, Status
from services.ingest.door import HttpDoor
from services.ingest.identity_store import People
from services.ingest.problems import Problem
from shared import problems
from shared.events.values import Pseudonym


class Fault(BaseModel):
    """One fault of one field: JSON path, what stood there (shortened), what should have."""

    path: str
    found: str
    expected: str


class ItemAnswer(BaseModel):
    """What became of one item. `index` counts from 0; empty lines are not counted."""

    index: int
    id: str | None
    status: Status
    errors: list[Fault] = Field(default_factory=list)
    note: str | None = None


class Receipt(BaseModel):
    """What became of all items. `items` holds the rejected ones, and every one with `?items=all`.

    `not_kept`: how many of the rejected ones are only summed up in `/v1/rejected`, since there are more than a hundred.
    """

    accepted: int
    duplicate: int
    rejected: int
    not_kept: int = 0
    items: list[ItemAnswer]


class PersonAnswer(BaseModel):
    """Who is behind a pseudonym: at least one name. A protected person has no names here."""

    pseudonym: str
    authority: str
    protected: bool
    given_name: str | None = None
    family_name: str | None = None
    turns_18_on: date | None = None


EVENT = {"$ref": "#/components/schemas/DoorEvent"}
REQUEST_BODY = {
    "required": True,
    "description": "At most 10,000 events and 16 MiB; at most 256 KiB and 10,000 values an event.",
    "content": {
        bodies.ONE: {"schema": EVENT},
        bodies.BATCH: {"schema": {"type": "array", "items": EVENT}},
        bodies.LINES: {"schema": {"type": "string", "description": "one event a line, as JSON in UTF-8"}},
    },
}


def router(door: HttpDoor, people: People, access: Access) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.post(
        "/v1/events",
        tags=["events"],
        status_code=HTTPStatus.ACCEPTED,
        responses={
            202: {"model": Receipt, "description": "all accepted, or accepted before"},
            207: {"model": Receipt, "description": "some rejected; they are kept, see /v1/rejected"},
            **problems.responses(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.REQUEST_TIMEOUT,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                HTTPStatus.UNPROCESSABLE_ENTITY,
                HTTPStatus.TOO_MANY_REQUESTS,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        },
        openapi_extra={"requestBody": REQUEST_BODY},
    )
    async def publish_events(
        request: Request,
        authority: Annotated[str, Depends(access.publisher)],
        items: Annotated[Literal["rejected", "all"], Query(description="which items the answer lists")] = "rejected",
    ) -> Response:
        """Publish events. Each is validated by itself. What is accepted is archived and confirmed by the broker.

        The same `source` and `id` again is a duplicate, so after no answer, 408, 429 or 503 send the same request again. Of
        the rejected items the first 100 are kept; the others are told in the answer and summed up.
        """
        outcomes = await door.take(request, authority)
        return answer(outcomes, every=items == "all", single=_is_single(request))

    @routes.get(
        "/internal/people/{pseudonym}",
        tags=["internal"],
        response_model=PersonAnswer,
        dependencies=[Depends(access.service)],
        responses=problems.responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def person(pseudonym: Annotated[Pseudonym, Path()]) -> PersonAnswer:
        """Who is behind a pseudonym, for a service that may show it."""
        found = await people.find([pseudonym])
        if pseudonym not in found:
            raise Problem(HTTPStatus.NOT_FOUND, "nobody is known under this pseudonym")
        record, _ = found[pseudonym]
        if record.protected:
            return PersonAnswer(pseudonym=pseudonym, authority=record.authority, protected=True)
        return PersonAnswer(
            pseudonym=pseudonym,
            authority=record.authority,
            protected=False,
            given_name=record.given_name,
            family_name=record.family_name,
            turns_18_on=record.turns_18_on,
        )

    return routes


def answer(outcomes: Sequence[Outcome], *, every: bool, single: bool) -> Response:
    """The answer to a request: 202, 207 when some are rejected, 422 when its only event is."""
    counts = Counter(outcome.status for outcome in outcomes)
    receipt: dict[str, Any] = {status.value: counts[status] for status in Status}
    if not_kept := sum(not outcome.is_kept for outcome in outcomes):
        receipt["not_kept"] = not_kept
    receipt["items"] = [
        _item(index, outcome)
        for index, outcome in enumerate(outcomes)
        if every or outcome.status is Status.REJECTED or outcome.note is not None
    ]
    if single and counts[Status.REJECTED]:
        detail = "the event is rejected; it is kept, see /v1/rejected"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, more=receipt)
    status = HTTPStatus.MULTI_STATUS if counts[Status.REJECTED] else HTTPStatus.ACCEPTED
    return Response(orjson.dumps(receipt), status.value, media_type="application/json")


def _item(index: int, outcome: Outcome) -> dict[str, Any]:
    item: dict[str, Any] = {"index": index, "id": outcome.id, "status": outcome.status.value}
    if outcome.errors:
        item["errors"] = outcome.errors
    if outcome.note is not None:
        item["note"] = outcome.note
    return item


def _is_single(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == bodies.ONE
