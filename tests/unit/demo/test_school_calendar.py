"""The Swedish school year: which days are school days, and which term the demo plays."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from deploy.demo.school_calendar import (
    SchoolCalendar,
    autumn_term,
    latest_whole_term,
    local_time,
    school_year_of,
    spring_term,
)

YEAR = SchoolCalendar(date(2025, 8, 1), date(2026, 6, 30))


@pytest.mark.parametrize(
    ("day", "what"),
    [
        (date(2025, 9, 6), "Saturday"),
        (date(2025, 9, 7), "Sunday"),
        (date(2025, 8, 4), "summer"),
        (date(2025, 10, 29), "autumn break, week 44"),
        (date(2025, 12, 24), "Christmas break"),
        (date(2026, 1, 6), "Epiphany"),
        (date(2026, 2, 25), "sports break, week 9"),
        (date(2026, 3, 31), "week before Easter"),
        (date(2026, 4, 3), "Good Friday"),
        (date(2026, 4, 6), "Easter Monday"),
        (date(2026, 5, 1), "May Day"),
        (date(2026, 5, 14), "Ascension Day"),
        (date(2026, 5, 15), "Friday after Ascension Day"),
        (date(2025, 11, 21), "planning day"),
        (date(2026, 6, 19), "Midsummer Eve"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value),
)
def test_no_school(day: date, what: str) -> None:
    assert not YEAR.is_school_day(day), what


@pytest.mark.parametrize("day", [date(2025, 8, 20), date(2025, 10, 24), date(2026, 4, 7), date(2026, 5, 13)], ids=str)
def test_school(day: date) -> None:
    assert YEAR.is_school_day(day)


def test_the_sports_break_can_be_in_another_week() -> None:
    elsewhere = SchoolCalendar(date(2026, 1, 8), date(2026, 6, 12), sports_break_week=8)
    assert not elsewhere.is_school_day(date(2026, 2, 18))
    assert elsewhere.is_school_day(date(2026, 2, 25))


@pytest.mark.parametrize("year", range(2024, 2036))
def test_a_school_year_has_about_178_days(year: int) -> None:
    terms = autumn_term(year), spring_term(year + 1)
    assert 172 <= sum(len(SchoolCalendar(term.first_day, term.last_day).school_days) for term in terms) <= 182


@pytest.mark.parametrize(
    ("today", "first_day"),
    [
        (date(2026, 2, 1), date(2025, 8, 20)),
        (date(2026, 7, 15), date(2025, 8, 20)),
        (date(2026, 11, 23), date(2026, 1, 8)),
        (date(2026, 12, 18), date(2026, 1, 8)),
        (date(2026, 12, 19), date(2026, 8, 19)),
    ],
    ids=["after the autumn", "summer", "autumn under way", "last day of autumn", "autumn is over"],
)
def test_latest_whole_term(today: date, first_day: date) -> None:
    assert latest_whole_term(today).first_day == first_day


def test_the_latest_whole_term_can_always_be_published() -> None:
    for today in (date(2025, 1, 1) + timedelta(days=n) for n in range(4 * 366)):
        term = latest_whole_term(today)
        assert today - timedelta(days=351) < term.first_day < term.last_day < today


def test_offsets_follow_summer_time() -> None:
    assert local_time(date(2025, 10, 24), time(8, 20)).isoformat() == "2025-10-24T08:20:00+02:00"
    assert local_time(date(2025, 10, 27), time(8, 20)).isoformat() == "2025-10-27T08:20:00+01:00"
    assert local_time(date(2026, 3, 30), time(8, 20)).isoformat() == "2026-03-30T08:20:00+02:00"


def test_school_years_begin_in_summer() -> None:
    assert school_year_of(date(2026, 1, 8)) == school_year_of(date(2025, 8, 20)) == 2025
