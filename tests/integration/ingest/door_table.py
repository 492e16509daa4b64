"""The table: what the contracts say of each field."""

from __future__ import annotations

from typing import Any

from tests.integration.ingest.door_rows import (
    BEFORE,
    BLANK,
    DAY,
    FULLWIDTH,
    HUGE,
    INFINITY,
    INVISIBLE,
    LEAP_YEAR,
    LONE_SURROGATE,
    LONG,
    MISSING,
    MOMENTS,
    NAN,
    NFD,
    NO_BOOL,
    NO_CODE,
    NO_DATE,
    NO_INTEGER,
    NO_MOMENT,
    NO_NAME,
    NO_TEXT,
    NOW,
    SOME_CODES_REFUSED,
    TOO_LARGE,
    Raw,
    Row,
    at,
    no_number_of,
    on,
    rows,
    week,
    within,
)

UUID = "6f2c9a4e-3b1d-4c57-9a0e-5d8f7b6c1e2a"
MILLISECONDS = int(NOW.timestamp() * 1000)
HOUR = 3_600_000
SEEDLING = "\N{SEEDLING}"
"""One character, four bytes of UTF-8."""

ENVELOPE: list[Row] = [
    *rows(
        "attendance", "$.specversion", ["1.0"], [MISSING, None, "", "1", "1.1", "0.3", 1, 1.0, "1.0 ", "\u0661.\u0660"]
    ),
    *rows("attendance", "$.id", ["x" * 255], [MISSING, None, "", "x" * 256, *NO_CODE]),
    *rows(
        "attendance",
        "$.source",
        ["/authorities/2480/systems/another"],
        [
            MISSING,
            None,
            "",
            "2480",
            "/authorities/2480",
            "/authorities/2480/systems/",
            "/authorities/1480/systems/test",
            "/authorities/24801/systems/test",
            "/authorities/2480/systems/a b",
            "/authorities/2480/systems/sk\u00e5",
            "/authorities/2480/systems/test\n",
            "//authorities/2480/systems/test",
            *no_number_of("/authorities/2480/systems/test"),
            *NO_TEXT,
        ],
    ),
    *rows(
        "attendance",
        "$.type",
        [],
        [
            MISSING,
            None,
            "",
            "attendance.recorded.v1",
            "kvar.attendance.recorded",
            "kvar.attendance.recorded.v2",
            "KVAR.ATTENDANCE.RECORDED.V1",
            "kvar.attendance.recorded.v1 ",
            "kvar.risk.scored.v1",
            "kvar.risk.level_changed.v1",
            *NO_TEXT,
        ],
    ),
    *rows("attendance", "$.time", MOMENTS, [MISSING, None, *NO_MOMENT]),
    *rows(
        "attendance",
        "$.authority",
        ["2480"],
        [MISSING, None, "", "1480", "2480 ", " 2480", "2480\n", 2480, 2480.0, *no_number_of("2480"), *NO_TEXT],
    ),
    *rows("attendance", "$.dataschema", [], NO_TEXT),
    *rows("attendance", "$.traceparent", ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"], NO_TEXT),
    *rows("attendance", "$.partitionkey", ["x", 5, 2**64 - 1, None, ["x"], {"a": 1}]),
    *rows("attendance", "$.data", [], [MISSING, None, "", "x", 5, True, [], [{}]]),
]

SUBJECTS: list[Row] = [
    *rows(
        "attendance",
        "$.subject",
        [
            "id:1",
            f"id:{NFD}",
            "civic:200801012384",
            "civic:20080161TF01",
            f"ss12000:{UUID}",
        ],
        [
            MISSING,
            None,
            "",
            "1",
            "id:",
            "id: ",
            "id: 1",
            "id:1 ",
            "ID:1",
            "civic:",
            "civic:20080101238",
            "civic:2008010123840",
            "civic:20080101-2384",
            *[f"civic:{digits}" for digits in no_number_of("200801012384")],
            "ss12000:",
            "ss12000:1",
            f"ss12000:{UUID[:-1]}",
            f"ss12000:{UUID}0",
            f"ss12000:{'-' * 36}",
            f"ss12000:{'0' * 36}",
            f"ss12000:{UUID.translate(FULLWIDTH)}",
            "p_" + "a" * 26,
            "group:NA25a",
            "unit:U1",
            "staff:kim",
            *NO_TEXT,
            *[f"id:{text}" for text in (*INVISIBLE, *BLANK)],
            LONE_SURROGATE,
            LONG,
        ],
    ),
    *rows("grade", "$.subject", [f"ss12000:{UUID}"], ["group:NA25a", "staff:kim", "p_" + "a" * 26, 5]),
    *rows("enrolment", "$.subject", [], ["unit:U1", "staff:kim", "p_" + "a" * 26, 5]),
    *rows(
        "staff",
        "$.subject",
        ["staff:1", f"staff:{NFD}"],
        ["kim", "id:1", "coach:1", "staff:", "staff: 1", "staff:1\n", 5],
    ),
    *rows(
        "climate",
        "$.subject",
        ["group:NA25a", "unit:U1", f"group:{NFD}"],
        ["NA25a", "id:1", "staff:1", "p_" + "a" * 26, "group:", "unit:", "group: 1", "group:1\x00", "Group:1", 5],
    ),
]

REVISIONS: list[Row] = [
    row
    for kind in ("attendance", "grade", "enrolment", "staff", "climate")
    for row in rows(
        kind,
        "$.data.revision",
        [0, Raw("-0"), 2**31, MILLISECONDS, MILLISECONDS + 23 * HOUR],
        [MISSING, None, -1, MILLISECONDS + 25 * HOUR, 1000 * MILLISECONDS, 2**53 - 1, *TOO_LARGE, *NO_INTEGER],
    )
]

ATTENDANCE: list[Row] = [
    *rows(
        "attendance",
        "$.data.lesson",
        ["x" * 128, SEEDLING * 128, NFD, "a b"],
        [MISSING, None, "", "x" * 129, SEEDLING * 129, "\u0958" * 128, *NO_CODE],
    ),
    *rows("attendance", "$.data.school_unit", [NFD], [MISSING, None, "", *NO_CODE]),
    *rows("attendance", "$.data.group", [MISSING, None, NFD], NO_CODE),
    *rows("attendance", "$.data.course", [MISSING, None, NFD], NO_CODE),
    *rows(
        "attendance",
        "$.data.starts_at",
        [*MOMENTS, at(-364), at(0.9)],
        [MISSING, None, at(-367), at(2.1), "2016-12-31T23:59:60Z", *NO_MOMENT],
    ),
    *rows(
        "attendance", "$.data.minutes", [1, 720], [MISSING, None, 0, Raw("-0"), -1, 721, 2**31, *TOO_LARGE, *NO_INTEGER]
    ),
    *rows(
        "attendance",
        "$.data.state",
        ["registered", "unregistered", "cancelled", "retracted"],
        [MISSING, None, "", "present", "recorded", "Registered", "registered ", *NO_TEXT],
    ),
    *rows("attendance", "$.data.excused_minutes", [0, Raw("-0"), 60], [-1, 61, 2**31, *TOO_LARGE, *NO_INTEGER]),
    *rows("attendance", "$.data.unexcused_minutes", [0, 60], [-1, 61, 2**31, *TOO_LARGE, *NO_INTEGER]),
    *rows("half excused", "$.data.unexcused_minutes", [0, 30], [31, 60]),
    *rows("unregistered", "$.data.excused_minutes", [0], [1]),
    *rows("cancelled", "$.data.excused_minutes", [0], [1]),
    *rows("cancelled", "$.data.unexcused_minutes", [0], [1]),
    *rows("retracted", "$.data.unexcused_minutes", [0], [1]),
    *rows("attendance", "$.data.late", [True, False], NO_BOOL),
    *rows("attendance", "$.data.reason", ["migraine", 5, None]),
    *rows("attendance", "$.data.unheard_of", ["x", 2**64 - 1, 1e308, [[]], {"$x.y": {"a\x00": None}}]),
]

GRADES: list[Row] = [
    *rows("grade", "$.data.course", [NFD], [MISSING, None, "", *NO_CODE]),
    *rows("grade", "$.data.school_unit", [], [MISSING, None, *SOME_CODES_REFUSED]),
    *rows("grade", "$.data.subject", [MISSING, None, NFD], SOME_CODES_REFUSED),
    *rows("grade", "$.data.name", [MISSING, None, "Matematik 1a"], NO_NAME),
    *rows("grade", "$.data.curriculum", ["gy11", "gy25"], [MISSING, None, "", "GY25", "gy26", "GY2011", *NO_TEXT]),
    *rows("grade", "$.data.credits", [0, 400], [MISSING, None, -1, 401, 2**31, *TOO_LARGE, *NO_INTEGER]),
    *rows("grade", "$.data.required", [True], NO_BOOL),
    *rows("grade", "$.data.diploma_project", [True], NO_BOOL),
    *rows("grade", "$.data.kind", ["term"], [MISSING, None, "", "exam", "FINAL", *NO_TEXT]),
    *rows(
        "grade",
        "$.data.value",
        [*"ABCDEF-"],
        [MISSING, None, "", "G", "a", "\u2013", "\uff26", "F ", "open", "closed", *NO_TEXT],
    ),
    *rows("warning", "$.data.value", ["open", "closed"], [MISSING, None, "", "F", "-", "Open", 5]),
    *rows(
        "grade",
        "$.data.recorded_on",
        [on(0), on(1), on(-6 * 365), f"{LEAP_YEAR}-02-29"],
        [MISSING, None, on(-8 * 365), on(3), "0001-01-01", "9999-12-31", *NO_DATE],
    ),
    *rows("grade", "$.data.state", ["recorded", "retracted"], ["", "registered", "Recorded", *NO_TEXT]),
    *rows("grade", "$.data.replaces", [[], ["MAT00", NFD]], ["MAT00", 5, True, {}, {"0": "MAT00"}]),
    *within("grade", "$.data.replaces", "[0]", [[code] for code in SOME_CODES_REFUSED[:-1]]),
    *within("grade", "$.data.replaces", "[1]", [["MAT00", None], ["MAT00", []]]),
]

ENROLMENTS: list[Row] = [
    *rows("enrolment", "$.data.school_unit", [NFD], [MISSING, None, *SOME_CODES_REFUSED]),
    *rows("enrolment", "$.data.starts_on", [on(-4 * 365)], [MISSING, None, *NO_DATE]),
    *rows("enrolment", "$.data.ends_on", [MISSING, None, on(100)], NO_DATE),
    *rows("enrolment", "$.data.turns_18_on", [MISSING, None, f"{LEAP_YEAR}-02-29"], NO_DATE),
    *rows("enrolment", "$.data.programme", [MISSING, None, NFD], SOME_CODES_REFUSED),
    *rows(
        "enrolment",
        "$.data.programme_type",
        [MISSING, None, "preparatory", "vocational", "introductory"],
        ["", "Preparatory", "sport", *NO_TEXT],
    ),
    *rows("enrolment", "$.data.study_year", [MISSING, None, 1, 4], [-1, 0, 5, 2**31, *TOO_LARGE, *NO_INTEGER]),
    *rows("enrolment", "$.data.curriculum", [MISSING, None, "gy11"], ["", "gy26", *NO_TEXT]),
    *rows("enrolment", "$.data.groups", [[], ["NA25a", NFD]], ["NA25a", 5, True, {}]),
    *within("enrolment", "$.data.groups", "[1]", [["NA25a", code] for code in (*SOME_CODES_REFUSED[:-1], None, [])]),
    *rows("enrolment", "$.data.main", [True, False], NO_BOOL),
    *rows(
        "enrolment",
        "$.data.coach",
        [MISSING, None, f"staff:{NFD}"],
        ["kim", "id:1", "staff:", "staff: 1", "staff:1\n", 5, True, [], {}],
    ),
    *rows("enrolment", "$.data.coaches", [[], ["staff:kim", "staff:2"]], ["staff:kim", 5, {}]),
    *within(
        "enrolment",
        "$.data.coaches",
        "[1]",
        [
            ["staff:kim", "2"],
            ["staff:kim", "staff:"],
            ["staff:kim", "staff:2\x00"],
            ["staff:kim", 5],
            ["staff:kim", None],
            ["staff:kim", {}],
        ],
    ),
    *within("enrolment", "$.data.coach", ".space", [{"space": "another", "id": "staff:1"}]),
    *within(
        "enrolment",
        "$.data.coach",
        ".id",
        [{"space": "test"}, {"space": "test", "id": 5}, {"space": "test", "id": "id:1"}],
    ),
    *rows("enrolment", "$.data.status", ["active", "paused", "ended"], [MISSING, None, "", "Active", "left", *NO_TEXT]),
    *rows(
        "enrolment",
        "$.data.end_reason",
        [MISSING, None, "diploma", "moved", "exchange", "left", "deceased", "other"],
        ["", "ill", "Moved", *NO_TEXT],
    ),
    *rows("enrolment", "$.data.protected", [True, False], NO_BOOL),
    *rows("enrolment", "$.data.state", ["recorded", "retracted"], ["", "active", *NO_TEXT]),
    *rows("enrolment", "$.data.person", [MISSING, None], ["Alva", 5, True, []]),
    *rows("enrolment", "$.data.person.references", [[], [f"ss12000:{UUID[:-4]}aaaa"]], ["id:7", 5, {}]),
    *within(
        "enrolment",
        "$.data.person.references",
        "[0]",
        [
            ["7"],
            ["staff:7"],
            ["p_" + "a" * 26],
            ["id:"],
            ["id:7\n"],
            [5],
            [None],
            [[]],
            *[[f"civic:{each}"] for each in no_number_of("200801012384")],
        ],
    ),
    *rows(
        "enrolment",
        "$.data.person.national_id",
        [MISSING, None, "200705052386", "20070565TF01"],
        [
            "20070505238",
            "2007050523860",
            "20070505-2386",
            "200705052386\n",
            200705052386,
            *no_number_of("200705052386"),
            *NO_TEXT,
        ],
    ),
    *rows("enrolment", "$.data.person.given_name", [MISSING, None, NFD], NO_NAME),
    *rows("enrolment", "$.data.person.family_name", [MISSING, None, NFD], NO_NAME),
]

STAFF: list[Row] = [
    *rows("staff", "$.data.name", [NFD, "Kim Ek"], NO_NAME),
    *rows("staff", "$.data.email", ["kim@example.org"], NO_TEXT),
    *rows(
        "staff",
        "$.data.roles",
        [["coach"], ["coordinator", "principal"], ["analyst"], ["operator"]],
        ["coach", 5, True, {}],
    ),
    *within("staff", "$.data.roles", "[0]", [["Coach"], ["teacher"], [""], [5], [None], [[]], [{}]]),
    *rows("staff", "$.data.scope", [[], ["U1", NFD]], ["U1", 5, True, {}]),
    *within("staff", "$.data.scope", "[0]", [[code] for code in SOME_CODES_REFUSED[:-1]]),
    *rows("staff", "$.data.active", [True, False], NO_BOOL),
]

MEANS = [1, 1.0, 5, 5.0, 3.25]
NO_MEAN: list[Any] = [
    MISSING,
    None,
    0,
    -1,
    0.9,
    0.9999999999999,
    5.0000000000001,
    5.1,
    6,
    "3",
    "",
    True,
    [],
    [3],
    {},
    NAN,
    INFINITY,
    HUGE,
    LONG,
]

CLIMATE: list[Row] = [
    *rows(
        "climate",
        "$.data.period",
        [week(NOW), week(BEFORE)],
        [
            MISSING,
            None,
            "",
            "2025-W53",
            f"{NOW.year}-W00",
            f"{NOW.year}-W54",
            f"{NOW.year}-W7",
            f"{NOW.year}-47",
            f"{week(NOW)}-1",
            f"{week(NOW)} ",
            f"{week(NOW)}\n",
            week(NOW).lower(),
            DAY,
            "0000-W01",
            *no_number_of(week(NOW)),
            *NO_TEXT,
        ],
    ),
    *rows("climate", "$.data.answers", [5, 9], [MISSING, None, -1, 0, 4, 2**63, 2**64, LONG, *NO_INTEGER]),
    *rows("climate", "$.data.safety", MEANS, NO_MEAN),
    *rows("climate", "$.data.inclusion", MEANS, NO_MEAN),
    *rows("climate", "$.data.relations", MEANS, NO_MEAN),
    *rows("climate", "$.data.school_unit", [MISSING, None, NFD], SOME_CODES_REFUSED),
    *rows("climate", "$.data.state", ["recorded", "retracted"], ["", "registered", *NO_TEXT]),
]

TABLE: list[Row] = [*ENVELOPE, *SUBJECTS, *REVISIONS, *ATTENDANCE, *GRADES, *ENROLMENTS, *STAFF, *CLIMATE]


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
    *rows("attendance", "$.data.minutes", [Raw('60, "minutes": 30'), Raw('60, "minutes": "30"'), Raw("6E1")]),
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
"""The contracts decide neither way: accepted or refused, but answered, with no harm to what is sent beside it."""
