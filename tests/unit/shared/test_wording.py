"""Every indicator, its numbers and every level in words, in both languages. How mails and pages use them: their tests."""

from __future__ import annotations

import re
from datetime import date

import pytest

from services.scoring.courses import Courses
from services.scoring.days import Day
from services.scoring.indicators import Found, History, Model
from services.scoring.rules import DEFAULT
from shared.events import Level
from shared.wording import SWEDISH, WORDINGS, Numbers
from shared.wording.numbers import duration

ABSENCE = {"absent_minutes": 1104, "scheduled_minutes": 6000, "school_days": 20}
TREND = {
    "recent_absent_minutes": 720,
    "recent_scheduled_minutes": 3000,
    "earlier_absent_minutes": 395,
    "earlier_scheduled_minutes": 6000,
    "recent_school_days": 10,
    "earlier_school_days": 20,
}

SENTENCES: list[tuple[str, Numbers, str, str]] = [
    (
        "total_absence",
        ABSENCE,
        "Total frånvaro 18,4 % de senaste 20 skoldagarna (1 104 av 6 000 minuter)",
        "Total absence 18.4% over the last 20 school days (1,104 of 6,000 minutes)",
    ),
    (
        "total_absence",
        {**ABSENCE, "absent_minutes": 899},
        "Total frånvaro 14,9 % de senaste 20 skoldagarna (899 av 6 000 minuter)",
        "Total absence 14.9% over the last 20 school days (899 of 6,000 minutes)",
    ),
    (
        "unexcused_absence",
        {"unexcused_minutes": 320, "calendar_days": 30},
        "Ogiltig frånvaro 5 h 20 min de senaste 30 dagarna",
        "Unexcused absence 5 h 20 min over the last 30 days",
    ),
    (
        "absence_streak",
        {"absent_school_days": 4},
        "Helt borta 4 skoldagar i rad",
        "Fully absent on 4 school days in a row",
    ),
    ("absence_streak", {"absent_school_days": 1}, "Helt borta 1 skoldag", "Fully absent on 1 school day"),
    (
        "absence_trend",
        TREND,
        "Frånvaron ökar: 24,0 % de senaste 10 skoldagarna mot 6,5 % de 20 före",
        "Absence is rising: 24.0% over the last 10 school days against 6.5% over the 20 before",
    ),
    (
        "late_arrivals",
        {"late_arrivals": 6, "school_days": 20},
        "6 sena ankomster de senaste 20 skoldagarna",
        "6 late arrivals over the last 20 school days",
    ),
    (
        "late_arrivals",
        {"late_arrivals": 1, "school_days": 1},
        "1 sen ankomst den senaste skoldagen",
        "1 late arrival on the last school day",
    ),
    (
        "failed_courses",
        {"failed": 1, "open_warnings": 0},
        "1 kurs med F eller streck",
        "1 course with F or no basis for a grade",
    ),
    ("failed_courses", {"failed": 0, "open_warnings": 1}, "1 öppen F-varning", "1 open F warning"),
    (
        "failed_courses",
        {"failed": 2, "open_warnings": 3},
        "2 kurser med F eller streck och 3 öppna F-varningar",
        "2 courses with F or no basis for a grade and 3 open F warnings",
    ),
    (
        "credit_margin",
        {"failed_credits": 300},
        "300 gymnasiepoäng med F eller streck; examen tål högst 250",
        "300 course credits with F or no basis for a grade; a diploma allows at most 250",
    ),
    (
        "diploma_critical",
        {"critical_courses": 1},
        "1 kurs som krävs för examen har F eller streck",
        "1 course required for the diploma has F or no basis for a grade",
    ),
    (
        "diploma_critical",
        {"critical_courses": 2},
        "2 kurser som krävs för examen har F eller streck",
        "2 courses required for the diploma have F or no basis for a grade",
    ),
]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def everything() -> dict[str, Found]:
    """Of a student of whom every indicator has something to tell: what it found."""
    first = date(2026, 10, 1).toordinal()
    days = [Day(first + n, 300, 0, 300 if n >= 25 else 0, 1, 0) for n in range(30)]
    model = Model()
    every = [
        found
        for courses in (Courses(1, 0, 100, 1), Courses(4, 0, 0, 1))
        for found in model.found(History(days, [(first, courses)]), 30, first + 29)
    ]
    return {found.indicator.name: found for found in every}


@pytest.mark.parametrize(("indicator", "numbers", "swedish", "english"), SENTENCES)
def test_numbers_are_told_in_one_sentence(indicator: str, numbers: Numbers, swedish: str, english: str) -> None:
    assert plain(WORDINGS["sv"].sentence(indicator, numbers)) == swedish
    assert plain(WORDINGS["en"].sentence(indicator, numbers)) == english


def test_the_table_holds_every_indicator() -> None:
    assert {indicator for indicator, *_ in SENTENCES} >= everything().keys()


@pytest.mark.parametrize("language", WORDINGS)
@pytest.mark.parametrize("found", everything().values(), ids=lambda found: found.indicator.name)
def test_every_indicator_has_words_for_the_numbers_that_scoring_gives(found: Found, language: str) -> None:
    wording, name = WORDINGS[language], found.indicator.name
    assert name in wording.indicators
    assert wording.sentence(name, found.numbers) == wording.indicators[name].sentence(found.numbers)


def test_the_credits_that_a_diploma_allows_are_those_of_scoring() -> None:
    [allowed] = re.findall(r"\d+$", SWEDISH.sentence("credit_margin", {"failed_credits": 300}))
    steps = DEFAULT.credit_margin.steps
    within, beyond = (max(points for at, points in steps if at <= int(allowed) + more) for more in (0, 1))
    assert within < beyond


@pytest.mark.parametrize(("language", "points_of_risk"), [("sv", " poäng"), ("en", " points")])
def test_credits_are_never_called_like_points_of_risk(language: str, points_of_risk: str) -> None:
    wording = WORDINGS[language]
    for told in (wording.sentence("credit_margin", {"failed_credits": 300}), wording.name("credit_margin")):
        assert points_of_risk not in plain(told)


@pytest.mark.parametrize("language", WORDINGS)
def test_a_number_never_stands_at_the_end_of_a_line_alone(language: str) -> None:
    sentence = WORDINGS[language].sentence("total_absence", ABSENCE)
    assert "20\N{NO-BREAK SPACE}s" in sentence
    assert "000\N{NO-BREAK SPACE}min" in sentence


@pytest.mark.parametrize(
    ("indicator", "numbers", "expected"),
    [
        pytest.param("school_moves", {"moves": 4, "a_share": 2.5}, "School moves: a share 2,5, moves 4", id="unknown"),
        pytest.param("school_moves", {}, "School moves", id="unknown without numbers"),
        pytest.param("total_absence", {"share": 0.25}, "Total frånvaro: share 0,25", id="other numbers"),
        pytest.param(
            "total_absence",
            {"absent_minutes": 0, "scheduled_minutes": 0, "school_days": 0},
            "Total frånvaro: absent minutes 0, scheduled minutes 0, school days 0",
            id="no share of nothing",
        ),
    ],
)
def test_what_the_words_do_not_know_is_shown_raw(indicator: str, numbers: Numbers, expected: str) -> None:
    assert plain(SWEDISH.sentence(indicator, numbers)) == expected


def test_names_stand_inside_a_sentence_and_at_the_head_of_a_line() -> None:
    assert SWEDISH.name("total_absence") == "total frånvaro"
    assert SWEDISH.heading("total_absence") == "Total frånvaro"
    assert SWEDISH.heading("school_moves") == "School moves"
    assert SWEDISH.heading("") == ""


@pytest.mark.parametrize("language", WORDINGS)
def test_every_level_has_a_name(language: str) -> None:
    assert set(WORDINGS[language].levels) == set(Level)


@pytest.mark.parametrize(
    ("part", "expected"), [(150, "15,0 %"), (149.6, "14,9 %"), (290, "29,0 %"), (0, "0,0 %"), (1000, "100,0 %")]
)
def test_a_share_that_has_not_reached_a_threshold_does_not_look_so(part: float, expected: str) -> None:
    assert plain(SWEDISH.numbers.share(part, 1000)) == expected


@pytest.mark.parametrize(
    ("value", "decimals", "swedish", "english"),
    [
        (2340, 2, "2 340", "2,340"),
        (3.5, 2, "3,5", "3.5"),
        (4.0, 1, "4", "4"),
        (100, 1, "100", "100"),
        (1234567.891, 2, "1 234 567,89", "1,234,567.89"),
        (100, 0, "100", "100"),
    ],
)
def test_numbers_are_written_as_in_print(value: float, decimals: int, swedish: str, english: str) -> None:
    assert plain(WORDINGS["sv"].numbers.number(value, decimals)) == swedish
    assert WORDINGS["en"].numbers.number(value, decimals) == english


@pytest.mark.parametrize(("minutes", "expected"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (150, "2 h 30 min")])
def test_duration(minutes: int, expected: str) -> None:
    assert plain(duration(minutes)) == expected
