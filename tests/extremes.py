"""Extreme values of everything in a contract, made from its JSON Schema alone: what it just allows, and what it just forbids.

A field that somebody adds is tried without a word here, as long as a value for it can be made from `PREFIXES` and `LETTERS`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema

Schema = Mapping[str, Any]
Path = tuple[str | int, ...]
Event = dict[str, Any]

LETTERS = "xå語𝒳"
"""Of one to four bytes in UTF-8."""
PREFIXES = ("", "id:", "staff:", "group:", "unit:", "x@", "civic:", "ss12000:", "urn:")
TAILS = ("", "200801032384", "0123456789ab-cdef-0123-4567-89abcdef0123")
EDGES = (
    *("1899-12-31", "1900-01-01", "2199-12-31", "2200-01-01", "0001-01-01", "9999-12-31"),
    *("1900-01-01T00:00:00+23:59", "2199-12-31T23:59:59.999999999-23:59"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1764061200", 1764061200),
)
"""Days and times at both ends of what there is, and of what is allowed; a number is neither."""
STRANGE: tuple[Any, ...] = (
    *EDGES,
    *("", " x", "x\u0000y", "x\u2028y", "true", "NaN", "2026-W07", "٢٠٢٦-W07", "1900-W01", "2199-W52", "9999-W52"),
    *(-1, 0, 1, 1.5, 1e300, -1e300, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)),
    *(True, False, None, [], {}, [[]], {"space": "x" * 64, "id": "id:" + "å" * 200}, {"space": "å", "id": "id:x"}),
)
BEYOND_SCHEMAS = re.compile(
    r"\$\.(authority|source|time|data\.(revision|starts_at|recorded_on|starts_on|ends_on|period|(un)?excused_minutes"
    r"|value|name|email|groups|scope|person\.(family_name|references(\[\d+\]\.space)?)|coach\.space|coaches\[\d+\]\.space))"
)
"""Paths for which the door may refuse an event that its schema allows: whose token it is, what day it is, what is known already,
how fields belong together, how long something is in bytes.
"""
SLACK = 12
"""By so much a pattern may be shorter than the `maxLength` beside it."""
MISSING = object()


@dataclass(frozen=True)
class Extreme:
    """A value (`MISSING`: none) in the place of another, and whether the schema allows the event then."""

    path: Path
    value: Any
    is_allowed: bool

    @property
    def json_path(self) -> str:
        """As the door names it."""
        return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)

    def put(self, event: Event) -> Event:
        """The event with it."""
        changed = copy.deepcopy(event)
        here: Any = changed
        for part in self.path[:-1]:
            here = here[part]
        if self.value is MISSING:
            here.pop(self.path[-1], None)
        else:
            here[self.path[-1]] = self.value
        return changed


@dataclass
class Contract:
    """A contract's JSON Schema. `base`: an event that it allows, in which everything that holds further fields stands."""

    schema: Schema
    base: Event
    _validator: Any = field(init=False)

    def __post_init__(self) -> None:
        checker = jsonschema.FormatChecker()
        checker.checks("date-time", ValueError)(lambda value: not isinstance(value, str) or _is_time(value))
        self._validator = jsonschema.Draft202012Validator(self.schema, format_checker=checker)
        self._validator.validate(self.base)

    def extremes(self, strange: Sequence[Any] = STRANGE) -> Iterator[Extreme]:
        """One by one: what the schema's own bounds lead to, no value at all, and what else may be tried."""
        for path, schema in self._fields(self.schema, ()):
            tried: set[str] = set()
            for value in [MISSING, *self._candidates(schema, self._known(path)), *strange]:
                if (text := repr(value)) not in tried:
                    tried.add(text)
                    changed = Extreme(path, value, is_allowed=True)
                    yield Extreme(path, value, is_allowed=self.allows(changed.put(self.base)))

    def allows(self, event: Event) -> bool:
        """Whether the schema does."""
        return bool(self._validator.is_valid(event))

    def _fields(self, schema: Schema, path: Path) -> Iterator[tuple[Path, Schema]]:
        """Every field of the schema, with those of the objects in it."""
        for one in self._kinds(schema):
            for name, each in one.get("properties", {}).items():
                yield (*path, name), each
                if isinstance(self._known((*path, name)), dict):
                    yield from self._fields(each, (*path, name))

    def _known(self, path: Path) -> Any:
        """What the base has there."""
        here: Any = self.base
        for part in path:
            here = here.get(part) if isinstance(here, dict) else None
        return here

    def _kinds(self, schema: Schema) -> Iterator[Schema]:
        """The schema without references and alternatives."""
        if "$ref" in schema:
            yield from self._kinds(self.schema["$defs"][schema["$ref"].rpartition("/")[2]])
        elif "anyOf" in schema or "oneOf" in schema:
            for one in schema.get("anyOf", schema.get("oneOf", ())):
                yield from self._kinds(one)
        else:
            yield schema

    def _candidates(self, schema: Schema, known: object = None) -> Iterator[Any]:
        for one in self._kinds(schema):
            yield from one.get("enum", ())
            if one.get("type") in {"integer", "number"}:
                low, high = one["minimum"], one["maximum"]
                yield from (low, high, float(high), low - 1, high + 1, str(low))
            elif one.get("format") in {"date", "date-time"}:
                yield from EDGES
            elif one.get("type") == "string" and "maxLength" in one:
                yield from self._texts(one, [*PREFIXES, f"{known}/"])
            elif one.get("type") == "array":
                yield from self._lists(one)

    def _texts(self, schema: Schema, prefixes: Sequence[str]) -> Iterator[str]:
        """The longest in letters of each number of bytes, one longer, and one far too long."""
        valid = jsonschema.Draft202012Validator(schema).is_valid
        for prefix in prefixes:
            of_prefix = [text for tail in TAILS if valid(text := prefix + tail)]
            for letter in LETTERS:
                longest = schema["maxLength"] - len(prefix)
                sizes = range(longest, max(0, longest - SLACK), -1)
                found = [text for size in sizes if valid(text := prefix + letter * size)][:1]
                of_prefix += [*found, *(text + letter for text in found)]
            yield from of_prefix
            if of_prefix and not prefix:
                break  # any text will do
        yield "x" * 100_000

    def _lists(self, schema: Schema) -> Iterator[list[Any]]:
        """As many as there may be, one more; of texts also the longest of each kind, and all of these together too long."""
        most = schema["maxItems"]
        items = [one for one in self._candidates(schema["items"]) if self._is_item(schema, one)]
        if not items:
            items = [True]
        shortest = min(items, key=lambda one: len(str(one)))
        for count in (1, most, most + 1):
            yield [shortest] * count
        longest = sorted((one for one in items if isinstance(one, str)), key=lambda one: len(one.encode()))
        for one in longest[-2:]:
            yield [one]
            yield [f"{one[:-4]}{number:04}" for number in range(most)]

    def _is_item(self, schema: Schema, value: Any) -> bool:
        whole = {**schema["items"], "$defs": self.schema.get("$defs", {})}
        return bool(jsonschema.Draft202012Validator(whole).is_valid(value))


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value.upper()).tzinfo is not None
    except ValueError:
        return False


def bases(authority: str = "2480") -> dict[str, Event]:
    """One event of today for each type, with every object that an event may hold."""
    now = datetime.now(UTC).replace(microsecond=0)
    yesterday, week = now - timedelta(days=1), (now - timedelta(days=7)).isocalendar()
    fact = {"revision": 1, "school_unit": "U1"}
    data: dict[str, tuple[str, dict[str, Any]]] = {
        "attendance.recorded": (
            "id:1",
            {**fact, "lesson": "L1", "starts_at": yesterday.isoformat(), "minutes": 60, "state": "registered"},
        ),
        "grade.recorded": (
            "id:1",
            {
                **fact,
                "course": "MATMAT01a",
                "curriculum": "gy25",
                "credits": 100,
                "kind": "final",
                "value": "F",
                "recorded_on": yesterday.date().isoformat(),
            },
        ),
        "enrolment.changed": (
            "id:1",
            {
                **fact,
                "status": "active",
                "starts_on": (now - timedelta(days=90)).date().isoformat(),
                "person": {"given_name": "Alva", "family_name": "Lind"},
            },
        ),
        "staff.changed": ("staff:1", {"revision": 1, "name": "Kim Ek", "email": "kim@a.example", "roles": ["coach"]}),
        "climate.reported": (
            "group:1",
            {
                "revision": 1,
                "school_unit": "U1",
                "period": f"{week.year}-W{week.week:02}",
                "answers": 9,
                "safety": 3.5,
                "inclusion": 4,
                "relations": 3.0,
            },
        ),
    }
    return {
        f"kvar.{kind}.v1": {
            "specversion": "1.0",
            "id": "1",
            "source": f"/authorities/{authority}/systems/{kind.partition('.')[0]}",
            "type": f"kvar.{kind}.v1",
            "subject": subject,
            "time": now.isoformat(),
            "authority": authority,
            "data": content,
        }
        for kind, (subject, content) in data.items()
    }
