"""What pages say in words; reasons and numbers: tests/unit/shared/test_wording.py."""

from __future__ import annotations

import re
from datetime import date

import pytest

from services.reporting import words
from services.reporting.texts import TEXTS
from shared.events import Level
from tests.unit.reporting.builders import FRIDAY


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


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


def test_levels_are_called_as_in_mails() -> None:
    assert [TEXTS["sv"][level] for level in Level] == ["Universell", "Riktad", "Individuell"]
    assert [TEXTS["en"][level] for level in Level] == ["Universal", "Targeted", "Individual"]


def test_both_languages_have_the_same_words() -> None:
    assert TEXTS["sv"].keys() == TEXTS["en"].keys()
    assert all(text.strip() for language in TEXTS.values() for text in language.values())


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0 %"), (0.0742, "7,4 %"), (0.0999, "10 %"), (0.426, "43 %"), (1.0, "100 %")],
)
def test_percent(share: float, expected: str) -> None:
    assert plain(words.percent(share, "sv")) == expected


@pytest.mark.parametrize(
    ("days", "swedish", "english"),
    [
        pytest.param(12, "minst 12 skoldagar", "at least 12 school days", id="the rules' number"),
        pytest.param(1, "minst 1 skoldag", "at least 1 school day", id="one"),
        pytest.param(
            None,
            "så många skoldagar som huvudmannens regler anger",
            "as many school days as the authority's rules name",
            id="not known",
        ),
    ],
)
def test_staleness_names_the_number_of_the_rules(days: int | None, swedish: str, english: str) -> None:
    assert (plain(words.stale_days(days, "sv")), plain(words.stale_days(days, "en"))) == (swedish, english)


def test_no_text_knows_the_number_by_itself() -> None:
    for language in TEXTS.values():
        for name, text in language.items():
            if name.startswith("not_registered"):
                assert not re.search(r"\b(tio|ten|10)\b", text), name


def test_a_lag_is_told_in_words() -> None:
    assert plain(words.behind(1, "sv")) == "1 vardag efter"
    assert plain(words.behind(3, "sv")) == "3 vardagar efter"
    assert plain(words.behind(3, "en")) == "3 weekdays behind"


def test_the_newest_register_is_measured_against_today() -> None:
    monday = date(2026, 11, 23)
    assert plain(words.newest_text(FRIDAY, monday, "sv") or "") == "Nyaste registrering: 2026-11-20, 1 vardag sedan."
    assert re.search("today", words.newest_text(FRIDAY, FRIDAY, "en") or "")
    assert words.newest_text(None, monday, "sv") is None
