"""Points of each indicator at and just below every threshold, and what every reason must say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.scoring.facts import Day, Mark
from services.scoring.indicators import INDICATORS, History, Numbers, reasons_on, score_on
from services.scoring.level import Standing, step
from shared.events import Level

POINTS = [
    pytest.param("total_absence", {"absent_minutes": 499, "scheduled_minutes": 10_000}, 0, id="just below 5 %"),
    pytest.param("total_absence", {"absent_minutes": 500, "scheduled_minutes": 10_000}, 4, id="5 %"),
    pytest.param("total_absence", {"absent_minutes": 999, "scheduled_minutes": 10_000}, 4, id="just below 10 %"),
    pytest.param("total_absence", {"absent_minutes": 1000, "scheduled_minutes": 10_000}, 10, id="10 %"),
    pytest.param("total_absence", {"absent_minutes": 1500, "scheduled_minutes": 10_000}, 15, id="15 %"),
    pytest.param("total_absence", {"absent_minutes": 2000, "scheduled_minutes": 10_000}, 20, id="20 %"),
    pytest.param("unexcused_absence", {"unexcused_minutes": 119}, 0, id="just below 2 h"),
    pytest.param("unexcused_absence", {"unexcused_minutes": 120}, 4, id="2 h"),
    pytest.param("unexcused_absence", {"unexcused_minutes": 240}, 10, id="4 h"),
    pytest.param("unexcused_absence", {"unexcused_minutes": 480}, 16, id="8 h"),
    pytest.param("late_arrivals", {"late_arrivals": 3}, 0, id="3 times late"),
    pytest.param("late_arrivals", {"late_arrivals": 4}, 3, id="4 times late"),
    pytest.param("late_arrivals", {"late_arrivals": 7}, 3, id="7 times late"),
    pytest.param("late_arrivals", {"late_arrivals": 8}, 6, id="8 times late"),
    pytest.param("failed_courses", {"failed": 0, "open_warnings": 1}, 0, id="one warning is half a course"),
    pytest.param("failed_courses", {"failed": 0, "open_warnings": 2}, 6, id="two warnings are one"),
    pytest.param("failed_courses", {"failed": 2, "open_warnings": 1}, 14, id="2 and a half"),
    pytest.param("failed_courses", {"failed": 3, "open_warnings": 0}, 18, id="3"),
    pytest.param("failed_courses", {"failed": 7, "open_warnings": 0}, 24, id="many"),
]


@pytest.mark.parametrize(("name", "numbers", "points"), POINTS)
def test_points(name: str, numbers: Numbers, points: int) -> None:
    [indicator] = [one for one in INDICATORS if one.name == name]
    assert indicator.points(numbers) == points


def history(
    absent: Sequence[int], *, first: int = 740_000, marks: Sequence[str] = (), kind: str = "final", credit: int = 100
) -> History:
    """Days of 300 minutes; -1 for a day without register. The first mark is of a course that the diploma needs."""
    totals = [(300, minutes, 1, 0) if minutes >= 0 else (0, 0, 0, 5) for minutes in absent]
    days = [
        Day(first + n, scheduled, 0, unexcused, late, unregistered)
        for n, (scheduled, unexcused, late, unregistered) in enumerate(totals)
    ]
    return History(
        days, {(f"K{n}", kind): [Mark(1, "", first, value, credit, n == 0)] for n, value in enumerate(marks)}
    )


def points(known: History) -> dict[str, int]:
    return {reason.indicator: reason.points for reason in reasons_on(known, known.days[-1])}


def numbers(known: History, name: str) -> Numbers:
    [found] = [reason.numbers for reason in reasons_on(known, known.days[-1]) if reason.indicator == name]
    return found


def test_total_absence_needs_ten_days_with_a_register() -> None:
    assert "total_absence" not in {r.indicator for r in reasons_on(history([300] * 9), 740_008)}
    assert "total_absence" in {r.indicator for r in reasons_on(history([300] * 10), 740_009)}


def test_every_reason_can_be_recomputed_from_its_own_numbers_and_says_its_days() -> None:
    known = history([0] * 20 + [300] * 10, marks=["F", "-", "F", "F"], kind="term")
    graded = history([0] * 20 + [300] * 10, marks=["F", "-", "F", "F"], credit=50)
    reasons = [*reasons_on(known, 740_029), *reasons_on(graded, 740_029)]
    assert {reason.indicator for reason in reasons} == {indicator.name for indicator in INDICATORS} - {"credit_margin"}
    for reason in reasons:
        [indicator] = [one for one in INDICATORS if one.name == reason.indicator]
        assert indicator.points(reason.numbers) == reason.points
        assert reason.first_day <= reason.last_day
    assert score_on(known, 740_029) == sum(reason.points for reason in reasons_on(known, 740_029))


def test_the_score_is_capped() -> None:
    known = history([0] * 20 + [300] * 10, marks=["F"] * 9)
    assert sum(points(known).values()) == 20 + 16 + 12 + 8 + 6 + 24 + 8
    assert score_on(known, 740_029) == min(100, sum(points(known).values()))


STREAKS = [
    pytest.param([0, 300, 300], 0, id="two days"),
    pytest.param([0, 300, 300, 300], 6, id="three days"),
    pytest.param([300, 300, 0, 300, 300, 300], 6, id="present in between"),
    pytest.param([300, 300, 300, 299], 0, id="there for a minute today"),
    pytest.param([300, -1, 300, -1, 300], 6, id="no register neither counts nor breaks"),
    pytest.param([300] * 5, 12, id="five days"),
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


def test_of_failed_courses_and_credits_the_larger_counts() -> None:
    assert points(history([0], marks=["F", "A"])) == {"credit_margin": 10, "diploma_critical": 8}
    assert points(history([0], marks=["F", "A"], credit=50)) == {"failed_courses": 6, "diploma_critical": 8}
    assert numbers(history([0], marks=["A", "F", "-"]), "credit_margin") == {"failed_credits": 200}


def test_a_term_mark_has_lost_no_credits_yet() -> None:
    assert points(history([0], marks=["A", "F"], kind="term")) == {"failed_courses": 6}


@pytest.mark.parametrize(("failed", "expected"), [(99, 0), (100, 10), (200, 18), (250, 18), (251, 24)])
def test_250_credits_are_still_within_the_margin(failed: int, expected: int) -> None:
    [indicator] = [one for one in INDICATORS if one.name == "credit_margin"]
    assert indicator.points({"failed_credits": failed}) == expected


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
        standing = step(standing, score)
    assert standing.level is level
