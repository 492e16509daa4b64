"""Alerts as documents of the database and back. With `alert_store` the only place that knows field names.

    {_id: "p_…:3", rev, student, n, authority, state, created_at, due_at, failures, refused_since, joined,
     change: {data of risk.level_changed.v1 or risk.alert_withdrawn.v1}, withdraws: "p_…:2" (withdrawals only),
     sought: {coaches, school_unit}, refusals: [{staff, email, answer, at}], telling: {before, detour: {level, alert, since}},
     handed_over: {times, staff, role, level}, told: {staff, role, level}, sent_at, problem, mark}

`due_at` exists while the alert is not final, and orders all work; for `sending` it is the end of the lease. Every change
of one alert is guarded by `rev`; `mark` is that of the last one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import orjson

from services.notify.alerts import GATHER, Alert, AlertState, Detour, HandedOver, Refusal, Telling
from services.notify.places import Situation
from shared.events import AlertWithdrawn, AlertWithdrawnEvent, Level, RiskLevelChanged, RiskLevelChangedEvent
from shared.mongo import UpdateOne

AlertEvent = RiskLevelChangedEvent | AlertWithdrawnEvent


def new_document(event: AlertEvent, now: datetime, *, newest: int, withdrawn: Collection[str]) -> dict[str, Any]:
    """The first document of an alert. Of its student are stored: `newest`, the highest `n`; `withdrawn`, ids named by
    withdrawals.
    """
    fields: dict[str, Any] = {
        "_id": f"{event.subject}:{event.data.n}",
        "rev": 1,
        "student": event.subject,
        "n": event.data.n,
        "authority": event.authority,
        "created_at": now,
        "failures": 0,
        "change": event.data.model_dump(mode="json", by_alias=True),
    }
    if isinstance(event, AlertWithdrawnEvent):
        state = {"state": AlertState.DUE.value, "due_at": now + GATHER}
        return {**fields, **state, "withdraws": event.data.alert}
    if fields["_id"] in withdrawn:
        return {**fields, "state": AlertState.WITHDRAWN.value}
    if newest > event.data.n:
        return {**fields, "state": AlertState.SUPERSEDED.value}
    return {**fields, "state": AlertState.DUE.value, "due_at": now}


def update_of(alert: Alert, fields: dict[str, Any], mark: str, lease: datetime | None) -> UpdateOne:
    """Writes fields (`None` removes one) while the alert is as it was read, and with a `lease` as long as it ends then."""
    update = operators({**fields, "rev": alert.rev + 1, "mark": mark})
    known = {"_id": alert.id, "rev": alert.rev, "due_at": lease}
    return UpdateOne({name: value for name, value in known.items() if value is not None}, update)


def operators(fields: dict[str, Any]) -> dict[str, Any]:
    """An update that writes fields; `None` removes one."""
    kept = {name: value for name, value in fields.items() if value is not None}
    gone = {name: "" for name, value in fields.items() if value is None}
    return {name: chosen for name, chosen in (("$set", kept), ("$unset", gone)) if chosen}


def read_alert(document: dict[str, Any]) -> Alert:
    """The alert of a document."""
    person = document.get("told", {})
    contract = AlertWithdrawn if "withdraws" in document else RiskLevelChanged
    return Alert(
        id=document["_id"],
        student=document["student"],
        authority=document["authority"],
        change=contract.model_validate_json(orjson.dumps(document["change"])),
        state=AlertState(document["state"]),
        created_at=document["created_at"],
        rev=document["rev"],
        due_at=document.get("due_at"),
        failures=document["failures"],
        waited="sought" in document,
        handed_over=_handed_over(document.get("handed_over")),
        refused_since=document.get("refused_since"),
        refusals=tuple(Refusal(**{"at": document["created_at"], **item}) for item in document.get("refusals", [])),
        telling=_telling(document.get("telling")),
        told=(person["staff"], person["role"]) if person else None,
        level_told=Level(person["level"]) if "level" in person else None,
        sent_at=document.get("sent_at"),
        problem=document.get("problem"),
        joined=document.get("joined"),
    )


def told(staff: str, role: str, level: Level) -> dict[str, Any]:
    """Fields that note who was mailed, and which level the mail gave as the present one."""
    return {"told": {"staff": staff, "role": role, "level": level.value}}


def telling(what: Telling | None) -> dict[str, Any]:
    """Fields that note what a mail is about to tell."""
    if what is None:
        return {"telling": None}
    detour = what.detour and {
        "level": what.detour.level.value,
        "alert": what.detour.alert,
        "since": what.detour.since and what.detour.since.isoformat(),
    }
    return {"telling": {"before": what.before.value, "detour": detour}}


def handed_over(mail: HandedOver | None) -> dict[str, Any]:
    """Fields that note that a mail may be out."""
    if mail is None:
        return {"handed_over": None}
    return {"handed_over": {"times": mail.times, "staff": mail.staff, "role": mail.role, "level": mail.level.value}}


def _handed_over(document: dict[str, Any] | None) -> HandedOver | None:
    if document is None:
        return None
    return HandedOver(document["times"], document["staff"], document["role"], Level(document["level"]))


def _telling(document: dict[str, Any] | None) -> Telling | None:
    if document is None:
        return None
    found = document["detour"]
    since = date.fromisoformat(found["since"]) if found and found["since"] else None
    detour = Detour(Level(found["level"]), found["alert"], since) if found else None
    return Telling(Level(document["before"]), detour)


def sought(about: Situation) -> dict[str, Any]:
    """Fields that make the alert be found when one of these coaches, or somebody at this unit, becomes known."""
    return {"sought": {"coaches": list(about.coaches), "school_unit": about.school_unit}}


def refusals(given: Sequence[Refusal]) -> dict[str, Any]:
    """Fields that hold the mail system's answers."""
    return {"refusals": [asdict(refusal) for refusal in given] or None}


def seeks(document: dict[str, Any], authority: str, staff: str, scope: list[str]) -> bool:
    """Whether an alert waits for this person, or for somebody at one of these units."""
    wanted = document["sought"]
    return document["authority"] == authority and (staff in wanted.get("coaches", ()) or wanted["school_unit"] in scope)
