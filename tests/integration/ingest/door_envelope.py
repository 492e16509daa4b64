"""The table: what the contracts say of the envelope, of subjects and of revisions."""

from __future__ import annotations

from tests.integration.ingest.door_rows import (
    BLANK,
    FULLWIDTH,
    INVISIBLE,
    LONE_SURROGATE,
    LONG,
    MISSING,
    MOMENTS,
    NFD,
    NO_CODE,
    NO_INTEGER,
    NO_MOMENT,
    NO_TEXT,
    NOW,
    TOO_LARGE,
    Raw,
    Row,
    no_number_of,
    rows,
)

UUID = "6f2c9a4e-3b1d-4c57-9a0e-5d8f7b6c1e2a"
MILLISECONDS = int(NOW.timestamp() * 1000)
HOUR = 3_600_000

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
            f"ss12000:{UUID.upper()}",
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
