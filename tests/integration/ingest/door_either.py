"""What the contracts decide neither way: accepted or refused, but answered, with no harm to what is sent beside it."""

from __future__ import annotations

from tests.integration.ingest.door_facts import SEEDLING
from tests.integration.ingest.door_rows import DAY, MISSING, Raw, Row, at, on, rows


def _nested(depth: int) -> Raw:
    return Raw("[" * depth + "]" * depth)


EITHER: list[Row] = [
    *rows("attendance", "$.id", ["\u00e5" * 255, SEEDLING * 255, "\u00e5" * 128, "A\u030a" * 255]),
    *rows("attendance", "$.subject", ["id:" + "x" * 200, "id:" + SEEDLING * 200, "id:" + "x" * 10_000]),
    *rows("attendance", "$.source", ["/authorities/2480/systems/test/" + "x" * 10_000]),
    *rows("attendance", "$.time", ["2016-12-31T23:59:60Z", f"{DAY} 12:00:00Z", at(400), at(-4000)]),
    *rows("attendance", "$.dataschema", ["urn:kvar:another", "x" * 10_000, "\x00"]),
    *rows("attendance", "$.traceparent", ["", "x", "\x00", "x" * 10_000]),
    *rows("attendance", "$.datacontenttype", [None, "text/xml", 5]),
    *rows("attendance", "$.recordedtime", ["0001-01-01T00:00:00Z", 5]),
    *rows("attendance", "$.under", ["x" * 64, 5, "\x00"]),
    *rows("attendance", "$.data.school_unit", ["x" * 10_000, "x" * 262_145, "/", "../..", "$x.y", "%00"]),
    *rows("attendance", "$.data.lesson", ["A\u030a" * 128]),
    *rows("attendance", "$.data.group", ["", "x" * 10_000]),
    *rows(
        "attendance", "$.data.starts_at", [f"{DAY} 12:00:00Z", f"{DAY}T12:00:00-00:00", f"{DAY}T12:00:00.1234567890Z"]
    ),
    *rows(
        "attendance", "$.data.minutes", [Raw('60, "minutes": 30'), Raw('60, "minutes": "30"'), Raw("60.0"), Raw("6e1")]
    ),
    *rows("attendance", "$.data.late", [None]),
    *rows("attendance", "$.data.unheard_of", [_nested(20), _nested(500), _nested(5000), Raw('{"\\u0000": 1}')]),
    *rows(
        "attendance", "$.data.unheard_of", ["x" * 262_145, "\x00", list(range(20_000)), Raw('"' + "\\ud83c" * 9 + '"')]
    ),
    *rows("grade", "$.data.name", ["", " ", "x" * 10_000]),
    *rows("grade", "$.data.required", [MISSING, None]),
    *rows("grade", "$.data.replaces", [["x"] * 10_000, ["x" * 128] * 1000, None]),
    *rows("enrolment", "$.data.groups", [["x"] * 10_000, [str(n) for n in range(10_000)], None]),
    *rows("enrolment", "$.data.coaches", [["staff:kim"] * 10_000]),
    *rows("enrolment", "$.data.starts_on", ["0001-01-01", "9999-12-31"]),
    *rows("enrolment", "$.data.ends_on", ["9999-12-31", "0001-01-01", on(-91)]),
    *rows("enrolment", "$.data.turns_18_on", ["0001-01-01", "9999-12-31"]),
    *rows("enrolment", "$.data.person.references", [[f"id:many {n}" for n in range(10_000)]]),
    *rows("enrolment", "$.data.person.given_name", ["", "x" * 10_000]),
    *rows("staff", "$.data.email", ["", "x", "coach@[", "x" * 10_000 + "@example.org", "a@b\r\nBcc: c@d"]),
    *rows("staff", "$.data.name", ["", " ", "x" * 10_000]),
    *rows("staff", "$.data.scope", [["x"] * 10_000]),
    *rows("staff", "$.data.roles", [["coach"] * 10_000, ["coach", "coach"], []]),
    *rows("climate", "$.data.answers", [10**6, 2**31, 2**53, 2**63 - 1]),
    *rows("climate", "$.data.period", ["0001-W01", "9999-W52"]),
]
