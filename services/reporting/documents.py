"""Views as documents of the database and back. With `store.py` the only place that knows field names."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from services.reporting.units import Row, UnitCounts
from services.reporting.views import Enrolment, Risk, StudentView, UnitKey
from shared.events import Level, Reason
from shared.events.places import NO_END, Place, Presence

if TYPE_CHECKING:
    from shared.mongo import Document

ROW_FIELDS = {"places": 1, "level": 1, "fresh_until": 1, "stale": 1}
"""What counting reads of a student."""
_STALE = "stale"


def list_of(presence: Presence, unit: UnitKey | None = None, *, stale: bool = False) -> str:
    """Name of a list that students stand in: all of a presence, or those at one unit, or of these the stale ones."""
    name = str(presence) if unit is None else f"{presence} {unit}"
    return f"{_STALE} {name}" if stale else name


def student_document(view: StudentView, rev: int, day: int) -> Document:
    """The view, and beside it what is searched by, as it is on the day: `lists`, `order`, and what units count.

    `next_change`: the day from which on that no longer holds.
    """
    overall, stays = view.stay(day), view.stays(day)
    kinds = (False, True) if view.stale else (False,)
    lists = [list_of(overall.presence, stale=stale) for stale in kinds] if overall else []
    return {
        "_id": view.pseudonym,
        "rev": rev,
        "authority": view.authority,
        "risk": _risk_document(view.risk) if view.risk else None,
        "enrolments": {key: _enrolment_document(item) for key, item in view.enrolments.items()},
        "lists": lists + [list_of(stay.presence, unit, stale=stale) for stale in kinds for unit, stay in stays.items()],
        "places": [
            {"unit": str(unit), "presence": stay.presence, "groups": list(stay.groups), "own": stay == overall}
            for unit, stay in stays.items()
        ],
        "next_change": view.next_change(day),
        "stale": view.stale,
        "order": view.order,
        "level": view.level,
        "fresh_until": _text(view.risk.fresh_until) if view.risk else None,
    }


def read_student(document: Document) -> StudentView:
    """The view of a document."""
    return StudentView(
        pseudonym=document["_id"],
        authority=document["authority"],
        risk=_read_risk(document["risk"]) if document["risk"] else None,
        enrolments={key: _read_enrolment(item) for key, item in document["enrolments"].items()},
    )


def read_row(document: Document, unit: UnitKey) -> Row:
    """A student as its unit counts it."""
    place = next(item for item in document["places"] if item["unit"] == str(unit))
    return Row(
        presence=Presence(place["presence"]),
        level=Level(document["level"]) if document["level"] else None,
        fresh_until=_date(document["fresh_until"]),
        groups=tuple(place["groups"]),
        stale=document["stale"],
        own=place["own"],
    )


def counts_document(counts: UnitCounts) -> Document:
    """A unit's numbers."""
    return {
        "students": counts.students,
        "active": counts.active,
        "paused": counts.paused,
        "ended": counts.ended,
        "upcoming": counts.upcoming,
        "levels": {str(level): number for level, number in counts.levels.items()},
        "without_data": counts.without_data,
        "not_registered": counts.not_registered,
        "fresh_until": _text(counts.fresh_until),
        "groups": list(counts.groups),
    }


def read_counts(document: Document) -> UnitCounts:
    """The numbers of a unit's document."""
    return UnitCounts(
        active=document["active"],
        paused=document["paused"],
        ended=document["ended"],
        upcoming=document.get("upcoming", 0),
        levels={level: document["levels"][level] for level in Level},
        without_data=document["without_data"],
        not_registered=document.get("not_registered", 0),
        fresh_until=_date(document["fresh_until"]),
        groups=tuple(document.get("groups", ())),
    )


def _risk_document(risk: Risk) -> Document:
    return {
        "revision": risk.revision,
        "school_unit": risk.school_unit,
        "groups": list(risk.groups),
        "score": risk.score,
        "level": risk.level,
        "reasons": [reason.model_dump(mode="json", by_alias=True) for reason in risk.reasons],
        "as_of": _text(risk.as_of),
        "fresh_until": _text(risk.fresh_until),
        "stale_since": _text(risk.stale_since),
        "stale_school_days": risk.stale_school_days,
        "model_version": risk.model_version,
    }


def _read_risk(document: Document) -> Risk:
    return Risk(
        revision=document["revision"],
        school_unit=document["school_unit"],
        groups=tuple(document["groups"]),
        score=document["score"],
        level=Level(document["level"]),
        reasons=tuple(_read_reason(item) for item in document["reasons"]),
        as_of=_date(document["as_of"]),
        fresh_until=_date(document["fresh_until"]),
        stale_since=_date(document.get("stale_since")),
        stale_school_days=document.get("stale_school_days"),
        model_version=document["model_version"],
    )


def _read_reason(document: Document) -> Reason:
    return Reason(
        indicator=document["indicator"],
        points=document["points"],
        numbers=document["numbers"],
        first_day=date.fromisoformat(document["from"]),
        last_day=date.fromisoformat(document["to"]),
        group=document.get("group"),
    )


def _enrolment_document(item: Enrolment) -> Document:
    place = item.place
    return {
        "revision": place.revision,
        "digest": place.digest,
        "recorded": place.is_recorded,
        "protected": item.protected,
        "ever_protected": item.ever_protected,
        "paused": place.is_paused,
        "main": place.main,
        "starts_on": place.starts_on,
        "ends_on": None if place.ends_on == NO_END else place.ends_on,
        "school_unit": place.school_unit,
        "programme": item.programme,
        "study_year": item.study_year,
        "groups": list(place.groups),
    }


def _read_enrolment(document: Document) -> Enrolment:
    place = Place(
        school_unit=document["school_unit"],
        starts_on=document["starts_on"],
        ends_on=NO_END if document["ends_on"] is None else document["ends_on"],
        is_recorded=document["recorded"],
        is_paused=document["paused"],
        main=document["main"],
        groups=tuple(document["groups"]),
        coaches=(),
        revision=document["revision"],
        digest=document["digest"],
    )
    return Enrolment(
        place=place,
        protected=document["protected"],
        ever_protected=document["ever_protected"],
        programme=document["programme"],
        study_year=document["study_year"],
    )


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _date(value: Any) -> date | None:
    return date.fromisoformat(value) if value else None
