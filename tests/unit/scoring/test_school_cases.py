"""Cases that schools have met: scoring must say what was worked out by hand. The oracles: tests/unit/test_school_cases.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest

from services.scoring.climate import Version, preferred
from services.scoring.climate_handler import kept_report
from services.scoring.group_sums import Member
from services.scoring.rules import DEFAULT
from services.scoring.signal_unit import UnitJudged, group_subjects, judge_unit, noted
from shared.events import AnyEvent, ClimateReportedEvent, EnrolmentChangedEvent
from shared.events.places import Place, Presence, latest_begun, place_of, whereabouts
from tests.builders import STOCKHOLM
from tests.place_oracle import Where
from tests.school_cases import (
    ALERT_CASES,
    CASES,
    PLACE_CASES,
    SIGNAL_CASES,
    AlertCase,
    Case,
    PlaceCase,
    SignalCase,
)
from tests.school_cases.case import MAJA, Said
from tests.unit.scoring.test_announcing import Watched
from tests.unit.scoring.test_facts_to_level import fold
from tests.unit.scoring.test_signals_brute_force import finished, member, state


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_score_is_what_was_worked_out_by_hand(case: Case) -> None:
    count = len(case.events)
    for events in (case.events, case.events[::-1]):
        for cuts in ([], list(range(count))):
            found, student = fold(events, cuts)
            points = {reason.indicator.name: reason.points for reason in found.reasons}
            as_of = date.fromordinal(found.as_of).isoformat() if found.as_of else None
            wanted = case.expected
            assert (found.score, found.level.value, points, as_of) == (
                wanted.score,
                wanted.level,
                wanted.points,
                wanted.as_of,
            )
            known = {day: each for day, each in wanted.by_day.items() if day.toordinal() in student.trail}
            assert {day: student.trail[day.toordinal()].level.value for day in known} == {
                day: level for day, (_, level) in known.items()
            }


@pytest.mark.parametrize("case", ALERT_CASES, ids=lambda case: case.id)
def test_of_a_level_is_said_what_was_worked_out_by_hand(case: AlertCase) -> None:
    watched = Watched(MAJA)
    for arrived, wanted in case.steps:
        said = [message["data"] for message in watched.take(arrived)]
        assert [
            Said(data["from"], data["to"], frozenset(fact["kind"] for fact in data.get("corrected", [])))
            for data in said
        ] == wanted


def placed(events: Sequence[EnrolmentChangedEvent], day: date) -> Where | None:
    known: dict[tuple[str, int], Place] = {}
    for event in events:
        place = place_of(event.data, event.time, STOCKHOLM)
        if place.supersedes(known.get(place.key)):
            known[place.key] = place
    found = whereabouts(latest_begun(known.values(), lambda place: place.begun), day.toordinal())
    if found is None or found.presence not in {Presence.ACTIVE, Presence.PAUSED}:
        return None
    place = found.place
    first_day = date.fromordinal(place.starts_on)
    return Where(place.school_unit, first_day, list(place.groups), list(place.coaches), found.presence.value)


@pytest.mark.parametrize("case", PLACE_CASES, ids=lambda case: case.id)
def test_a_student_is_where_the_text_says(case: PlaceCase) -> None:
    for events in (case.enrolments, case.enrolments[::-1]):
        assert placed(events, case.day) == case.expected


class Everybody:
    """The students of a case as signals see them on its day, by school unit, and the climate reports."""

    def __init__(self, case: SignalCase) -> None:
        self.today = case.today.toordinal()
        self.reports: dict[tuple[str, str], list[Version]] = {}
        own: dict[str, list[AnyEvent]] = {}
        for event in case.events:
            if isinstance(event, ClimateReportedEvent):
                report = kept_report(event)
                self.reports.setdefault((report.unit.code, report.subject), []).append(report.version)
            else:
                own.setdefault(event.subject, []).append(event)
        self.units: dict[str, list[Member]] = {}
        for student, events in own.items():
            known = state(events, [])
            found = member(student, known, self.today)
            if found is not None:
                self.units.setdefault(known.where(self.today).school_unit or "", []).append(found)

    def members(self, unit: str, subject: str) -> set[str]:
        kind, _, code = subject.partition(":")
        return {each.id for each in self.units.get(unit, ()) if kind == "unit" or code in each.groups}

    def judged(self, unit: str) -> UnitJudged:
        members = self.units.get(unit, [])
        elsewhere = {
            code for other, found in self.units.items() if other != unit for each in found for code in each.groups
        }
        climate = {}
        for subject in group_subjects(unit, members):
            is_known = subject.removeprefix("group:") not in elsewhere
            unnamed = self.reports.get(("", subject), []) if is_known else []
            climate[subject] = preferred(self.reports.get((unit, subject), []), unnamed)
        return finished(judge_unit(unit, members, climate, DEFAULT))


@pytest.mark.parametrize("case", SIGNAL_CASES, ids=lambda case: case.id)
def test_of_groups_is_said_what_was_worked_out_by_hand(case: SignalCase) -> None:
    everybody = Everybody(case)
    assert {key: everybody.members(*key) for key in case.members} == case.members
    for (unit, subject), worse in case.worse.items():
        found = everybody.judged(unit).by_subject.get(subject, [])
        assert {each.indicator.value for each in found if each.is_worse} == worse
    for student, since in case.stale.items():
        there = [(unit, each) for unit, found in everybody.units.items() for each in found if each.id == student]
        told = noted(there[0][1], everybody.judged(there[0][0]), {}, DEFAULT).stale_since if there else None
        assert (date.fromordinal(told) if told else None) == since
