"""Whether an item may come in: its contract, who may say it, and when it can have happened. Pure: time is a parameter."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import orjson

from services.ingest.spaces import Spaces, system_of
from shared.errors import FieldError, Reject
from shared.events import (
    AttendanceRecorded,
    ClimateReported,
    EnrolmentChanged,
    EnrolmentStatus,
    GradeRecorded,
    read_door_event,
)
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
LONGEST_REMEMBERED = 64
"""Characters of a field's name. Publishers choose them; those of the contracts have twenty at most."""
FACTS_BACK = timedelta(days=365)
SCHOOL_CAREER = timedelta(days=7 * 366)
"""How far back marks count, and places that are over. A place that still holds may have begun at any time."""
ENROLMENTS_AHEAD = timedelta(days=366)
AHEAD = timedelta(days=1)
MASKED = "protected"


@dataclass(slots=True)
class Cleaned:
    """An item without what must not come in. `dropped`: the forbidden fields that it had, in `FORBIDDEN`'s spelling."""

    item: Any
    dropped: list[str] = field(default_factory=list)


def _plain(name: str) -> str:
    """The name as it is compared. Only short ones are remembered: four thousand of the longest would take gigabytes."""
    return _remembered(name) if len(name) <= LONGEST_REMEMBERED else _as_compared(name)


@lru_cache(maxsize=4096)
def _remembered(name: str) -> str:
    return _as_compared(name)


def _as_compared(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def clean(item: Any) -> Cleaned:
    """Drops forbidden fields at any depth, and masks the names of a person whose identity is protected.

    A protected person need not have a name at all.

    Raises:
        Reject: nested deeper than any event is.
    """
    cleaned = Cleaned(None)
    cleaned.item = _without_forbidden(item, cleaned.dropped, 0)
    data = cleaned.item.get("data") if isinstance(cleaned.item, dict) else None
    if isinstance(data, dict) and data.get("protected") is True and isinstance(data.get("person"), dict):
        data["person"] |= dict.fromkeys(("given_name", "family_name"), MASKED)
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


def check(item: Any, authorities: AbstractSet[str], now: datetime, zone: tzinfo, spaces: Spaces) -> DoorEvent:
    """The item as an event that may come in.

    Args:
        item: what `clean` left of it.
        authorities: whom the publisher may speak for.
        now: time of receipt.
        zone: the authority's time zone: a date is a date there.
        spaces: where references live, and who may name another space.

    Raises:
        Reject: it obeys no contract, speaks for somebody else, names a space without the right to, or tells of an impossible
            time.
    """
    if not isinstance(item, dict):
        raise Reject("no event", (FieldError("$", _shown(item), "a JSON object: one CloudEvent"),))
    event = read_door_event(item)
    wrong_time = [*_wrong_time(event, now), *_wrong_revision(event, now), *_wrong_dates(event, now, zone)]
    if errors := [*_wrong_publisher(event, authorities), *spaces.faults(event), *wrong_time]:
        raise Reject("the event cannot be accepted from this publisher or at this time", tuple(errors))
    return event


def _wrong_publisher(event: DoorEvent, authorities: AbstractSet[str]) -> list[FieldError]:
    if event.authority not in authorities:
        return [FieldError("$.authority", _shown(event.authority), "the publisher's own authority")]
    if system_of(event.authority, event.source) is None:
        return [FieldError("$.source", _shown(event.source), f"/authorities/{event.authority}/systems/NAME")]
    return []


def _wrong_time(event: DoorEvent, now: datetime) -> list[FieldError]:
    """Nothing was recorded before it came: a clock that is wrong, or another meaning than this field has. It may be long ago."""
    latest = now + AHEAD
    if event.time <= latest:
        return []
    return [
        FieldError("$.time", _shown(event.time.isoformat()), f"no time in the future: {latest.isoformat()} at most")
    ]


def _wrong_revision(event: DoorEvent, now: datetime) -> list[FieldError]:
    """A revision in the future would hide all corrections until that time: microseconds, a clock that is wrong, a test run."""
    latest = int((now + AHEAD).timestamp() * 1000)
    if event.data.revision <= latest:
        return []
    return [
        FieldError(
            "$.data.revision", str(event.data.revision), f"no time in the future: as milliseconds at most {latest}"
        )
    ]


def _wrong_dates(event: DoorEvent, now: datetime, zone: tzinfo) -> list[FieldError]:
    today = now.astimezone(zone).date()
    match event.data:
        case AttendanceRecorded(starts_at=starts_at):
            # Years far away have no date in every zone.
            is_near = now - FACTS_BACK - AHEAD <= starts_at <= now + 2 * AHEAD
            day = starts_at.astimezone(zone).date() if is_near else date.max
            return _unless_within("starts_at", day, today - FACTS_BACK, today + AHEAD, shown=starts_at.isoformat())
        case GradeRecorded(recorded_on=day):
            return _unless_within("recorded_on", day, today - SCHOOL_CAREER, today + AHEAD)
        case EnrolmentChanged():
            return _wrong_place(event.data, event.time, now, today)
        case ClimateReported(period=period):
            return _wrong_week(period, today)
        case _:
            return []


def _wrong_place(place: EnrolmentChanged, time: datetime, now: datetime, today: date) -> list[FieldError]:
    errors = []
    if place.starts_on > today + ENROLMENTS_AHEAD:
        errors.append(_outside("starts_on", place.starts_on.isoformat(), None, today + ENROLMENTS_AHEAD))
    if place.ends_on is not None and place.ends_on < today - SCHOOL_CAREER:
        errors.append(_outside("ends_on", place.ends_on.isoformat(), today - SCHOOL_CAREER, None))
    ends_by_its_time = place.ends_on is None and place.status is EnrolmentStatus.ENDED
    if ends_by_its_time and time < now - SCHOOL_CAREER:
        expected = f"from {today - SCHOOL_CAREER}: a place that has ended without ends_on ends on this day"
        errors.append(FieldError("$.time", _shown(time.isoformat()), expected))
    return errors


def _wrong_week(period: str, today: date) -> list[FieldError]:
    try:
        monday = date.fromisocalendar(int(period[:4]), int(period[6:]), 1)
    except ValueError:
        return [FieldError("$.data.period", _shown(period), "a week that exists")]
    return _unless_within("period", monday, today - FACTS_BACK - timedelta(days=6), today + AHEAD, shown=period)


def _unless_within(name: str, day: date, first: date, last: date, shown: str = "") -> list[FieldError]:
    return [] if first <= day <= last else [_outside(name, shown or day.isoformat(), first, last)]


def _outside(name: str, found: str, first: date | None, last: date | None) -> FieldError:
    limits = [f"from {first}"] if first else []
    limits += [f"to {last}"] if last else []
    return FieldError(f"$.data.{name}", _shown(found), " ".join(limits))


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:79] + "…"
