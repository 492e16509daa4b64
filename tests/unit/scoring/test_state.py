"""A student's state survives storage unchanged."""

from __future__ import annotations

from services.scoring.facts import Lesson, LessonFact, Mark, MarkFact, Place, PlaceFact
from services.scoring.store import decode_state, encode_state
from services.scoring.student import Student


def test_state_survives_encoding() -> None:
    student = Student()
    student.apply(
        [
            LessonFact(740000, "måndag|1", Lesson(3, "ab", "registered", 60, 10, 20, True)),
            MarkFact("MAT", "final", Mark(1, "cd", 740001, "F")),
            MarkFact("MAT", "final", Mark(2, "ce", 740002, None)),
            PlaceFact("björk", 739900, Place(1, "ef", "active", ("NA25a",))),
        ]
    )
    student.assess()
    assert decode_state(encode_state(student)) == student
