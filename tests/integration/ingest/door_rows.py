"""What is sent to the door: events with one changed field, and what the contracts alone say of it.

A value stands for the field's JSON; `Raw` is JSON text as it is, `MISSING` leaves the field out. Where the contracts decide
nothing there is no row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any

from tests.unit.ingest import builders

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=2)
DAY = BEFORE.date().isoformat()
ANYWHERE = "$"
"""Path of a fault in a text that is no JSON: no field is known."""


class Raw(str):
    """JSON text, or what merely looks like it."""

    __slots__ = ()

    @classmethod
    def of(cls, value: Any) -> Raw:
        """The text of a value."""
        return value if isinstance(value, Raw) else cls(json.dumps(value))


class Absent(Enum):
    """A field that is left out."""

    MISSING = "missing"


MISSING = Absent.MISSING
STAND_IN = "here stands the value"


@dataclass(frozen=True)
class Row:
    """One event. `refused`: the path of the fault, which stands there or within; None where the event is accepted."""

    kind: str
    path: str
    value: Any
    refused: str | None

    def __str__(self) -> str:
        """Short enough to read."""
        value = self.value.value if isinstance(self.value, Absent) else str(Raw.of(self.value))
        return f"{self.path} = " + (value if len(value) <= 60 else f"{value[:40]}… of {len(value)} characters")

    def line(self, event_id: str) -> bytes:
        """The event as JSON. Each is about a student of its own."""
        event = KINDS[self.kind](event_id)
        place = event
        *folders, name = self.path.removeprefix("$.").split(".")
        for folder in folders:
            place = place[folder]
        if self.value is MISSING:
            del place[name]
            return json.dumps(event).encode()
        place[name] = STAND_IN
        return json.dumps(event).replace(json.dumps(STAND_IN), Raw.of(self.value)).encode()


def _lesson(event_id: str, **more: Any) -> dict[str, Any]:
    data = {"excused_minutes": 0, "unexcused_minutes": 0, "late": False, "group": "NA25a", "course": "MATMAT01a"}
    return builders.attendance(f"id:{event_id}", now=NOW, id=event_id, data=data | more, time=NOW.isoformat())


def _mark(event_id: str, **more: Any) -> dict[str, Any]:
    data = {
        "name": "Matematik",
        "subject": "MAT",
        "required": False,
        "diploma_project": False,
        "state": "recorded",
        "replaces": ["MAT00"],
        "recorded_on": DAY,
    }
    return builders.grade(f"id:{event_id}", id=event_id, data=data | more, time=NOW.isoformat())


def _place(event_id: str) -> dict[str, Any]:
    data = {
        "programme": "NA25",
        "programme_type": "preparatory",
        "study_year": 2,
        "curriculum": "gy25",
        "groups": ["NA25a"],
        "main": True,
        "coach": "staff:kim",
        "coaches": ["staff:kim"],
        "starts_on": on(-90),
        "ends_on": on(200),
        "end_reason": "diploma",
        "protected": False,
        "turns_18_on": on(100),
        "state": "recorded",
        "person": {
            "references": [f"id:{event_id}-2"],
            "national_id": None,
            "given_name": "Alva",
            "family_name": "Lindqvist",
        },
    }
    return builders.enrolment(f"id:{event_id}", id=event_id, data=data, time=NOW.isoformat())


def _staff(event_id: str) -> dict[str, Any]:
    data = {"scope": ["U1"], "active": True}
    return builders.staff(f"staff:{event_id}", id=event_id, data=data, time=NOW.isoformat())


def _climate(event_id: str) -> dict[str, Any]:
    own = {"id": event_id, "subject": f"group:{event_id}", "time": NOW.isoformat()}
    return builders.climate(week(NOW), school_unit="U1", state="recorded") | own


def on(days: int) -> str:
    """A day so many days from now."""
    return (NOW.date() + timedelta(days=days)).isoformat()


def at(days: float) -> str:
    """A moment so many days from now."""
    return (NOW + timedelta(days=days)).isoformat()


def week(moment: datetime) -> str:
    """The ISO week of a moment."""
    year, number, _ = moment.isocalendar()
    return f"{year}-W{number:02d}"


KINDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "attendance": _lesson,
    "grade": _mark,
    "enrolment": _place,
    "staff": _staff,
    "climate": _climate,
    "warning": partial(_mark, kind="warning", value="open"),
    "half excused": partial(_lesson, excused_minutes=30),
    "unregistered": partial(_lesson, state="unregistered"),
    "cancelled": partial(_lesson, state="cancelled"),
    "retracted": partial(_lesson, state="retracted"),
}


def rows(kind: str, path: str, accepted: Iterable[Any] = (), refused: Iterable[Any] = ()) -> list[Row]:
    """Of one field: what is accepted, and what is refused there."""
    return [*(Row(kind, path, value, None) for value in accepted), *within(kind, path, "", refused)]


def within(kind: str, path: str, part: str, refused: Iterable[Any]) -> list[Row]:
    """What is refused at `part` of a field, a list or object. What is no JSON is refused as a whole."""
    return [Row(kind, path, value, ANYWHERE if value in NO_JSON else path + part) for value in refused]


LONE_SURROGATE = Raw(r'"U\ud8001"')
NAN, INFINITY, HUGE, LONG = Raw("NaN"), Raw("Infinity"), Raw("1e400"), 10**400
NO_JSON = (LONE_SURROGATE, NAN, INFINITY, HUGE, LONG)
"""Not JSON, or of a value that readers of JSON do not hold."""

NO_TEXT: list[Any] = [5, 1.5, True, [], ["U1"], {}, {"a": "U1"}]
INVISIBLE = ["U\x001", "U1\n", "U\x1b1", "U\x7f1", "U\x851", "U\u20281", "U\u200b1", "U\u202e1"]
BLANK = [" ", " U1", "U1 ", "\tU1", "U1\u00a0"]
NO_CODE = [*NO_TEXT, *INVISIBLE, *BLANK, LONE_SURROGATE]
NO_NAME = [*NO_TEXT, "A\x00", "A\nB", "A\x1bB", "A\u2028B", "A\u202eB", LONE_SURROGATE]
SOME_CODES_REFUSED = [5, True, {}, "U\x001", "U1\r\n", "U\u202e1", "U1 ", LONE_SURROGATE]
NFD = "A\u030as"
"""Å with its ring apart."""
NO_BOOL: list[Any] = [0, 1, 1.0, "true", "", [], {}]
NO_INTEGER: list[Any] = ["60", "", 60.5, 0.1, True, [], [60], {}, NAN, HUGE]
TOO_LARGE: list[Any] = [2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, LONG]
ARABIC = str.maketrans("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669")
FULLWIDTH = str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")


def no_number_of(digits: str) -> list[str]:
    """Digits that are none of ASCII."""
    return [digits.translate(ARABIC), digits.translate(FULLWIDTH)]


MOMENTS = [
    f"{DAY}T12:00:00Z",
    f"{DAY}T12:00:00+00:00",
    f"{DAY}T12:00:00+14:00",
    f"{DAY}T12:00:00-12:00",
    f"{DAY}t12:00:00z",
    f"{DAY}T12:00:00.5Z",
    f"{DAY}T12:00:00.123456789Z",
]
NO_MOMENT: list[Any] = [
    f"{DAY}T12:00:00",
    f"{DAY}T12:00:00+25:00",
    f"{DAY}T12:00:00+02:60",
    f"{DAY}T12:00:00+0200",
    f"{DAY}T12:00:00+02",
    f"{DAY}T24:00:00Z",
    f"{DAY}T12:60:00Z",
    f"{DAY}T12:30:60Z",
    f"{DAY}T12:00Z",
    f"{DAY}T12Z",
    f"{DAY}T12:00:00,5Z",
    f"{DAY}T12:00:00.Z",
    f"{DAY}T12:00:00Z[Europe/Stockholm]",
    f" {DAY}T12:00:00Z",
    f"{DAY}T12:00:00Z\n",
    DAY,
    f"{NOW.year}-02-30T12:00:00Z",
    f"{week(NOW)}-1T12:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "10000-01-01T00:00:00Z",
    *no_number_of(f"{DAY}T12:00:00Z"),
    int(BEFORE.timestamp()),
    int(BEFORE.timestamp() * 1000),
    BEFORE.timestamp(),
    str(int(BEFORE.timestamp())),
    "",
    "now",
    True,
    [],
    {},
]


LEAP_YEAR = next(year for year in range(NOW.year - 1, 0, -1) if not year % 4)
MIDNIGHT = datetime(BEFORE.year, BEFORE.month, BEFORE.day, tzinfo=UTC)
NO_DATE: list[Any] = [
    f"{NOW.year}-02-30",
    f"{LEAP_YEAR - 1}-02-29",
    f"{NOW.year}-13-01",
    f"{NOW.year}-00-10",
    f"{DAY}T00:00:00Z",
    f"{DAY}T12:00:00+01:00",
    DAY.replace("-", ""),
    f"{week(NOW)}-1",
    f"{BEFORE:%Y-%j}",
    f"{BEFORE:%y-%m-%d}",
    f"{NOW.year}-1-5",
    "0000-01-01",
    "10000-01-01",
    *no_number_of(DAY),
    int(MIDNIGHT.timestamp()),
    str(int(MIDNIGHT.timestamp())),
    f"{DAY} ",
    "",
    True,
    [],
    {},
]
