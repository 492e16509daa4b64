"""What is answered of a student: reasons with points apart from what is true of the whole group, staleness."""

from __future__ import annotations

from typing import Any

from services.reporting.models import Student, student_answer
from tests.unit.reporting.builders import FRIDAY, MONDAY, absence, enrolment, group_absence, risk, view_of


def answer(*events: Any) -> Student:
    return student_answer(view_of(*events), MONDAY.toordinal())


def test_reasons_without_points_stand_apart() -> None:
    found = answer(risk("s", reasons=[group_absence(), absence()]))
    assert [reason.indicator for reason in found.reasons] == ["total_absence"]
    [whole] = found.group_reasons
    assert (whole.indicator, whole.group, whole.numbers["recent_percent"]) == ("group_absence", "NA24B", 14.2)
    assert (answer(enrolment("s")).reasons, answer(enrolment("s")).group_reasons) == ([], [])


def test_a_protected_students_group_is_not_named_among_the_reasons() -> None:
    found = answer(risk("s", reasons=[group_absence()]), enrolment("s", protected=True))
    assert [reason.group for reason in found.group_reasons] == [None]
    assert "NA24B" not in found.model_dump_json()


def test_a_student_of_whom_nothing_is_registered_is_stale() -> None:
    found = answer(risk("s", stale_since=FRIDAY, stale_school_days=12))
    assert (found.stale, found.stale_since, found.stale_school_days) == (True, FRIDAY, 12)
    for events in ([risk("s")], [enrolment("s")]):
        fresh = answer(*events)
        assert (fresh.stale, fresh.stale_since, fresh.stale_school_days) == (False, None, None)
