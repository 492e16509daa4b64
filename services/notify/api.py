"""HTTP for operators: which alerts there are and what became of them. No names; only with the service token."""

from __future__ import annotations

import hmac
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from services.notify.alert_store import Alerts, Filter
from services.notify.alerts import Alert, AlertState, Refusal
from shared.errors import Outage
from shared.events import Level

PAGE_LIMIT = 500
BEARER = HTTPBearer(auto_error=False, description="service token")


class RefusalOut(BaseModel):
    """A no to an address of a member of staff, named as in `AlertOut`: the mail system's answer, or why nobody can be written to
    there. It is asked for again a day later, and when staff data change.
    """

    staff: str
    staff_space: str | None
    answer: str
    at: datetime


class AlertOut(BaseModel):
    """One alert. `told` is the staff id of the person mailed as its publisher wrote it, `told_space` the space in which it is
    unique, `role` why it was that person.

    `kind`: a change of level, or the withdrawal of an earlier one, `withdraws`. `joined`: id of the newer alert that tells
    of this one too. `cause`: what lies behind it. `begun`: the mail may be out although the mail system's answer is not known;
    `handed_over`: so often.
    """

    id: str
    kind: Literal["level_change", "withdrawal"]
    withdraws: str | None
    joined: str | None
    cause: Literal["facts", "rules", "correction"]
    student: str
    authority: str
    school_unit: str | None
    n: int
    from_level: Level
    to_level: Level
    score: int
    as_of: date | None
    status: AlertState
    received_at: datetime
    created_at: datetime
    due_at: datetime | None
    sent_at: datetime | None
    failures: int
    begun: bool
    handed_over: int
    problem: str | None
    told: str | None
    told_space: str | None
    role: str | None
    refusals: list[RefusalOut]


class AlertPage(BaseModel):
    """A page of alerts in the order of their ids. `next`: give it as `after` for the following page; null at the end."""

    items: list[AlertOut]
    next: str | None


def alerts_router(alerts: Alerts, token: str) -> APIRouter:
    """`/v1/alerts` and `/v1/alerts/{id}`."""

    def operator(given: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]) -> None:
        if given is None or not hmac.compare_digest(given.credentials.encode(), token.encode()):
            raise HTTPException(401, "the service token is needed", {"WWW-Authenticate": "Bearer"})

    router = APIRouter(prefix="/v1/alerts", tags=["alerts"], dependencies=[Depends(operator)])

    @router.get("", responses={401: {"description": "no service token"}, 503: {"description": "the database is away"}})
    async def list_alerts(
        status: Annotated[AlertState | None, Query(description="only in this state")] = None,
        student: Annotated[str | None, Query(max_length=64, description="only of this pseudonym")] = None,
        authority: Annotated[str | None, Query(max_length=32)] = None,
        after: Annotated[str | None, Query(max_length=128, description="id of the last alert seen")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
    ) -> AlertPage:
        """Alerts by state, student or authority."""
        try:
            found = await alerts.page(Filter((status,) if status else (), student, authority), after, limit)
        except Outage as outage:
            raise _away(outage) from outage
        return AlertPage(items=[shown(alert) for alert in found], next=found[-1].id if len(found) == limit else None)

    @router.get("/{alert_id}", responses={401: {"description": "no service token"}, 404: {"description": "unknown"}})
    async def one_alert(alert_id: str) -> AlertOut:
        """One alert by its id, `p_…:3`."""
        try:
            found = await alerts.one(alert_id)
        except Outage as outage:
            raise _away(outage) from outage
        if found is None:
            raise HTTPException(404, "no such alert")
        return shown(found)

    return router


def _away(outage: Outage) -> HTTPException:
    return HTTPException(503, str(outage), {"Retry-After": "5"})


def shown(alert: Alert) -> AlertOut:
    """The alert as operators see it."""
    staff, role = alert.told or (None, None)
    told, told_space = _as_published(staff) if staff is not None else (None, None)
    change = alert.change
    return AlertOut(
        id=alert.id,
        kind="level_change" if alert.withdraws is None else "withdrawal",
        withdraws=alert.withdraws,
        joined=alert.joined,
        cause=change.cause,
        student=alert.student,
        authority=alert.authority,
        school_unit=change.school_unit,
        n=change.n,
        from_level=change.from_level,
        to_level=change.to_level,
        score=change.score,
        as_of=change.as_of,
        status=alert.state,
        received_at=change.received_at,
        created_at=alert.created_at,
        due_at=alert.due_at,
        sent_at=alert.sent_at,
        failures=alert.failures,
        begun=alert.begun,
        handed_over=alert.handed_over.times if alert.handed_over is not None else 0,
        problem=alert.problem,
        told=told,
        told_space=told_space,
        role=role,
        refusals=[_refusal(item) for item in alert.refusals],
    )


def _refusal(refusal: Refusal) -> RefusalOut:
    staff, space = _as_published(refusal.staff)
    return RefusalOut(staff=staff, staff_space=space, answer=refusal.answer, at=refusal.at)


def _as_published(staff: str) -> tuple[str, str | None]:
    """`staff:SPACE/ID` → `staff:ID` and its space; nothing where an id has none."""
    space, slash, name = staff.removeprefix("staff:").partition("/")
    return (f"staff:{name}", space) if slash else (staff, None)
