"""A student's state survives storage unchanged."""

from __future__ import annotations

from services.scoring.facts import Lesson, LessonFact, Mark, MarkFact, Place, PlaceFact
from services.scoring.store import StudentRecord, decode_record, encode_record
from services.scoring.student import Student


def test_state_survives_encoding() -> None:
    student = Student()
    student.apply(
        [
            LessonFact(740000, "måndag|1", Lesson(3, "ab", "registered", 60, 10, 20, True)),
            MarkFact("MAT", "final", Mark(1, "cd", 740001, "F", 100, True)),
            MarkFact("MAT", "final", Mark(2, "ce", 740002, None, 100, True)),
            PlaceFact("björk", 739900, Place(1, "ef", "active", ("NA25a",))),
        ]
    )
    student.assess()
    record = StudentRecord("p_1", "2480", rev=4, alerts=2, points={"total_absence": 10}, state=student)
    assert decode_record("p_1", 4, encode_record(record), []) == record
