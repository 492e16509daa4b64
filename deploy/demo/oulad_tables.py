"""Reads the CSV files of OULAD's module AAA into plain tables, with the allowed columns only.

Sex, region, education, deprivation, age and disability are columns of `studentInfo.csv` that are dropped while reading:
no object here ever holds them.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULE = "AAA"
GROUP_SIZE = 30
NOT_GIVEN = {"", "?"}

# The only columns that are taken from each file; everything else is dropped while reading.
COLUMNS = {
    "courses.csv": ("code_presentation", "module_presentation_length"),
    "assessments.csv": ("code_presentation", "id_assessment", "assessment_type", "date", "weight"),
    "studentRegistration.csv": ("code_presentation", "id_student", "date_registration", "date_unregistration"),
    "studentDay.csv": ("code_presentation", "id_student", "date"),
    "studentAssessment.csv": ("id_assessment", "id_student", "date_submitted", "is_banked", "score"),
    "studentInfo.csv": ("code_presentation", "id_student", "final_result"),
}


class NotOulad(ValueError):
    """The folder does not hold the data set as described; the message says which file or column is missing."""


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work of a presentation: due on `day`, `weight` per cent of the module."""

    id: str
    day: int
    weight: int

    @property
    def course(self) -> str:
        """As a course code."""
        return f"{MODULE}-{self.id}"


@dataclass
class Enrolled:
    """One student in one presentation; days count from its start."""

    student: str
    presentation: str
    group: str
    first: int
    left: int | None
    active_days: set[int] = field(default_factory=set)
    handed_in: dict[str, tuple[int, float | None]] = field(default_factory=dict)
    """Work → day and score; no score for banked work."""

    @property
    def reference(self) -> str:
        """The student as the publisher names it."""
        return f"id:oulad-{self.student}"

    def is_there(self, day: int) -> bool:
        """Whether the student is enrolled on this day."""
        return self.first <= day and (self.left is None or day < self.left)


@dataclass(frozen=True, slots=True)
class Tables:
    """What is known of the module: days count from the start of a presentation, keys are presentations."""

    lengths: dict[str, int]
    works: dict[str, list[Work]]
    enrolled: list[Enrolled]
    outcomes: dict[tuple[str, str], str]
    """(presentation, student) → final result: the truth, for evaluation afterwards."""


def read_tables(folder: Path, *, limit: int | None = None) -> Tables:
    """Reads all files, with at most `limit` enrolments, evenly spread over the file's order.

    Raises:
        NotOulad: when a file or column is missing.
        ValueError: when `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"expected at least 1 student, found {limit}")
    lengths = {row["code_presentation"]: int(row["module_presentation_length"]) for row in _rows(folder, "courses.csv")}
    works = _works(folder)
    enrolled = _enrolled(folder, limit)
    by_key = {(one.presentation, one.student): one for one in enrolled}
    for row in _rows(folder, "studentDay.csv"):
        if found := by_key.get((row["code_presentation"], row["id_student"])):
            found.active_days.add(int(row["date"]))
    _add_handed_in(folder, works, by_key)
    outcomes = {
        (row["code_presentation"], row["id_student"]): row["final_result"] for row in _rows(folder, "studentInfo.csv")
    }
    return Tables(lengths, works, enrolled, outcomes)


def _rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of one file, with the allowed columns only."""
    try:
        file = (folder / name).open(encoding="utf-8", newline="")
    except FileNotFoundError as error:
        raise NotOulad(f"{folder} has no {name}: expected the CSV files of OULAD's module {MODULE}") from error
    with file:
        reader = csv.reader(file)
        header = next(reader, [])
        if missing := [column for column in COLUMNS[name] if column not in header]:
            raise NotOulad(f"{folder / name} has no column {', '.join(missing)}")
        places = [(column, header.index(column)) for column in COLUMNS[name]]
        for cells in reader:
            yield {column: cells[place] for column, place in places}


def _works(folder: Path) -> dict[str, list[Work]]:
    works: dict[str, list[Work]] = defaultdict(list)
    for row in _rows(folder, "assessments.csv"):
        if row["date"] not in NOT_GIVEN:
            works[row["code_presentation"]].append(
                Work(row["id_assessment"], int(row["date"]), int(float(row["weight"])))
            )
    return dict(works)


def _enrolled(folder: Path, limit: int | None) -> list[Enrolled]:
    rows = list(_rows(folder, "studentRegistration.csv"))
    if limit is not None and limit < len(rows):
        rows = [rows[number * len(rows) // limit] for number in range(limit)]
    places: dict[str, int] = defaultdict(int)
    enrolled = []
    for row in rows:
        presentation = row["code_presentation"]
        group = f"{MODULE}-{presentation}-{places[presentation] // GROUP_SIZE + 1:02d}"
        places[presentation] += 1
        registered, unregistered = row["date_registration"], row["date_unregistration"]
        first = 0 if registered in NOT_GIVEN else max(0, int(registered))
        left = None if unregistered in NOT_GIVEN else max(first, int(unregistered))
        enrolled.append(Enrolled(row["id_student"], presentation, group, first, left))
    return enrolled


def _add_handed_in(folder: Path, works: dict[str, list[Work]], by_key: dict[tuple[str, str], Enrolled]) -> None:
    presentation_of = {work.id: presentation for presentation, some in works.items() for work in some}
    for row in _rows(folder, "studentAssessment.csv"):
        presentation = presentation_of.get(row["id_assessment"], "")
        if found := by_key.get((presentation, row["id_student"])):
            score = None if row["is_banked"] == "1" or row["score"] in NOT_GIVEN else float(row["score"])
            found.handed_in[row["id_assessment"]] = (int(row["date_submitted"]), score)
