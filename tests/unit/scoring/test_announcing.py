"""Level changes and withdrawn alerts: after every batch they are those that brute force over all facts calls for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.bounds import MOST_RISES
from services.scoring.facts import Fact, LessonFact
from services.scoring.handlers import incoming
from services.scoring.indicators import Model
from services.scoring.messages import Assessed, Change, announce
from services.scoring.records import StudentRecord
from services.scoring.rules import Levels, Rules, RuleVersion
from services.scoring.student import Raised, from_facts
from shared.events import AnyEvent
from tests import oracle
from tests.builders import MONDAY, STOCKHOLM, attendance, grade, pseudonym, school_days

STUDENT = pseudonym("åsa")
DAYS = school_days(MONDAY, 100)
MODEL = Model()
NOW = datetime(2026, 12, 1, tzinfo=UTC)
RANKS = {"universal": 0, "targeted": 1, "individual": 2}


class Watched:
    """A student's record that takes batches as rescoring does, and all that it has said."""

    def __init__(self, student: str = STUDENT) -> None:
        self.record = StudentRecord(student, "2480")
        self.seen: list[Fact] = []
        self.said: list[dict[str, Any]] = []

    def take(self, events: Sequence[AnyEvent], model: Model = MODEL, *, by_rules: bool = False) -> list[dict[str, Any]]:
        """What is said by this batch."""
        facts = [incoming(event, STOCKHOLM).kept.fact for event in events]
        self.seen += facts
        state = self.record.state
        needs = state.needs(facts)
        if needs.everything or by_rules:
            state = from_facts(self.seen)
            state.raised = [Raised(raised.n, raised.day, raised.rank) for raised in self.record.state.raised]
            self.record.state = state
        else:
            state.apply(facts, [f for f in self.seen if isinstance(f, LessonFact) and f.day in needs.days])
        assessed = Assessed(self.record, state.assess(model), model, Change(facts, NOW, by_rules))
        said = [orjson.loads(entry.body) for entry in announce(assessed, NOW)]
        self.said += said
        return said


def wrong_by_brute_force(said: Sequence[dict[str, Any]], known: oracle.Expected) -> set[str]:
    """Ids of the alerts that are neither withdrawn nor borne out by any day since they were raised."""
    withdrawn = {message["data"]["alert"] for message in said if "alert" in message["data"]}
    wrong = set()
    for message in said:
        data = message["data"]
        if "alert" in data or message["id"] in withdrawn or RANKS[data["to"]] <= RANKS[data["from"]]:
            continue
        raised_on = date.fromisoformat(data["as_of"])
        held = max((day for day in known.by_day if day <= raised_on), default=None)
        since = [level for day, (_, level) in known.by_day.items() if day == held or day > raised_on]
        if max((RANKS[level] for level in since), default=0) < RANKS[data["to"]]:
            wrong.add(message["id"])
    return wrong


def says_what_brute_force_calls_for(events: Sequence[AnyEvent], cuts: Sequence[int]) -> None:
    """Takes events in batches that end at `cuts`, and looks at what is said after each."""
    watched = Watched()
    for start, end in pairwise(sorted({0, *cuts, len(events)})):
        before = list(watched.said)
        said = watched.take(events[start:end])
        known = oracle.expect([orjson.loads(event.encode()) for event in events[:end]])[STUDENT]
        assert {m["data"]["alert"] for m in said if "alert" in m["data"]} == wrong_by_brute_force(before, known)
        assert watched.record.level.value == known.level
        assert not wrong_by_brute_force(watched.said, known)
    levels = [(message["data"]["from"], message["data"]["to"]) for message in watched.said]
    assert [after for _, after in levels[:-1]] == [before for before, _ in levels[1:]]
    assert [message["id"] for message in watched.said] == [f"{STUDENT}:{n + 1}" for n in range(len(levels))]


lessons = st.builds(
    lambda position, minutes, revision: attendance(STUDENT, DAYS[position], unexcused=minutes, revision=revision),
    st.integers(0, len(DAYS) - 1),
    st.sampled_from([0, 0, 60]),
    st.integers(2, 4),
)
marks = st.builds(
    lambda position, course, value, revision: grade(
        STUDENT, DAYS[position], course=f"K{course}", value=value, revision=revision
    ),
    st.integers(0, len(DAYS) - 1),
    st.integers(1, 3),
    st.sampled_from("EFF"),
    st.integers(1, 3),
)
terms = st.lists(st.tuples(st.sampled_from([0, 0, 60]), st.integers(2, 12)), min_size=3, max_size=14).map(
    lambda spells: [
        attendance(STUDENT, day, unexcused=minutes)
        for day, minutes in zip(DAYS, [minutes for minutes, days in spells for _ in range(days)], strict=False)
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_said_after_each_batch_is_what_brute_force_calls_for(data: st.DataObject) -> None:
    events: list[AnyEvent] = [
        *data.draw(terms),
        *data.draw(st.lists(st.one_of(lessons, lessons, marks), max_size=15)),
    ]
    cuts = data.draw(st.lists(st.integers(1, len(events)), max_size=12))
    says_what_brute_force_calls_for(events, cuts)


def absent(days: Sequence[date], revision: int = 1) -> list[AnyEvent]:
    return [attendance(STUDENT, day, unexcused=60, revision=revision) for day in days]


def kinds(said: Sequence[dict[str, Any]]) -> list[str]:
    return [re.split(r"[.]", message["type"])[2] for message in said]


def test_a_correction_withdraws_the_alert_and_names_what_was_corrected() -> None:
    watched = Watched()
    [alert] = watched.take(absent(DAYS[:9]))
    assert (alert["data"]["from"], alert["data"]["to"]) == ("universal", "targeted")
    [withdrawn] = watched.take([attendance(STUDENT, day, excused=0, revision=2) for day in DAYS[:9]])
    assert withdrawn["type"] == "kvar.risk.alert_withdrawn.v1"
    assert withdrawn["data"]["alert"] == alert["id"]
    assert (withdrawn["data"]["from"], withdrawn["data"]["to"]) == ("targeted", "universal")
    assert (withdrawn["data"]["alert_level"], withdrawn["data"]["cause"]) == ("targeted", "correction")
    assert [fact["day"] for fact in withdrawn["data"]["corrected"]] == [day.isoformat() for day in reversed(DAYS[:9])]


def test_an_alert_that_was_right_in_its_time_is_not_withdrawn_when_all_is_well_again() -> None:
    watched = Watched()
    watched.take(absent(DAYS[:9]))
    said = [message for day in DAYS[9:100] for message in watched.take([attendance(STUDENT, day)])]
    assert kinds(said) == ["level_changed"]


def test_an_alert_too_early_by_a_day_is_not_withdrawn_while_its_level_holds() -> None:
    watched = Watched()
    watched.take(absent(DAYS[:9]))
    assert kinds(watched.take(absent(DAYS[9:11]))) == []
    assert watched.take([attendance(STUDENT, DAYS[8], revision=2)]) == []
    known = [*absent(DAYS[:8]), attendance(STUDENT, DAYS[8]), *absent(DAYS[9:11])]
    by_day = oracle.expect([orjson.loads(event.encode()) for event in known])[STUDENT].by_day
    assert [by_day[day][1] for day in DAYS[8:10]] == ["universal", "targeted"]


def test_an_alert_borne_out_only_by_days_that_are_settled_long_since_is_right() -> None:
    watched = Watched()
    watched.take(absent(DAYS[:9]))
    watched.take(absent(DAYS[9:11]))
    watched.take([attendance(STUDENT, DAYS[8], revision=2)])
    assert kinds([said for day in DAYS[11:] for said in watched.take([attendance(STUDENT, day)])]) == ["level_changed"]


def test_an_alert_is_withdrawn_long_after_its_level_has_fallen() -> None:
    watched = Watched()
    watched.take(absent(DAYS[:9]))
    watched.take([attendance(STUDENT, day) for day in DAYS[9:60]])
    [withdrawn] = watched.take([attendance(STUDENT, day, revision=2) for day in DAYS[:9]])
    assert kinds([withdrawn]) == ["alert_withdrawn"]
    assert (withdrawn["data"]["from"], withdrawn["data"]["to"]) == ("universal", "universal")


MILD = Model(RuleVersion(1, Rules(levels=Levels(targeted=60, individual=90))))


def test_new_rules_withdraw_the_alerts_that_are_open_and_no_others() -> None:
    watched = Watched()
    watched.take(absent(DAYS[:9]))
    [withdrawn] = watched.take([], MILD, by_rules=True)
    [by_rules] = withdrawn["data"]["corrected"]
    assert (withdrawn["data"]["cause"], by_rules["kind"], by_rules["key"]) == ("rules", "rules", "points-3+1")
    assert withdrawn["data"]["model_version"] == "points-3+1"
    over = Watched()
    over.take(absent(DAYS[:9]))
    over.take([attendance(STUDENT, day) for day in DAYS[9:60]])
    assert over.take([], MILD, by_rules=True) == []
    assert over.take([attendance(STUDENT, DAYS[60])], MILD) == []


def test_the_newest_rises_alone_can_still_be_withdrawn() -> None:
    record = StudentRecord(STUDENT, "2480", alerts=MOST_RISES)
    record.state.raised = [Raised(n, DAYS[0].toordinal(), 1, is_right=True) for n in range(1, MOST_RISES + 1)]
    marks = [incoming(grade(STUDENT, DAYS[1], course=f"K{n}", required=True), STOCKHOLM).kept.fact for n in range(4)]
    record.state.apply(marks)
    announce(Assessed(record, record.state.assess(MODEL), MODEL, Change(marks, NOW, False)), NOW)
    assert [raised.n for raised in record.state.raised] == list(range(2, MOST_RISES + 2))
