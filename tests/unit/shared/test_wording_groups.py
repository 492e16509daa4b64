"""Numbers of whole groups in words, in both languages. Those of one student: test_wording.py."""

from __future__ import annotations

import pytest

from shared.events import GroupIndicator
from shared.wording import SWEDISH, WORDINGS, Numbers

GROUP_SENTENCES: list[tuple[str, Numbers, str, str]] = [
    (
        "group_absence",
        {"students": 24, "recent_percent": 14.2, "earlier_percent": 6.1, "unit_percent": 7.0},
        "Hela gruppen NA25a: frånvaro 14,2 % de senaste 10 skoldagarna mot 6,1 % de 20 före (övriga skolan 7,0 %)",
        (
            "The whole group NA25a: absence 14.2% over the last 10 school days against 6.1% over the 20 before "
            "(rest of the school 7.0%)"
        ),
    ),
    (
        "group_unexcused_absence",
        {"students": 24, "recent_percent": 5, "earlier_percent": 1.5},
        "Hela gruppen NA25a: ogiltig frånvaro 5,0 % de senaste 10 skoldagarna mot 1,5 % de 20 före",
        "The whole group NA25a: unexcused absence 5.0% over the last 10 school days against 1.5% over the 20 before",
    ),
    (
        "group_late_arrivals",
        {
            "students": 24,
            "recent_late_per_student": 1.25,
            "earlier_late_per_student": 0.6,
            "unit_late_per_student": 0.5,
        },
        "Hela gruppen NA25a: 1,25 sena ankomster per elev de senaste 10 skoldagarna mot 0,6 före (övriga skolan 0,5)",
        (
            "The whole group NA25a: 1.25 late arrivals per student over the last 10 school days against 0.6 before "
            "(rest of the school 0.5)"
        ),
    ),
    (
        "group_warnings",
        {
            "students": 24,
            "recent_open_warnings_per_student": 0.8,
            "earlier_open_warnings_per_student": 0.3,
            "unit_open_warnings_per_student": 0.4,
        },
        "Hela gruppen NA25a: 0,8 öppna F-varningar per elev mot 0,3 för 20 skoldagar sedan (övriga skolan 0,4)",
        (
            "The whole group NA25a: 0.8 open F warnings per student against 0.3 as it was 20 school days before "
            "(rest of the school 0.4)"
        ),
    ),
    (
        "group_climate",
        {"answers": 21, "recent_mean": 3.1, "earlier_mean": 3.94, "unit_mean": 0},
        "Hela gruppen NA25a: klimat 3,1 av 5 mot 3,9 före (övriga skolan 0,0)",
        "The whole group NA25a: climate 3.1 of 5 against 3.9 before (rest of the school 0.0)",
    ),
]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(("indicator", "numbers", "swedish", "english"), GROUP_SENTENCES)
def test_numbers_of_a_whole_group_say_whose_they_are(
    indicator: str, numbers: Numbers, swedish: str, english: str
) -> None:
    assert plain(WORDINGS["sv"].sentence(indicator, numbers, "NA25a")) == swedish
    assert plain(WORDINGS["en"].sentence(indicator, numbers, "NA25a")) == english
    assert plain(WORDINGS["en"].group_sentence(indicator, numbers)) == english.split(": ", 1)[1]


@pytest.mark.parametrize("language", WORDINGS)
def test_every_indicator_of_a_group_has_words(language: str) -> None:
    expected = {f"group_{indicator}" for indicator in GroupIndicator}
    assert {indicator for indicator, *_ in GROUP_SENTENCES} == expected
    assert set(WORDINGS[language].group_indicators) == expected
    assert not expected & set(WORDINGS[language].indicators)


@pytest.mark.parametrize(
    ("group", "swedish", "english"),
    [
        ("NA25a", "Hela gruppen NA25a", "The whole group NA25a"),
        ("group:NA25a", "Hela gruppen NA25a", "The whole group NA25a"),
        ("unit:Ekskolan", "Hela skolenheten Ekskolan", "The whole school unit Ekskolan"),
        (None, "Hela gruppen", "The whole group"),
    ],
)
def test_a_group_is_named_unless_it_must_not_be(group: str | None, swedish: str, english: str) -> None:
    numbers = {"recent_mean": 3.1, "earlier_mean": 3.9}
    assert WORDINGS["sv"].sentence("group_climate", numbers, group).split(":", 1)[0] == swedish
    assert WORDINGS["en"].sentence("group_climate", numbers, group).split(":", 1)[0] == english


def test_a_past_that_is_not_known_is_left_out() -> None:
    told = plain(SWEDISH.group_sentence("group_absence", {"recent_percent": 14.2, "unit_percent": 7}))
    assert told == "frånvaro 14,2 % de senaste 10 skoldagarna (övriga skolan 7,0 %)"


def test_other_numbers_of_a_group_are_shown_raw() -> None:
    told = plain(SWEDISH.sentence("group_absence", {"share": 0.2}, "NA25a"))
    assert told == "Hela gruppen NA25a: Hela gruppens frånvaro: share 0,2"
    assert SWEDISH.name("group_climate") == "hela gruppens klimat"
