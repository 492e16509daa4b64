"""Points of each indicator at and just below every threshold, and what every reason must say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from services.scoring.courses import Courses, timeline
from services.scoring.days import Day
from services.scoring.facts import Mark
from services.scoring.indicators import Found, History, Model, score_of
from services.scoring.level import Standing, step
from services.scoring.rules import DiplomaCritical, Rules, RuleVersion
from shared.events import Level

MODEL = Model()
FIRST = 740_000


def history(absent: Sequence[int], *, courses: Courses | None = None, minutes: int = 300, late: int = 1) -> History:
    """Days of so many minutes with so many unexcused ones, each with `late` late arrivals. -1: a day without register; -2,
    -3: one with a register of 60 minutes of 360, absent or present.
    """
    partly = {-1: (0, 0, 0, 300), -2: (60, 60, 0, 300), -3: (60, 0, 0, 300)}
    totals = [(minutes, missed, late, 0) if missed >= 0 else partly[missed] for missed in absent]
    days = [
        Day(FIRST + n, scheduled, 0, unexcused, late_arrivals, unregistered)
        for n, (scheduled, unexcused, late_arrivals, unregistered) in enumerate(totals)
    ]
    return History(days, [(FIRST, courses)] if courses else [])


def found(known: History, model: Model = MODEL) -> dict[str, Found]:
    """What brings points on the newest day, by indicator."""
    return {each.indicator.name: each for each in model.found(known, len(known.days), known.days[-1])}


def points(known: History, model: Model = MODEL) -> dict[str, int]:
    return {name: each.points for name, each in found(known, model).items()}


ABSENCE = [
    pytest.param(499, 0, id="just below 5 %"),
    pytest.param(500, 4, id="5 %"),
    pytest.param(999, 4, id="just below 10 %"),
    pytest.param(1000, 10, id="10 %"),
    pytest.param(1499, 10, id="just below 15 %"),
    pytest.param(1500, 15, id="15 %"),
    pytest.param(2000, 20, id="20 %"),
]


@pytest.mark.parametrize(("absent", "expected"), ABSENCE)
def test_total_absence(absent: int, expected: int) -> None:
    known = history([*[absent // 10] * 9, absent - 9 * (absent // 10), *[0] * 10], minutes=500)
    assert points(known).get("total_absence", 0) == expected


@pytest.mark.parametrize(("minutes", "expected"), [(119, 0), (120, 4), (239, 4), (240, 10), (479, 10), (480, 16)])
def test_unexcused_absence(minutes: int, expected: int) -> None:
    assert points(history([minutes], minutes=500)).get("unexcused_absence", 0) == expected


def test_unexcused_absence_looks_back_30_calendar_days() -> None:
    assert "unexcused_absence" in points(history([120, *[0] * 29]))
    assert "unexcused_absence" not in points(history([120, *[0] * 30]))


@pytest.mark.parametrize(("late", "expected"), [(3, 0), (4, 3), (7, 3), (8, 6)])
def test_late_arrivals(late: int, expected: int) -> None:
    assert points(history([0], late=late)).get("late_arrivals", 0) == expected


COURSES = [
    pytest.param(0, 1, 0, id="one warning is half a course"),
    pytest.param(0, 2, 6, id="two warnings are one"),
    pytest.param(1, 0, 6, id="1"),
    pytest.param(2, 1, 14, id="2 and a half"),
    pytest.param(3, 0, 18, id="3"),
    pytest.param(7, 0, 24, id="many"),
]


@pytest.mark.parametrize(("failed", "warned", "expected"), COURSES)
def test_failed_courses(failed: int, warned: int, expected: int) -> None:
    assert points(history([0], courses=Courses(failed, warned))).get("failed_courses", 0) == expected


@pytest.mark.parametrize(("lost", "expected"), [(99, 0), (100, 10), (200, 18), (250, 18), (251, 24)])
def test_250_credits_are_still_within_the_margin(lost: int, expected: int) -> None:
    assert points(history([0], courses=Courses(1, 0, lost))).get("credit_margin", 0) == expected


def test_of_failed_courses_and_credits_the_larger_counts() -> None:
    assert points(history([0], courses=Courses(1, 0, 100, 1))) == {"credit_margin": 10, "diploma_critical": 8}
    assert points(history([0], courses=Courses(1, 0, 50, 1))) == {"failed_courses": 6, "diploma_critical": 8}
    assert found(history([0], courses=Courses(2, 0, 200)))["credit_margin"].numbers == {"failed_credits": 200}


def test_total_absence_needs_ten_days_with_a_register() -> None:
    assert "total_absence" not in points(history([300] * 9))
    assert "total_absence" not in points(history([300] * 9 + [-1] * 3))
    assert "total_absence" in points(history([300] * 10))


def test_numbers_are_those_counted_and_the_first_day_is_that_of_the_window() -> None:
    known = found(history([0] * 20 + [300] * 10, courses=Courses(4, 1, 0, 1), late=0))
    assert {name: dict(each.numbers) for name, each in known.items()} == {
        "total_absence": {"absent_minutes": 3000, "scheduled_minutes": 6000, "school_days": 20},
        "unexcused_absence": {"unexcused_minutes": 3000, "calendar_days": 30},
        "absence_streak": {"absent_school_days": 10},
        "absence_trend": {
            "recent_absent_minutes": 3000,
            "recent_scheduled_minutes": 3000,
            "earlier_absent_minutes": 0,
            "earlier_scheduled_minutes": 6000,
            "recent_school_days": 10,
            "earlier_school_days": 20,
        },
        "failed_courses": {"failed": 4, "open_warnings": 1},
        "diploma_critical": {"critical_courses": 1},
    }
    first_days = {name: each.first_day - FIRST for name, each in known.items()}
    assert first_days == {
        "total_absence": 10,
        "unexcused_absence": 0,
        "absence_streak": 20,
        "absence_trend": 0,
        "failed_courses": 29,
        "diploma_critical": 29,
    }


def test_the_score_is_the_capped_sum_with_most_points_first() -> None:
    known = history([0] * 20 + [300] * 10, courses=Courses(9, 0, 0, 1))
    every = MODEL.found(known, 30, FIRST + 29)
    assert [each.points for each in every] == [24, 20, 16, 12, 8, 8, 6]
    assert MODEL.score(known, 30, FIRST + 29) == score_of(every) == 94
    harsh = Model(RuleVersion(1, Rules(diploma_critical=DiplomaCritical(points=50))))
    assert harsh.score(known, 30, FIRST + 29) == 100


STREAKS = [
    pytest.param([0, 300, 300], 0, id="two days"),
    pytest.param([0, 300, 300, 300], 6, id="three days"),
    pytest.param([300, 300, 0, 300, 300, 300], 6, id="present in between"),
    pytest.param([300, 300, 300, 299], 0, id="there for a minute today"),
    pytest.param([300, -1, 300, -1, 300], 6, id="no register neither counts nor breaks"),
    pytest.param([300] * 5, 12, id="five days"),
    pytest.param([300, 300, -2, 300], 6, id="little known, all of it absence: neither counts nor breaks"),
    pytest.param([300, 300, -3, 300], 0, id="little known, presence among it"),
]


@pytest.mark.parametrize(("absent", "expected"), STREAKS)
def test_absence_streak(absent: Sequence[int], expected: int) -> None:
    assert points(history(absent)).get("absence_streak", 0) == expected


TRENDS = [
    pytest.param([0] * 20 + [30] * 10, 8, id="10 percentage points"),
    pytest.param([0] * 20 + [30] * 9 + [29], 0, id="just below"),
    pytest.param([60] * 20 + [60] * 10, 0, id="high but steady"),
    pytest.param([0] * 9 + [300] * 10, 0, id="too little before"),
    pytest.param([0] * 20 + [-1] * 6 + [300] * 4, 0, id="too few registers lately"),
]


@pytest.mark.parametrize(("absent", "expected"), TRENDS)
def test_absence_trend(absent: Sequence[int], expected: int) -> None:
    assert points(history(absent)).get("absence_trend", 0) == expected


def level(
    course: str, value: str | None, day: int, *, subject: str = "MAT", revision: int = 1
) -> dict[Any, dict[int, Mark]]:
    return {(course, "final"): {FIRST + day: Mark(revision, "", value, 100, True, subject)}}


def last(marks: dict[Any, dict[int, Mark]]) -> Courses:
    return timeline(marks)[-1][1]


def test_of_the_levels_of_a_subject_the_last_passed_grade_counts() -> None:
    failed = level("MAT-1", "F", 0)
    assert last(failed) == Courses(1, 0, 100, 1)
    assert last({**failed, **level("MAT-2", "E", 9)}) == Courses()
    assert last({**failed, **level("MAT-2", "-", 9)}) == Courses(2, 0, 200, 2)
    assert last({**failed, **level("ENG-2", "E", 9, subject="ENG")}) == Courses(1, 0, 100, 1)
    assert last({**level("MAT-1", "E", 0), **level("MAT-2", "F", 9)}) == Courses(1, 0, 100, 1)
    assert last({**level("MAT01a", "F", 0, subject=""), **level("MAT01b", "E", 9, subject="")}) == Courses(1, 0, 100, 1)


def test_a_pass_that_is_retracted_makes_up_for_nothing() -> None:
    known = {**level("MAT-1", "F", 0), **level("MAT-2", None, 9, revision=2)}
    assert timeline(known) == [(FIRST, Courses(1, 0, 100, 1))]


def replacing(course: str, value: str, day: int, *codes: str) -> dict[Any, dict[int, Mark]]:
    return {(course, "final"): {FIRST + day: Mark(1, "", value, 100, False, "SVEN", codes)}}


def test_a_passed_grade_makes_up_for_the_courses_that_it_replaces_from_its_own_date_on() -> None:
    failed = {**level("SVESVE01", "F", 0, subject=""), **level("HISHIS01", "F", 0, subject="")}
    known = {**failed, **replacing("SVEN1000X", "E", 9, "SVESVE01", "SVEN1000X")}
    assert timeline(known) == [(FIRST, Courses(2, 0, 200, 2)), (FIRST + 9, Courses(1, 0, 100, 1))]
    assert last({**failed, **replacing("SVEN1000X", "F", 9, "SVESVE01")}) == Courses(3, 0, 300, 2)


def test_a_grade_makes_up_for_nothing_more_when_it_is_failed_later() -> None:
    known = {**level("SVESVE01", "F", 0, subject=""), **replacing("SVEN1000X", "E", 9, "SVESVE01")}
    known["SVEN1000X", "final"] |= replacing("SVEN1000X", "F", 20, "SVESVE01")["SVEN1000X", "final"]
    assert timeline(known)[-1] == (FIRST + 20, Courses(2, 0, 200, 1))


def test_no_absence_window_reaches_back_over_the_first_of_july() -> None:
    july = date(2026, 7, 1).toordinal()
    days = [Day(july - 20 + n, 300, 0, 300, 1, 0) for n in range(20)] + [
        Day(july + n, 300, 0, 300, 1, 0) for n in range(2)
    ]
    before, after = (
        {each.indicator.name: dict(each.numbers) for each in MODEL.found(History(days[:n], []), n, days[n - 1].day)}
        for n in (20, 22)
    )
    assert set(before) == {"total_absence", "unexcused_absence", "absence_streak", "late_arrivals"}
    assert after == {"unexcused_absence": {"unexcused_minutes": 600, "calendar_days": 2}}
    later = Model(RuleVersion(1, Rules.model_validate({"school_year": {"begins": "08-01"}})))
    assert "total_absence" in points(History(days, []), later)


@pytest.mark.parametrize("begins", ["02-29", "13-01", "7-1", "04-31"])
def test_a_school_year_begins_on_a_day_of_every_year(begins: str) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate({"school_year": {"begins": begins}})


def test_an_authority_sets_thresholds_windows_and_points() -> None:
    own = Rules.model_validate(
        {
            "total_absence": {"steps": [[7.5, 9]], "window_school_days": 5, "min_school_days": 2},
            "unexcused_absence": {"steps": []},
            "failed_courses": {"warning_weight": 1},
        }
    )
    model = Model(RuleVersion(3, own))
    assert model.version == "points-3+3"
    known = history([300, 0, 0, 0, 0, 113], courses=Courses(0, 1), late=0)
    assert points(known, model) == {"total_absence": 9, "failed_courses": 6}
    assert found(known, model)["total_absence"].numbers["school_days"] == 5


LEVELS = [
    pytest.param([24] * 30, Level.UNIVERSAL, id="below the threshold"),
    pytest.param([15, 26], Level.UNIVERSAL, id="one day above"),
    pytest.param([15, 26, 25], Level.TARGETED, id="two days above"),
    pytest.param([15, 26, 10, 26], Level.UNIVERSAL, id="two days above, not consecutive"),
    pytest.param([10, 30], Level.TARGETED, id="jump of 20 at once"),
    pytest.param([10, 29], Level.UNIVERSAL, id="jump of 19"),
    pytest.param([30, 52], Level.INDIVIDUAL, id="jump over both"),
    pytest.param([60], Level.INDIVIDUAL, id="first day"),
    pytest.param([30, 30] + [17] * 9, Level.TARGETED, id="nine days well below"),
    pytest.param([30, 30] + [17] * 10, Level.UNIVERSAL, id="ten days well below"),
    pytest.param([30, 30] + [18] * 30, Level.TARGETED, id="not 8 below"),
    pytest.param([60, 60] + [30] * 10, Level.TARGETED, id="falls one level"),
    pytest.param([60, 60] + [0] * 10, Level.UNIVERSAL, id="falls two levels"),
]


@pytest.mark.parametrize(("scores", "level"), LEVELS)
def test_level(scores: Sequence[int], level: Level) -> None:
    standing = Standing()
    for score in scores:
        standing = step(standing, score, MODEL.stability)
    assert standing.level is level
