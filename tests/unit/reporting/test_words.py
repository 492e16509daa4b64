"""What pages say in numbers and words."""

from __future__ import annotations

import re
from datetime import date

import pytest

from services.reporting import words
from services.reporting.texts import TEXTS, Language
from tests.unit.reporting.builders import FRIDAY

ABSENCE = {"absent_minutes": 1060, "scheduled_minutes": 6000, "school_days": 20}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("indicator", "numbers", "language", "expected"),
    [
        pytest.param(
            "total_absence", ABSENCE, "sv", "Borta 17,6 % av tiden: 1 060 av 6 000 schemalagda minuter på 20 skoldagar"
        ),
        pytest.param(
            "total_absence",
            ABSENCE,
            "en",
            "Absent 17.6% of the time: 1,060 of 6,000 scheduled minutes on 20 school days",
        ),
        pytest.param(
            "unexcused_absence",
            {"unexcused_minutes": 450, "calendar_days": 30},
            "sv",
            "Ogiltigt borta 7 h 30 min på 30 dagar",
        ),
        pytest.param(
            "unexcused_absence",
            {"unexcused_minutes": 480, "calendar_days": 30},
            "en",
            "Absent without excuse for 8 h in 30 days",
        ),
        pytest.param(
            "failed_courses",
            {"failed": 1, "open_warnings": 2},
            "sv",
            "1 kurs med F eller streck, 2 öppna F-varningar",
        ),
        pytest.param(
            "failed_courses", {"failed": 2, "open_warnings": 1}, "en", "2 courses with F or no grade, 1 open warning"
        ),
        pytest.param("late_arrivals", {"late_lessons": 4, "share": 2.5}, "sv", "late lessons 4, share 2,5"),
        pytest.param("total_absence", {"absent_minutes": 60}, "en", "absent minutes 60", id="numbers are missing"),
    ],
)
def test_a_reason_is_told_with_its_numbers(
    indicator: str, numbers: dict[str, float], language: Language, expected: str
) -> None:
    assert plain(words.reason_text(indicator, numbers, language)) == expected


def test_an_unknown_indicator_keeps_its_name() -> None:
    assert words.indicator_name("late_arrivals", "sv") == "Late arrivals"
    assert words.indicator_name("total_absence", "sv") == "Total frånvaro"


@pytest.mark.parametrize(
    ("asked", "accepted", "expected"),
    [
        pytest.param(None, "", "sv", id="Swedish without a wish"),
        pytest.param("en", "sv", "en", id="asked in the address"),
        pytest.param("sv", "en", "sv", id="asked in the address for Swedish"),
        pytest.param("<b>", "en", "en", id="an unknown wish counts for nothing"),
        pytest.param(None, "en-GB,en;q=0.9,sv;q=0.8", "en", id="a browser in English"),
        pytest.param(None, "en;q=0.5,sv-SE;q=0.8", "sv", id="weights decide"),
        pytest.param(None, "fi,en;q=0.3", "en", id="the first of ours"),
        pytest.param(None, "en;q=0", "sv", id="refused"),
        pytest.param(None, "en;q=much,,*", "sv", id="nonsense"),
    ],
)
def test_the_language_is_the_one_asked_for(asked: str | None, accepted: str, expected: str) -> None:
    assert words.choose_language(asked, accepted) == expected


def test_both_languages_have_the_same_words() -> None:
    assert TEXTS["sv"].keys() == TEXTS["en"].keys()
    assert all(text.strip() for language in TEXTS.values() for text in language.values())


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0 %"), (0.0742, "7,4 %"), (0.0999, "10 %"), (0.426, "43 %"), (1.0, "100 %")],
)
def test_percent(share: float, expected: str) -> None:
    assert plain(words.percent(share, "sv")) == expected


@pytest.mark.parametrize(("minutes", "expected"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (150, "2 h 30 min")])
def test_duration(minutes: int, expected: str) -> None:
    assert plain(words.duration(minutes)) == expected


def test_a_lag_is_told_in_words() -> None:
    assert plain(words.behind(1, "sv")) == "1 vardag efter"
    assert plain(words.behind(3, "sv")) == "3 vardagar efter"
    assert plain(words.behind(3, "en")) == "3 weekdays behind"


def test_the_newest_register_is_measured_against_today() -> None:
    monday = date(2026, 11, 23)
    assert plain(words.newest_text(FRIDAY, monday, "sv") or "") == "Nyaste registrering: 2026-11-20, 1 vardag sedan."
    assert re.search("today", words.newest_text(FRIDAY, FRIDAY, "en") or "")
    assert words.newest_text(None, monday, "sv") is None


@pytest.mark.parametrize(
    ("share", "text"), [(0.15, "15%"), (0.1496, "14.9%"), (0.29, "29%"), (0.0, "0%"), (1.0, "100%")]
)
def test_a_share_that_has_not_reached_a_threshold_does_not_look_so(share: float, text: str) -> None:
    assert words.percent_reached(share, "en") == text
