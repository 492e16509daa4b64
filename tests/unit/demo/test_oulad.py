"""The reader of OULAD: on a small made-up folder, and on the real files where they lie beside the project."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.events import Event
from deploy.demo.oulad import Oulad, band, read_oulad
from deploy.demo.oulad_tables import COLUMNS, NotOulad
from shared.events import read_door_event

REAL = Path(__file__).parents[4] / "shared" / "data" / "oulad_aaa"
UNTIL = date(2026, 6, 1)
SUNDAY = date(2026, 5, 10)
FORBIDDEN = ("gender", "region", "highest_education", "imd_band", "age_band", "disability")

needs_the_data = pytest.mark.skipif(not REAL.is_dir(), reason="the OULAD files are not in ../shared/data/oulad_aaa")

FILES = {
    "courses.csv": "code_module,code_presentation,module_presentation_length\nAAA,2013J,21\nAAA,2014J,22\n",
    "assessments.csv": "code_module,code_presentation,id_assessment,assessment_type,date,weight\n"
    "AAA,2013J,w1,TMA,4,10\nAAA,2013J,w2,TMA,11,20.0\nAAA,2013J,exam,Exam,,100\n",
    "studentRegistration.csv": "code_module,code_presentation,id_student,date_registration,date_unregistration\n"
    "AAA,2013J,s1,-20,\nAAA,2013J,s2,?,9\nAAA,2013J,s3,-30,-5\nAAA,2014J,s1,6,\n",
    "studentDay.csv": "code_module,code_presentation,id_student,date,clicks,pages\n"
    "AAA,2013J,s1,-1,9,9\nAAA,2013J,s1,1,9,9\nAAA,2013J,s1,6,9,9\nAAA,2013J,s2,3,9,9\n",
    "studentAssessment.csv": "id_assessment,id_student,date_submitted,is_banked,score\n"
    "w1,s1,3,0,39\nw2,s1,15,0,71\nw1,s2,-1,1,80\nw2,s1x,1,0,50\n",
    "studentInfo.csv": "code_module,code_presentation,id_student,gender,region,highest_education,imd_band,age_band,"
    "num_of_prev_attempts,studied_credits,disability,final_result\n"
    "AAA,2013J,s1,GENDER,REGION,EDUCATION,IMD,AGE,0,60,DISABILITY,Pass\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def events_of(data: Oulad) -> list[Event]:
    return [event for day in data.days for event in day.events]


def of_type(events: list[Event], name: str, subject: str, unit: str = "AAA 2013J (OULAD)") -> list[dict[str, Any]]:
    return [
        event["data"]
        for event in events
        if event["type"] == f"kvar.{name}.v1" and event["subject"] == subject and event["data"]["school_unit"] == unit
    ]


def test_day_0_is_the_latest_sunday_from_which_both_presentations_end_in_time(folder: Path) -> None:
    data = read_oulad(folder, until=UNTIL)
    assert data.first_day == SUNDAY
    assert data.date_of(data.length - 1) <= UNTIL < data.date_of(data.length - 1) + timedelta(days=7)


def test_a_weekday_without_a_row_is_absence_and_weekends_are_free(folder: Path) -> None:
    attendance = of_type(events_of(read_oulad(folder, until=UNTIL)), "attendance.recorded", "id:oulad-s1")
    assert len(attendance) == 15
    present = [data["starts_at"][:10] for data in attendance if not data["excused_minutes"]]
    assert present == ["2026-05-11"], "day 6 is a Saturday, day -1 before the course"
    assert {data["excused_minutes"] for data in attendance} == {0, 60}
    assert not any(data["unexcused_minutes"] for data in attendance)


def test_who_unregisters_leaves_on_that_day(folder: Path) -> None:
    events = events_of(read_oulad(folder, until=UNTIL))
    started, ended = of_type(events, "enrolment.changed", "id:oulad-s2")
    assert (started["status"], started["starts_on"]) == ("active", "2026-05-10")
    assert (ended["status"], ended["ends_on"], ended["end_reason"]) == ("ended", "2026-05-19", "left")
    lessons = of_type(events, "attendance.recorded", "id:oulad-s2")
    assert max(data["starts_at"][:10] for data in lessons) == "2026-05-18"


def test_who_unregistered_before_the_start_never_has_a_lesson(folder: Path) -> None:
    events = events_of(read_oulad(folder, until=UNTIL))
    assert [data["status"] for data in of_type(events, "enrolment.changed", "id:oulad-s3")] == ["active", "ended"]
    assert of_type(events, "attendance.recorded", "id:oulad-s3") == []


def test_who_registers_late_begins_late(folder: Path) -> None:
    events = events_of(read_oulad(folder, until=UNTIL))
    [enrolment] = of_type(events, "enrolment.changed", "id:oulad-s1", "AAA 2014J (OULAD)")
    assert enrolment["starts_on"] == "2026-05-16"
    assert len(of_type(events, "attendance.recorded", "id:oulad-s1", "AAA 2014J (OULAD)")) == 10


def test_marks_and_warnings_of_work(folder: Path) -> None:
    grades = of_type(events_of(read_oulad(folder, until=UNTIL)), "grade.recorded", "id:oulad-s1")
    told = [(data["course"], data["kind"], data["value"], data["recorded_on"], data["credits"]) for data in grades]
    assert told == [
        ("AAA-w1", "term", "F", "2026-05-13", 10),
        ("AAA-w2", "warning", "open", "2026-05-22", 20),
        ("AAA-w2", "warning", "closed", "2026-05-25", 20),
        ("AAA-w2", "term", "C", "2026-05-25", 20),
    ]


def test_banked_work_is_neither_marked_nor_missing(folder: Path) -> None:
    assert of_type(events_of(read_oulad(folder, until=UNTIL)), "grade.recorded", "id:oulad-s2") == []


@pytest.mark.parametrize(
    ("score", "mark"),
    [(0, "F"), (39, "F"), (39.9, "F"), (40, "E"), (54, "E"), (55, "D"), (70, "C"), (80, "B"), (90, "A"), (100, "A")],
)
def test_bands(score: float, mark: str) -> None:
    assert band(score) == mark


def test_forbidden_columns_are_not_among_those_read() -> None:
    assert {column for columns in COLUMNS.values() for column in columns}.isdisjoint(FORBIDDEN)


def test_no_forbidden_attribute_gets_further_than_the_file(folder: Path) -> None:
    data = read_oulad(folder, until=UNTIL)
    held = repr(data) + json.dumps(events_of(data)) + repr(data.truth)
    for value in ("GENDER", "REGION", "EDUCATION", "IMD", "AGE", "DISABILITY"):
        assert value not in held


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "studentDay.csv").unlink()
    with pytest.raises(NotOulad, match=r"studentDay\.csv"):
        read_oulad(folder, until=UNTIL)


def test_a_missing_column_is_named(folder: Path) -> None:
    (folder / "courses.csv").write_text("code_module\nAAA\n", encoding="utf-8")
    with pytest.raises(NotOulad, match="no column code_presentation, module_presentation_length"):
        read_oulad(folder, until=UNTIL)


@pytest.mark.parametrize(("limit", "enrolled"), [(1, 1), (3, 3), (4, 4), (99, 4), (None, 4)])
def test_the_number_of_students_can_be_limited(folder: Path, limit: int | None, enrolled: int) -> None:
    assert len(read_oulad(folder, until=UNTIL, limit=limit).tables.enrolled) == enrolled


def test_no_students_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        read_oulad(folder, until=UNTIL, limit=0)


@cache
def real() -> Oulad:
    return read_oulad(REAL, until=UNTIL)


@cache
def real_events() -> list[Event]:
    return events_of(real())


def rows(name: str) -> list[dict[str, str]]:
    with (REAL / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@needs_the_data
def test_real_events_obey_their_contracts_and_are_counted() -> None:
    sample = read_oulad(REAL, until=UNTIL, limit=40)
    for event in events_of(sample):
        read_door_event(event)
    assert sample.total_events == len(events_of(sample))


@needs_the_data
def test_real_enrolments_and_their_ends() -> None:
    registrations = rows("studentRegistration.csv")
    statuses = Counter(e["data"]["status"] for e in real_events() if e["type"] == "kvar.enrolment.changed.v1")
    assert statuses["active"] == len(registrations) == 748
    assert statuses["ended"] == sum(bool(row["date_unregistration"]) for row in registrations) == 126


@needs_the_data
def test_real_presence_is_every_weekday_with_a_row_while_enrolled() -> None:
    lengths = {row["code_presentation"]: int(row["module_presentation_length"]) for row in rows("courses.csv")}
    enrolled = {
        (row["code_presentation"], row["id_student"]): (
            max(0, int(row["date_registration"])),
            int(row["date_unregistration"] or 10_000),
        )
        for row in rows("studentRegistration.csv")
    }
    expected = 0
    for row in rows("studentDay.csv"):
        day = int(row["date"])
        first, left = enrolled[row["code_presentation"], row["id_student"]]
        # Day 0 is a Sunday.
        expected += first <= day < min(left, lengths[row["code_presentation"]]) and day % 7 not in {0, 6}
    present = sum(
        e["type"] == "kvar.attendance.recorded.v1" and not e["data"]["excused_minutes"] for e in real_events()
    )
    assert present == expected > 40_000


@needs_the_data
def test_real_marks_below_40_fail() -> None:
    terms = {row["id_assessment"] for row in rows("assessments.csv") if row["date"]}
    scores = [
        float(row["score"])
        for row in rows("studentAssessment.csv")
        if row["is_banked"] == "0" and row["score"] != "?" and row["id_assessment"] in terms
    ]
    marks = Counter(e["data"]["value"] for e in real_events() if e["data"].get("kind") == "term")
    assert marks["F"] <= sum(score < 40 for score in scores)
    # Work that was handed in after leaving has no student to belong to any more.
    assert len(scores) - 10 <= marks.total() <= len(scores)


@needs_the_data
def test_real_dates_pass_the_door() -> None:
    for event in real_events():
        day = datetime.fromisoformat(event["data"].get("starts_at", event["time"])).date()
        assert UNTIL - timedelta(days=355) < day <= UNTIL


@needs_the_data
def test_no_forbidden_value_is_in_any_real_event() -> None:
    text = json.dumps(real_events())
    # Values like M, N or 10-20 are in any text with names and dates: for those the columns that are read stand surety.
    values = {row[column] for row in rows("studentInfo.csv") for column in FORBIDDEN}
    telling = {value for value in values if len(value) > 2 and value != "10-20"}
    assert len(telling) > 20
    assert [value for value in telling if value in text] == []
    assert not any(name in text for name in (*FORBIDDEN, "final_result", "Withdrawn", "Distinction"))
