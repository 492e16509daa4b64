"""What scoring says of the longest names and the most groups that the door lets in obeys the contracts that others read it by."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.scoring.handlers import incoming
from services.scoring.indicators import Model
from services.scoring.messages import Assessed, Change, announce, scored
from services.scoring.records import Noted, StudentRecord, Unit
from services.scoring.signal_messages import Said, group_reasons
from services.scoring.signal_messages import announce as announce_signals
from services.scoring.signals import Judged
from services.scoring.student import from_facts
from shared.events import AnyEvent, GroupIndicator, read_event
from shared.events.values import MOST
from tests.builders import MONDAY as FIRST
from tests.builders import STOCKHOLM, attendance, enrolment, pseudonym, school_days

NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = FIRST.toordinal()
UNIT = Unit("a" * 32, "𝒳" * 128)
MOST_GROUPS = [f"{number:03}" + "x" * 78 for number in range(99)]
LONGEST_GROUPS = [f"{number:02}" + "𝒳" * 126 for number in range(16)]


NUMBERS = {"recent_percent": 99.99, "earlier_percent": 0.01, "unit_percent": 33.33, "answers": 1_000_000}
WORSE = [Judged(indicator, True, NUMBERS, 1_000_000, DAY, DAY + 40) for indicator in GroupIndicator]


@pytest.mark.parametrize("groups", [MOST_GROUPS, LONGEST_GROUPS], ids=["most", "longest"])
def test_of_all_groups_in_all_indicators(groups: list[str]) -> None:
    judged = dict.fromkeys([f"unit:{UNIT.code}", *(f"group:{code}" for code in groups)], WORSE)
    said, entries = announce_signals(UNIT, {}, judged, "points-3+999999999", NOW)
    assert len(entries) == len(judged) * len(GroupIndicator)
    for _, entry in entries:
        read_event(entry.body.encode())
    student = pseudonym("maja")
    days = school_days(FIRST, 12)
    lessons = [attendance(student, day, lesson="𝒳" * 100, minutes=720, unexcused=720, unit=UNIT.code) for day in days]
    events: list[AnyEvent] = [enrolment(student, unit=UNIT.code, groups=tuple(groups)), *lessons]
    facts = [incoming(event, STOCKHOLM).kept.fact for event in events]
    state = from_facts(facts)
    record = StudentRecord(student, UNIT.authority, where=state.where(DAY + 40), state=state)
    record.noted = Noted(group_reasons(groups, said))
    record.alerts = MOST - 1
    assessed = Assessed(record, state.assess(Model()), Model(), Change(facts, NOW, is_by_rules=False))
    assert len(record.where.groups) == len(groups)
    assert read_event(scored(assessed, revision=MOST, now=NOW).encode()).subject == student
    [change] = announce(assessed, NOW)
    assert read_event(change.body.encode()).id == f"{student}:{MOST}"
    assert len(change.body) < 1 << 20


def test_a_signal_goes_on_counting() -> None:
    subject = f"unit:{UNIT.code}"
    _, entries = announce_signals(UNIT, {subject: Said(MOST - len(GroupIndicator))}, {subject: WORSE}, "points-3", NOW)
    assert read_event(entries[-1][1].body.encode()).id == f"{subject}:{MOST}"
