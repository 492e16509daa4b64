"""A student's state survives storage unchanged."""

from __future__ import annotations

from datetime import date

import orjson
import pytest

from services.scoring.documents import decode_record, encode_record
from services.scoring.facts import Lesson, LessonFact, Mark, MarkFact, PlaceFact
from services.scoring.indicators import Model
from services.scoring.records import STATE_FORMAT, Basis, Noted, StudentRecord
from services.scoring.student import Raised, Student, Where
from shared.errors import Retry
from shared.events import Reason
from shared.events.places import NO_END, Place


def known_record() -> StudentRecord:
    student = Student(raised=[Raised(1, 740000, 2), Raised(2, 740001, 1, is_right=True)])
    student.apply(
        [
            LessonFact(740000, "måndag|1", Lesson(3, "ab", "registered", 60, 10, 20, True, "björk", 360)),
            LessonFact(740001, "tisdag|1", Lesson(3, "ab", "registered", 60, 0, 0, False, "ek", 360)),
            MarkFact("MAT", "final", 740001, Mark(1, "cd", "F", 100, True)),
            MarkFact("MAT", "final", 740002, Mark(2, "ce", None, 100, True)),
            MarkFact("ENG", "final", 740002, Mark(2, "ce", "E", 100, True, "ENGE", ("ENGENG05",))),
            PlaceFact(Place("björk", 739900, NO_END, True, False, True, ("NA25a",), (), 1, "ef")),
        ]
    )
    student.assess(Model())
    signal = Reason(
        indicator="group_absence",
        points=0,
        numbers={"students": 20, "recent_percent": 14.2},
        first_day=date(2026, 9, 1),
        last_day=date(2026, 9, 30),
        group="NA25a",
    )
    return StudentRecord(
        "p_1",
        "2480",
        rev=4,
        basis=Basis(739000, STATE_FORMAT, 7),
        alerts=2,
        points={"total_absence": 10},
        where=Where("björk", ("NA25a",)),
        noted=Noted((signal,), 740003),
        state=student,
    )


def test_state_survives_encoding() -> None:
    record = known_record()
    assert decode_record("p_1", 4, encode_record(record), []) == record


def with_format(number: int) -> str:
    fields = orjson.loads(encode_record(known_record()))
    fields["basis"][1] = number
    fields["days"] = "in some other form"
    return orjson.dumps(fields).decode()


def test_of_an_older_format_all_but_what_facts_can_make_anew_is_kept() -> None:
    record = decode_record("p_1", 4, with_format(STATE_FORMAT - 1), [])
    assert (record.alerts, record.points, record.noted) == (2, {"total_absence": 10}, known_record().noted)
    assert record.state == Student(raised=known_record().state.raised)


def test_a_newer_format_is_left_to_a_newer_kvar() -> None:
    with pytest.raises(Retry, match="newer version"):
        decode_record("p_1", 4, with_format(STATE_FORMAT + 1), [])


def test_a_newer_register_ends_staleness() -> None:
    record = known_record()
    assert record.stale_since == date.fromordinal(740003)
    record.state.apply([LessonFact(740003, "1", Lesson(1, "a", "registered", 60, 60, 0, False, "björk", 360))])
    assert record.stale_since is None
