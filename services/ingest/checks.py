"""Whether an item may come in: its contract, who may say it, and when it can have happened. Pure: time is a parameter."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import orjson

from shared.errors import FieldError, Reject
from shared.events import AttendanceRecorded, ClimateReported, EnrolmentChanged, GradeRecorded, read_door_event
from shared.events.door import DoorEvent

FORBIDDEN = frozenset(
    {
        "absencecause",
        "absencereason",
        "attendanceeventreason",
        "cause",
        "comment",
        "diagnosis",
        "diagnosticstatement",
        "franvaroorsak",
        "frånvaroorsak",
        "freetext",
        "note",
        "orsak",
        "reason",
        "reasoncode",
        "reasontext",
        "remark",
    }
)
"""Causes of absence are health data, and free text may hold them. Compared without case, `_` and `-`."""

DEEPEST = 32
FACTS_BACK = timedelta(days=365)
ENROLMENTS_BACK = timedelta(days=4 * 366)
ENROLMENTS_AHEAD = timedelta(days=366)
AHEAD = timedelta(days=1)
MASKED = "protected"


@dataclass(slots=True)
class Cleaned:
    """An item without what must not come in. `dropped`: the forbidden fields that it had, in `FORBIDDEN`'s spelling."""

    item: Any
    dropped: list[str] = field(default_factory=list)


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def clean(item: Any) -> Cleaned:
    """Drops forbidden fields at any depth, and masks the names of a person whose identity is protected.

    Raises:
        Reject: nested deeper than any event is.
    """
    cleaned = Cleaned(None)
    cleaned.item = _without_forbidden(item, cleaned.dropped, 0)
    data = cleaned.item.get("data") if isinstance(cleaned.item, dict) else None
    if isinstance(data, dict) and data.get("protected") is True and isinstance(data.get("person"), dict):
        data["person"] |= {name: MASKED for name in ("given_name", "family_name") if name in data["person"]}
    return cleaned


def _without_forbidden(value: Any, dropped: list[str], depth: int) -> Any:
    if depth > DEEPEST:
        raise Reject(
            "nested too deeply", (FieldError("$", f"more than {DEEPEST} levels", f"at most {DEEPEST} levels"),)
        )
    if isinstance(value, dict):
        kept = {}
        for name, inner in value.items():
            if (plain := _plain(name)) in FORBIDDEN:
                dropped.append(plain)
            else:
                kept[name] = _without_forbidden(inner, dropped, depth + 1) if isinstance(inner, dict | list) else inner
        return kept
    if isinstance(value, list):
        return [_without_forbidden(inner, dropped, depth + 1) for inner in value]
    return value


def check(item: Any, authorities: AbstractSet[str], now: datetime, zone: tzinfo) -> DoorEvent:
    """The item as an event that may come in.

    Args:
        item: what `clean` left of it.
        authorities: whom the publisher may speak for.
        now: time of receipt.
        zone: the authority's time zone: a date is a date there.

    Raises:
        Reject: it obeys no contract, speaks for somebody else, or tells of an impossible time.
    """
    if not isinstance(item, dict):
        raise Reject("no event", (FieldError("$", _shown(item), "a JSON object: one CloudEvent"),))
    event = read_door_event(item)
    if errors := [*_wrong_publisher(event, authorities), *_wrong_dates(event, now, zone)]:
        raise Reject("the event cannot be accepted from this publisher or at this time", tuple(errors))
    return event


def _wrong_publisher(event: DoorEvent, authorities: AbstractSet[str]) -> list[FieldError]:
    if event.authority not in authorities:
        return [FieldError("$.authority", _shown(event.authority), "the publisher's own authority")]
    prefix = f"/authorities/{event.authority}/"
    if not event.source.startswith(prefix) or any(character.isspace() for character in event.source):
        return [FieldError("$.source", _shown(event.source), f"a URI reference that starts with {prefix}")]
    return []


def _wrong_dates(event: DoorEvent, now: datetime, zone: tzinfo) -> list[FieldError]:
    today = now.astimezone(zone).date()
    match event.data:
        case AttendanceRecorded(starts_at=starts_at):
            if not now - FACTS_BACK <= starts_at <= now + AHEAD:
                return [_outside("starts_at", starts_at.isoformat(), today - FACTS_BACK, today + AHEAD)]
            return []
        case GradeRecorded(recorded_on=day):
            return _unless_within("recorded_on", day, today - FACTS_BACK, today + AHEAD)
        case EnrolmentChanged(starts_on=day):
            return _unless_within("starts_on", day, today - ENROLMENTS_BACK, today + ENROLMENTS_AHEAD)
        case ClimateReported(period=period):
            return _wrong_week(period, today)
        case _:
            return []


def _wrong_week(period: str, today: date) -> list[FieldError]:
    try:
        monday = date.fromisocalendar(int(period[:4]), int(period[6:]), 1)
    except ValueError:
        return [FieldError("$.data.period", _shown(period), "a week that exists")]
    return _unless_within("period", monday, today - FACTS_BACK - timedelta(days=6), today + AHEAD, shown=period)


def _unless_within(name: str, day: date, first: date, last: date, shown: str = "") -> list[FieldError]:
    return [] if first <= day <= last else [_outside(name, shown or day.isoformat(), first, last)]


def _outside(name: str, found: str, first: date, last: date) -> FieldError:
    return FieldError(f"$.data.{name}", _shown(found), f"from {first} to {last}")


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:79] + "…"
