"""HTTP: what was refused, for its publisher (`/v1`) and for the operator (`/internal`, everybody's)."""

from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel

from services.ingest.access import Access
from services.ingest.api import Fault, Receipt, answer
from services.ingest.arrivals import Arrival, Status
from services.ingest.door import HttpDoor
from services.ingest.problems import Problem
from services.ingest.rejected import PAGE_LENGTH, Cursor, Rejected, RejectedItems, RejectedStatus
from shared import problems

PAGE = 100
LONGEST_PAGE = 1000

Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="items a page; fewer where they are long")]
After = Annotated[
    str | None, Query(pattern=r"^[0-9]{1,13}-[0-9a-f]{32}$", max_length=46, description="`next` of the page before")
]
"""Milliseconds since 1970 and id of the last item; thirteen digits reach to the year 2286."""
Confirm = Annotated[
    bool,
    Query(
        description="it is right although it contradicts what is known: the new national id or staff member replaces it"
    ),
]
ItemId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", max_length=32)]


class RejectedAnswer(BaseModel):
    """A refused item. `content` is its JSON (or text), null when longer than 64 KiB or replayed; `count` how often it came.

    `items` is more than 1 when it sums up those of one request that were too many to be kept one by one.
    """

    id: str
    authority: str | None
    door: str
    received_at: datetime
    last_seen_at: datetime
    count: int
    status: RejectedStatus
    reason: str
    errors: list[Fault]
    content: str | None
    items: int


class RejectedPage(BaseModel):
    """Refused items in order of first receipt. `next`: give it as `after` for the following page; null on the last."""

    items: list[RejectedAnswer]
    next: str | None


class RejectedDesk:
    """Reading and replaying refused items, of one authority or (None) of all."""

    def __init__(self, items: RejectedItems, door: HttpDoor, authorities: frozenset[str]) -> None:
        self._items = items
        self._door = door
        self._authorities = authorities

    async def page(self, authority: str | None, limit: int, after: str | None) -> RejectedPage:
        """One page."""
        found = await self._items.page(authority, limit=limit, after=_read_cursor(after) if after else None)
        following = _cursor(found.items[-1]) if found.is_cut else None
        return RejectedPage(items=[_answer(item) for item in found.items], next=following)

    def admission(self, authority: str) -> AbstractAsyncContextManager[None]:
        """A place at the door for reading a page."""
        return self._door.admission(authority, PAGE_LENGTH)

    async def item(self, authority: str | None, item_id: str) -> Rejected:
        """One item.

        Raises:
            Problem: 404, also for an item of another authority.
        """
        found = await self._items.find(item_id, authority)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such rejected item")
        return found

    async def replay(self, authority: str | None, item_id: str, *, is_confirmed: bool = False) -> Response:
        """Sends the item through the door again.

        `is_confirmed`: a person has looked at it, and it is right although it contradicts what is known of who somebody is.

        Raises:
            Problem: 404, 409 when there is nothing to send, 422 when it is refused again.
        """
        item = await self.item(authority, item_id)
        if item.content is None:
            raise Problem(
                HTTPStatus.CONFLICT, "its content is not kept: too long, summed up with others, or replayed before"
            )
        spoken_for = self._authorities if item.authority is None else frozenset({item.authority})
        arrival = Arrival(item.content.encode(), spoken_for, item.authority, is_confirmed)
        outcomes = await self._door.receive(item.authority or "", [arrival])
        # An event id that has come in with other content meanwhile: what is kept here has not.
        if outcomes[0].status is not Status.REJECTED and outcomes[0].note is None:
            await self._items.mark_replayed(item.id)
        return answer(outcomes, every=True, single=True)


def router(desk: RejectedDesk, access: Access) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    faults = problems.responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
    replayed: dict[int | str, dict[str, Any]] = {
        202: {"model": Receipt, "description": "accepted, or accepted before"},
        **faults,
        **problems.responses(HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
    }
    publisher = Annotated[str, Depends(access.publisher)]
    service = [Depends(access.service)]

    @routes.get("/v1/rejected", tags=["rejected"], responses=faults | problems.responses(HTTPStatus.TOO_MANY_REQUESTS))
    async def list_own(authority: publisher, limit: Limit = PAGE, after: After = None) -> RejectedPage:
        """List what was refused of the own authority's items."""
        async with desk.admission(authority):
            return await desk.page(authority, limit, after)

    @routes.get("/v1/rejected/{item_id}", tags=["rejected"], responses=faults)
    async def show_own(authority: publisher, item_id: ItemId) -> RejectedAnswer:
        """Show one refused item."""
        return _answer(await desk.item(authority, item_id))

    @routes.post("/v1/rejected/{item_id}/replay", tags=["rejected"], status_code=202, responses=replayed)
    async def replay_own(authority: publisher, item_id: ItemId) -> Response:
        """Send a refused item through the door again, for example after our contracts were widened."""
        return await desk.replay(authority, item_id)

    @routes.get("/internal/rejected", tags=["internal"], responses=faults, dependencies=service)
    async def list_all(limit: Limit = PAGE, after: After = None) -> RejectedPage:
        """List what was refused, also where no authority is known."""
        return await desk.page(None, limit, after)

    @routes.get("/internal/rejected/{item_id}", tags=["internal"], responses=faults, dependencies=service)
    async def show_any(item_id: ItemId) -> RejectedAnswer:
        """Show one refused item."""
        return _answer(await desk.item(None, item_id))

    @routes.post(
        "/internal/rejected/{item_id}/replay",
        tags=["internal"],
        status_code=202,
        responses=replayed,
        dependencies=service,
    )
    async def replay_any(item_id: ItemId, confirm: Confirm = False) -> Response:
        """Send a refused item through the door again."""
        return await desk.replay(None, item_id, is_confirmed=confirm)

    return routes


def _answer(item: Rejected) -> RejectedAnswer:
    return RejectedAnswer.model_validate(asdict(item))


def _cursor(item: Rejected) -> str:
    return f"{round(item.received_at.timestamp() * 1000)}-{item.id}"


def _read_cursor(text: str) -> Cursor:
    milliseconds, _, item_id = text.partition("-")
    return Cursor(datetime.fromtimestamp(int(milliseconds) / 1000, UTC), item_id)
