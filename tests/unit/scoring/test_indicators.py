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


def history(absent: Sequence[int], *, first: int = 740_000, marks: Sequence[str] = ()) -> History:
    days = [Day(first + n, 300, 0, minutes, 0, 0) for n, minutes in enumerate(absent)]
    return History(days, {(f"K{n}", "final"): [Mark(1, "", first, value)] for n, value in enumerate(marks)})


def test_total_absence_needs_ten_days_with_a_register() -> None:
    assert "total_absence" not in {r.indicator for r in reasons_on(history([300] * 9), 740_008)}
    assert "total_absence" in {r.indicator for r in reasons_on(history([300] * 10), 740_009)}


def test_every_reason_can_be_recomputed_from_its_own_numbers_and_says_its_days() -> None:
    known = history([300] * 25, marks=["F", "-", "F", "F"])
    reasons = reasons_on(known, 740_024)
    assert {reason.indicator for reason in reasons} == {indicator.name for indicator in INDICATORS}
    for reason in reasons:
        [indicator] = [one for one in INDICATORS if one.name == reason.indicator]
        assert indicator.points(reason.numbers) == reason.points
        assert reason.first_day <= reason.last_day
    assert score_on(known, 740_024) == sum(reason.points for reason in reasons) == 60


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
