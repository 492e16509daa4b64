"""What the letter says, in both languages; how dates are written. Reasons: tests/unit/shared/test_wording.py."""

from __future__ import annotations

from datetime import date

import pytest

from services.notify.letter import Letter, Name, write
from services.notify.places import Place
from services.notify.recipients import Recipient
from services.notify.wording import LANGUAGES
from shared.events import Level, Reason, RiskLevelChanged, StaffRole
from tests.unit.notify.builders import (
    AS_OF,
    STUDENT,
    change,
    place,
    to,
)

NAME = Name("Märta", "Sjöström")


def letter(
    what: RiskLevelChanged | None = None,
    recipient: Recipient | None = None,
    where: Place | None = None,
    name: Name | None = NAME,
) -> Letter:
    return write(
        STUDENT, what or change(), where or place(), recipient or to(), name=name, public_url="https://kvar.example/"
    )


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def lines(made: Letter) -> list[str]:
    return [plain(f"{reason.counted}, {reason.period}: {reason.points}") for reason in made.reasons]


def test_reasons_in_swedish_stand_by_weight_with_numbers_and_dates() -> None:
    assert lines(letter()) == [
        "Total frånvaro 18,4 % de senaste 20 skoldagarna (1 104 av 6 000 minuter), 12 okt–6 nov: 15 poäng",
        "Ogiltig frånvaro 5 h 20 min de senaste 30 dagarna, 8 okt–6 nov: 10 poäng",
        "1 kurs med F eller streck, 19 aug–6 nov: 6 poäng",
    ]


def test_reasons_in_english() -> None:
    assert lines(letter(recipient=to("en"))) == [
        "Total absence 18.4% over the last 20 school days (1,104 of 6,000 minutes), 12 Oct–6 Nov: 15 points",
        "Unexcused absence 5 h 20 min over the last 30 days, 8 Oct–6 Nov: 10 points",
        "1 course with F or no basis for a grade, 19 Aug–6 Nov: 6 points",
    ]


def test_the_three_heaviest_reasons_and_a_word_on_the_rest() -> None:
    more = [*change().reasons, Reason(indicator="trend", points=8, numbers={}, first_day=AS_OF, last_day=AS_OF)]
    made = letter(change(reasons=more))
    assert [reason.points.split("\N{NO-BREAK SPACE}")[0] for reason in made.reasons] == ["15", "10", "8"]
    assert made.more
    assert not letter().more


def test_an_indicator_without_words_is_shown_raw() -> None:
    numbers: dict[str, float | int] = {"moves": 4}
    reason = Reason(indicator="school_moves", points=3, numbers=numbers, first_day=AS_OF, last_day=AS_OF)
    assert plain(letter(change(reasons=[reason])).reasons[0].counted) == "School moves: moves 4"


def test_dates_bear_years_only_across_new_year() -> None:
    swedish = LANGUAGES["sv"]
    assert plain(swedish.period(date(2026, 3, 2), date(2026, 3, 27))) == "2 mars–27 mars"
    assert plain(swedish.period(date(2025, 12, 8), date(2026, 1, 16))) == "8 dec 2025–16 jan 2026"
    assert plain(swedish.period(AS_OF, AS_OF)) == "6 nov"


@pytest.mark.parametrize(
    ("language", "before", "after", "subject"),
    [
        ("sv", Level.UNIVERSAL, Level.TARGETED, "Riktad nivå, upp från universell (Ekskolan)"),
        ("sv", Level.INDIVIDUAL, Level.TARGETED, "Riktad nivå, ned från individuell (Ekskolan)"),
        ("en", Level.TARGETED, Level.INDIVIDUAL, "Individual level, up from targeted (Ekskolan)"),
    ],
)
def test_the_subject_tells_level_and_unit_never_the_name(
    language: str, before: Level, after: Level, subject: str
) -> None:
    made = letter(change(before=before, after=after), to(language))
    assert made.subject == subject
    assert "Märta" not in made.subject + made.lead


def test_a_fall_is_good_news() -> None:
    made = letter(change(before=Level.TARGETED, after=Level.UNIVERSAL, reasons=[], score=0))
    assert made.lead == "Goda nyheter: det går bättre för en elev."
    assert made.reasons == ()
    assert plain(made.heading) == "Det som återstår: 0 poäng"
    assert plain(letter().heading) == "Därför: 31 poäng"


def test_what_changed_stands_by_weight_and_leaves_out_what_did_not() -> None:
    made = letter(change(changes={"total_absence": 5, "unexcused_absence": -10, "failed_courses": 0, "late": 3}))
    assert made.changes == ("ogiltig frånvaro −10", "total frånvaro +5", "late +3")


def test_how_fresh_the_data_are() -> None:
    assert plain(letter().fresh) == "Räknat till och med 6 nov 2026."
    late = letter(change(fresh_until=date(2026, 11, 3)))
    assert plain(late.fresh) == "Räknat till och med 6 nov 2026; närvaro är registrerad till och med 3 nov 2026."


def test_protected_identity_shows_neither_name_nor_school() -> None:
    made = letter(where=place(protected=True))
    assert made.student == "p_aaaaaa… (skyddad identitet)"
    assert made.unit is None
    assert made.subject == "Riktad nivå, upp från universell"
    assert "Märta" not in repr(made)
    assert "Ekskolan" not in repr(made)


def test_a_missing_name_is_said_to_be_missing() -> None:
    assert letter(name=None).student == "p_aaaaaa… (namn saknas)"


def test_why_somebody_other_than_the_coach_is_told() -> None:
    assert letter().notes == ()
    assert "samordnare" in letter(recipient=to(role=StaffRole.COORDINATOR)).notes[0]
    assert "rektor" in letter(recipient=to(role=StaffRole.PRINCIPAL)).notes[0]


def test_the_link_leads_to_the_student() -> None:
    assert letter().link == f"https://kvar.example/students/{STUDENT}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_knows_every_role_and_month(language: str) -> None:
    words = LANGUAGES[language]
    assert set(words.instead_of_coach) == {StaffRole.COORDINATOR, StaffRole.PRINCIPAL}
    assert len(words.months) == 12
