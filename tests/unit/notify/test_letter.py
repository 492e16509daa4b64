"""What the letter says, in both languages; how dates are written. Reasons: tests/unit/shared/test_wording.py."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.notify.alerts import Alert, AlertState, Detour, Telling
from services.notify.letter import Letter, Name, News, write
from services.notify.places import Situation
from services.notify.recipients import Recipient
from services.notify.wording import LANGUAGES
from shared.events import CorrectedFact, Level, Reason, RiskLevelChanged, StaffRole
from tests.unit.notify.builders import (
    AS_OF,
    STUDENT,
    about,
    alert,
    change,
    failed_courses,
    group_absence,
    to,
    withdrawal,
)

KINDS = ["attendance", "mark", "place", "rules"]
NAME = Name("Märta", "Sjöström")


def letter(
    what: RiskLevelChanged | News | None = None,
    recipient: Recipient | None = None,
    where: Situation | None = None,
    name: Name | None = NAME,
) -> Letter:
    news = what if isinstance(what, News) else News(what or change())
    return write(
        STUDENT,
        news,
        where or about(),
        recipient or to(),
        name=name,
        public_url="https://kvar.example/",
        zone=ZoneInfo("Europe/Stockholm"),
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
    made = letter(where=about(protected=True))
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


def mailed(n: int = 1, level: Level = Level.TARGETED, sent_at: datetime | None = None) -> Alert:
    sent = sent_at or datetime(2026, 11, 6, 14, 31, tzinfo=UTC)
    return alert(id=f"{STUDENT}:{n}", change=change(n, after=level), state=AlertState.SENT, sent_at=sent)


def withdrawn(*earlier: Alert, told_before: bool = True, **fields: object) -> News:
    said = withdrawal(9, **fields)  # type: ignore[arg-type]
    return News(said, withdrawn=earlier or (mailed(),), withdrawal=said, told_before=told_before)


def corrected(*days: int, kind: str = "attendance") -> list[CorrectedFact]:
    facts = [{"kind": kind, "key": f"k{day}", "day": date(2026, 11, day), "revision": 2} for day in days]
    return [CorrectedFact.model_validate(fact) for fact in facts]


def test_a_withdrawal_names_the_mail_the_reason_and_the_level_now() -> None:
    facts = [*corrected(4, 3, 3), *corrected(5, kind="mark")]
    made = letter(withdrawn(corrected=facts))
    assert made.subject == "Meddelandet om riktad nivå gäller inte längre (Ekskolan)"
    assert made.lead == "Ett tidigare meddelande om en elev gäller inte längre."
    assert [plain(line) for line in made.background] == [
        "Meddelandet från 6 nov 2026 (riktad nivå) gäller inte längre.",
        "Det beror på att uppgifter har rättats (betyg eller varning 5 nov; närvaro 4 nov, 3 nov).",
        "Nivån är nu universell.",
    ]
    assert plain(made.heading) == "Det som återstår: 6 poäng"
    assert lines(made) == ["1 kurs med F eller streck, 19 aug–6 nov: 6 poäng"]
    assert (made.changes, made.notes) == ((), ())


def test_a_withdrawal_in_english() -> None:
    made = letter(withdrawn(corrected=corrected(2, 3, 4, 5, 6)), to("en"))
    assert made.subject == "The message about targeted level no longer applies (Ekskolan)"
    assert [plain(line) for line in made.background] == [
        "The message of 6 Nov 2026 (targeted level) no longer applies.",
        "The reason: facts have been corrected (attendance on 5 days, 2 Nov–6 Nov).",
        "The level is now universal.",
    ]


def test_one_mail_names_all_messages_that_no_longer_apply() -> None:
    late = datetime(2026, 11, 9, 23, 30, tzinfo=UTC)  # the 10th at the schools
    for language, subject, line in (
        (
            "sv",
            "Tidigare meddelanden gäller inte längre (Ekskolan)",
            "Meddelandena från 6 nov 2026 (riktad nivå) och 10 nov 2026 (individuell nivå) gäller inte längre.",
        ),
        (
            "en",
            "Earlier messages no longer apply (Ekskolan)",
            "The messages of 6 Nov 2026 (targeted level) and 10 Nov 2026 (individual level) no longer apply.",
        ),
    ):
        made = letter(withdrawn(mailed(), mailed(2, Level.INDIVIDUAL, late)), to(language))
        assert (made.subject, plain(made.background[0])) == (subject, line)


def test_a_withdrawal_because_of_the_rules_says_so() -> None:
    assert "ändrat sina regler" in letter(withdrawn(cause="rules")).background[1]
    assert "changed its rules" in letter(withdrawn(cause="rules"), to("en")).background[1]


def test_a_withdrawal_that_goes_to_somebody_else_says_that_it_does() -> None:
    made = letter(withdrawn(told_before=False), to(role=StaffRole.COORDINATOR))
    assert made.notes == ("Det tidigare meddelandet gick till en kollega som inte längre kan nås.",)


def test_a_withdrawal_that_leaves_no_facts_says_so() -> None:
    made = letter(withdrawn(as_of=None, fresh_until=None, reasons=[], score=0))
    assert made.fresh == "Det finns inga uppgifter kvar att räkna på."
    assert made.reasons == ()


def test_a_level_that_a_correction_has_changed_is_told_as_a_change_with_the_reason() -> None:
    made = letter(News(withdrawal(3, before=Level.INDIVIDUAL)))
    assert made.subject == "Universell nivå, ned från individuell (Ekskolan)"
    assert made.background == ("Det beror på att uppgifter har rättats.",)


def test_a_change_of_rules_is_said_to_be_one() -> None:
    made = letter(change(cause="rules"))
    assert made.lead == "En elevs nivå har ändrats med nya regler."
    assert made.background == ("Huvudmannen har ändrat sina regler för poäng och nivåer.",)
    assert "authority has changed its rules" in letter(change(cause="rules"), to("en")).background[0]
    assert letter().background == ()


def test_a_protected_student_is_not_named_by_a_withdrawal_either() -> None:
    made = letter(withdrawn(reasons=[group_absence("NA24a")]), where=about(protected=True))
    assert made.subject == "Meddelandet om riktad nivå gäller inte längre"
    assert plain(made.groups[0]).startswith("Hela gruppen: frånvaro 14,2 %")
    for secret in ("Märta", "Ekskolan", "NA24a"):
        assert secret not in repr(made)


def test_what_is_true_of_the_whole_group_takes_no_place_among_the_reasons() -> None:
    made = letter(change(reasons=[group_absence(), *change().reasons]))
    assert len(made.reasons) == 3
    assert not made.more
    [told] = [plain(line) for line in made.groups]
    assert told.startswith("Hela gruppen NA24a: frånvaro 14,2 % de senaste 10 skoldagarna mot 6,1 % de 20 före")
    assert told.endswith("(övriga skolan 7,0 %), 21 sep–6 nov")
    alone = letter(change(reasons=[failed_courses(), group_absence()]))
    assert [reason.points for reason in alone.reasons] == ["6\N{NO-BREAK SPACE}poäng"]


def between(
    level: Level, since: date | None = date(2026, 11, 3), told: Level = Level.UNIVERSAL, **fields: object
) -> News:
    said = change(before=told, changes={}, **fields)  # type: ignore[arg-type]
    return News(said, telling=Telling(told, Detour(level, f"{STUDENT}:1", since)))


def test_a_rise_that_nobody_was_told_of_and_its_fall_are_told_together_and_not_as_good_news() -> None:
    made = letter(between(Level.TARGETED, after=Level.UNIVERSAL, score=6))
    assert made.subject == "Nivån var riktad en tid och är nu universell (Ekskolan)"
    assert made.title == "Nivån var riktad en tid och är nu universell"
    assert made.lead == "En elevs nivå har ändrats mer än en gång innan någon kunde få veta det."
    assert [plain(line) for line in made.background] == [
        "Den 3 nov 2026 steg nivån till riktad; då fanns det ingen som kunde få veta det.",
        "Nivån är nu universell.",
    ]
    assert plain(made.heading) == "Det som återstår: 6 poäng"
    assert made.changes == ()
    assert "Goda nyheter" not in repr(made)


def test_a_level_in_between_in_english() -> None:
    made = letter(between(Level.INDIVIDUAL, after=Level.TARGETED), to("en"))
    assert made.subject == "The level was individual for a time and is now targeted (Ekskolan)"
    assert made.lead == "A student's level has changed more than once before anybody could be told."
    assert [plain(line) for line in made.background] == [
        "On 3 Nov 2026 the level rose to individual; there was nobody who could be told then.",
        "The level is now targeted.",
    ]
    assert plain(made.heading) == "Why: 31 points"
    assert "Good news" not in repr(made)


def test_a_fall_that_nobody_was_told_of_before_a_new_rise_is_told_with_it() -> None:
    made = letter(between(Level.UNIVERSAL, told=Level.TARGETED), to("en"))
    assert made.title == "The level was universal for a time and is now targeted"
    assert plain(made.background[0]).startswith("On 3 Nov 2026 the level fell to universal;")
    assert plain(made.heading) == "Why: 31 points"


def test_a_level_in_between_that_only_what_followed_it_tells_of_bears_no_day() -> None:
    made = letter(between(Level.TARGETED, since=None, after=Level.UNIVERSAL))
    assert made.background[0] == "Nivån var riktad en tid; ingen fick veta det."
    assert (
        "for a time; nobody was told of it"
        in letter(between(Level.TARGETED, None, after=Level.UNIVERSAL), to("en")).background[0]
    )


def test_new_rules_behind_a_level_in_between_are_said_before_the_level_now() -> None:
    made = letter(between(Level.TARGETED, after=Level.UNIVERSAL, cause="rules"))
    assert made.background[1:] == (
        "Huvudmannen har ändrat sina regler för poäng och nivåer.",
        "Nivån är nu universell.",
    )


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sv", "(betyg eller varning 5 nov; närvaro 4 nov, 3 nov; inskrivningen från 20 aug 2025)."),
        ("en", "(a grade or warning of 5 Nov; attendance on 4 Nov, 3 Nov; the enrolment from 20 Aug 2025)."),
    ],
)
def test_corrected_facts_are_told_by_kind_and_the_newest_day_comes_first(language: str, text: str) -> None:
    place = CorrectedFact(kind="place", key="Ekskolan", day=date(2025, 8, 20), revision=2)
    facts = [place, *corrected(3, 4, 3), *corrected(5, kind="mark")]
    assert plain(letter(withdrawn(corrected=facts), to(language)).background[1]).endswith(text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_corrected_fact_has_words_of_its_own(language: str, kind: str) -> None:
    facts = corrected(4, kind=kind)
    text = LANGUAGES[language].corrections(facts, 2026)
    others = {
        LANGUAGES[language].corrections(corrected(4, kind=other), 2026)
        for other in ("attendance", "mark", "place", "rules")
    }
    assert "4\N{NO-BREAK SPACE}" in text
    assert len(others) == 4


@pytest.mark.parametrize(("given", "family", "shown"), [("Zahra", "", "Zahra"), ("", "Sjöström", "Sjöström")])
def test_a_student_with_one_name_is_named_by_it(given: str, family: str, shown: str) -> None:
    assert letter(name=Name(given, family)).student == shown


def test_a_student_who_has_left_is_said_to_have() -> None:
    assert letter(where=about(left=True)).notes == ("Eleven är inte längre inskriven.",)
    assert letter(recipient=to("en"), where=about(left=True)).notes == ("The student is no longer enrolled.",)
    assert letter().notes == ()


def test_a_withdrawal_stored_under_the_former_name_of_its_kind_can_be_read() -> None:
    assert [fact.kind for fact in corrected(4, kind="lesson")] == ["attendance"]
