"""The simulated school authority: what every simulation obeys. Contracts are checked with the models of `shared.events`."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from deploy.demo.events import Event
from deploy.demo.simulator import Simulation, simulate
from deploy.demo.storylines import Storyline
from shared.errors import Reject
from shared.events import read_door_event

FIRST_DAY, LAST_DAY = date(2025, 8, 20), date(2025, 12, 19)
SIZES = [(1, 1), (10, 2), (66, 3), (300, 5)]
WITH_ALL_STORYLINES = SIZES[1:]


@cache
def term(students: int, units: int) -> Simulation:
    """A whole autumn term; of the largest school five weeks only, to keep the tests short."""
    last_day = date(2025, 9, 26) if students == 300 else LAST_DAY
    return simulate(1, students, units, FIRST_DAY, last_day)


@cache
def events_of(students: int, units: int) -> list[Event]:
    return [event for day in term(students, units).days for event in day.events]


def attendance(students: int, units: int) -> list[Event]:
    return [event for event in events_of(students, units) if event["type"] == "kvar.attendance.recorded.v1"]


def of_type(name: str, students: int = 66, units: int = 3) -> list[dict[str, Any]]:
    return [event["data"] for event in events_of(students, units) if event["type"] == f"kvar.{name}.v1"]


def as_bytes(simulation: Simulation) -> bytes:
    return b"\n".join(json.dumps(event).encode() for day in simulation.days for event in day.events)


@pytest.mark.parametrize(("students", "units"), SIZES)
def test_every_event_obeys_its_contract(students: int, units: int) -> None:
    for event in events_of(students, units):
        read_door_event(event)


@pytest.mark.parametrize(("students", "units"), SIZES)
def test_the_count_is_known_beforehand(students: int, units: int) -> None:
    assert term(students, units).total_events == len(events_of(students, units))


@pytest.mark.parametrize(("students", "units"), SIZES)
def test_every_student_is_enrolled_before_anything_is_said_of_them(students: int, units: int) -> None:
    known: set[str] = set()
    enrolled = set()
    for event in events_of(students, units):
        if event["type"] == "kvar.enrolment.changed.v1":
            known.update(event["data"]["person"]["references"])
            enrolled.add(event["subject"])
        elif event["type"] not in {"kvar.staff.changed.v1", "kvar.climate.reported.v1"}:
            assert event["subject"] in known
    assert len(enrolled) == students


def test_the_same_seed_gives_the_same_events_in_every_call_and_iteration() -> None:
    once, again = simulate(7, 10, 2, FIRST_DAY, LAST_DAY), simulate(7, 10, 2, FIRST_DAY, LAST_DAY)
    assert as_bytes(once) == as_bytes(once) == as_bytes(again)
    assert once.truth == again.truth


def test_the_same_seed_gives_the_same_events_on_every_machine() -> None:
    """Pinned: change the digest only together with a change of the simulation that is meant."""
    simulation = simulate(7, 10, 2, date(2025, 9, 1), date(2025, 11, 7), bad=2)
    assert (
        hashlib.sha256(as_bytes(simulation)).hexdigest()
        == "234015f5e0e2fe9b53ac51339d8907ea89d3de2d7801f47d54b61cc40513d22c"
    )


def test_another_seed_gives_other_events_and_other_references() -> None:
    other = simulate(2, 10, 2, FIRST_DAY, LAST_DAY)
    ids = {event["id"] for day in other.days for event in day.events}
    assert not ids & {event["id"] for event in events_of(10, 2)}


def test_lessons_are_on_school_days_only_five_or_six_a_day_in_local_time() -> None:
    school_days = set(term(66, 3).calendar.school_days)
    per_day: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in attendance(66, 3):
        starts_at = datetime.fromisoformat(event["data"]["starts_at"])
        assert starts_at.date() in school_days
        assert 8 <= starts_at.hour <= 15
        summer_time = starts_at.date() < date(2025, 10, 26)
        assert starts_at.utcoffset() == timedelta(hours=2 if summer_time else 1)
        per_day[event["subject"], starts_at.date().isoformat()].add(event["data"]["lesson"])
    assert {len(lessons) for lessons in per_day.values()} == {5, 6}


def test_days_come_in_order_and_are_school_days() -> None:
    days = [day.day for day in term(66, 3).days]
    assert days == [FIRST_DAY - timedelta(days=1), *term(66, 3).calendar.school_days]


def test_nothing_is_dated_after_the_last_day_or_published_before_it_is_recorded() -> None:
    for day in term(66, 3).days:
        for event in day.events:
            assert datetime.fromisoformat(event["time"]).date() <= day.day <= LAST_DAY


@pytest.mark.parametrize(("students", "units"), SIZES)
def test_truth_is_in_no_event(students: int, units: int) -> None:
    text = json.dumps(events_of(students, units), ensure_ascii=False)
    secrets = [line.value for line in Storyline] + ["storyline", "truth", "drifted away", "family moved", "unresolved"]
    assert [word for word in secrets if word in text] == []


def test_no_event_names_a_cause_of_absence() -> None:
    fields = set().union(*(data.keys() for data in of_type("attendance.recorded")))
    assert fields == {
        "lesson", "school_unit", "group", "course", "starts_at", "minutes", "state",
        "excused_minutes", "unexcused_minutes", "late", "revision",
    }  # fmt: skip


def test_every_event_says_that_it_is_synthetic() -> None:
    assert {event["source"] for event in events_of(66, 3)} == {"/authorities/2480/systems/simulator-1-66-3"}
    for staff in of_type("staff.changed"):
        assert staff["name"].endswith("(påhittad)")
        assert staff["email"].endswith(".example.org")
    assert all("(påhitta" in data["school_unit"] for data in of_type("enrolment.changed"))


def test_addresses_of_staff_are_unique_and_ascii() -> None:
    addresses = [staff["email"] for staff in of_type("staff.changed", 300, 5)]
    assert len(set(addresses)) == len(addresses)
    assert all(address.isascii() for address in addresses)


def test_every_coach_exists_and_every_group_has_one() -> None:
    staff = {e["subject"]: e["data"] for e in events_of(66, 3) if e["type"] == "kvar.staff.changed.v1"}
    for data in of_type("enrolment.changed"):
        assert staff[data["coach"]]["roles"] == ["coach"]
        assert staff[data["coach"]]["scope"] == data["groups"]


@pytest.mark.parametrize(("students", "units"), SIZES)
def test_national_ids_are_unique_and_cannot_be_real(students: int, units: int) -> None:
    ids = [student.national_id for student in term(students, units).authority.students]
    assert len(set(ids)) == students
    for national_id in ids:
        assert national_id[8:11] == "000", "the Swedish Tax Agency gives out birth numbers from 001"
        date.fromisoformat(national_id[:8])


def test_national_ids_last_for_many_born_on_the_same_days() -> None:
    ids = [student.national_id for student in simulate(1, 4000, 1, FIRST_DAY, FIRST_DAY).authority.students]
    assert len(set(ids)) == 4000


def test_registers_come_late_and_are_corrected_and_taken_back() -> None:
    history: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in attendance(66, 3):
        history[event["subject"], event["data"]["lesson"]].append(event["data"])
    changes: Counter[str] = Counter()
    for revisions in history.values():
        revisions.sort(key=lambda data: data["revision"])
        for before, after in itertools.pairwise(revisions):
            if before != after:
                assert before["revision"] < after["revision"]
                changes[_change(before, after)] += 1
    assert changes.keys() == {"registered late", "excused", "present after all", "retracted"}
    assert min(changes.values()) >= 10, changes


def _change(before: dict[str, Any], after: dict[str, Any]) -> str:
    if before["state"] == "unregistered":
        return "registered late"
    if after["state"] == "retracted":
        return "retracted"
    if after["excused_minutes"] and after["excused_minutes"] == before["unexcused_minutes"]:
        return "excused"
    assert not after["excused_minutes"] + after["unexcused_minutes"]
    return "present after all"


def test_a_unit_forgets_to_register_for_a_while() -> None:
    missing = Counter(
        (data["school_unit"], data["starts_at"][:10])
        for data in of_type("attendance.recorded")
        if data["state"] == "unregistered"
    )
    forgetful = term(66, 3).authority.units[-1]
    worst = [place for place, _ in missing.most_common(7)]
    assert {unit for unit, _ in worst} == {forgetful}


def test_repetitions_are_exact_and_other_ids_are_unique() -> None:
    seen: dict[str, Event] = {}
    repeated = 0
    for event in events_of(66, 3):
        repeated += event["id"] in seen
        assert seen.setdefault(event["id"], event) == event
    assert 0.005 < repeated / len(seen) < 0.02


def test_some_events_arrive_after_newer_ones_of_the_same_fact_or_day() -> None:
    times = [event["time"] for event in attendance(66, 3)]
    assert sum(later < earlier for earlier, later in itertools.pairwise(times)) > 100


def test_the_gradebook_knows_students_by_other_references() -> None:
    prefixes = Counter(
        event["subject"].partition(":")[0] for event in events_of(66, 3) if event["type"] == "kvar.grade.recorded.v1"
    )
    assert prefixes.keys() == {"ss12000", "civic"}
    assert {event["subject"].partition(":")[0] for event in attendance(66, 3)} == {"id"}


def test_warnings_are_opened_before_they_are_closed_and_none_is_left_open() -> None:
    warnings: dict[tuple[str, str], list[str]] = defaultdict(list)
    graded = {
        (e["subject"], e["data"]["course"]) for e in events_of(66, 3) if e["data"].get("kind") in {"term", "final"}
    }
    for event in sorted(events_of(66, 3), key=lambda e: e["time"]):
        if event["data"].get("kind") == "warning":
            values = warnings[event["subject"], event["data"]["course"]]
            if not values or values[-1] != event["data"]["value"]:
                values.append(event["data"]["value"])
    assert warnings
    for key, values in warnings.items():
        assert values in (["open"], ["open", "closed"], ["open", "closed", "open", "closed"])
        assert values[-1] == "closed" or key not in graded


def test_all_kinds_of_marks_are_given() -> None:
    values = {data["value"] for data in of_type("grade.recorded", 120, 3) if data["kind"] != "warning"}
    assert values == {"A", "B", "C", "D", "E", "F", "-"}
    projects = {
        d["value"] for d in of_type("grade.recorded", 120, 3) if d["diploma_project"] and d["kind"] != "warning"
    }
    assert projects <= {"E", "F", "-"}


def test_new_students_follow_the_new_curriculum() -> None:
    curricula = {(data["study_year"], data["curriculum"]) for data in of_type("enrolment.changed")}
    assert curricula == {(1, "gy25"), (2, "gy11"), (3, "gy11")}
    assert {d["programme_type"] for d in of_type("enrolment.changed", 300, 5)} == {
        "preparatory",
        "vocational",
        "introductory",
    }


@pytest.mark.parametrize(("students", "units"), WITH_ALL_STORYLINES)
def test_small_schools_have_every_storyline_too(students: int, units: int) -> None:
    assert {truth.storyline for truth in term(students, units).truth} == set(Storyline)


@pytest.mark.parametrize(("students", "units"), WITH_ALL_STORYLINES)
def test_who_leaves_is_enrolled_no_longer_and_has_no_lessons_after(students: int, units: int) -> None:
    lessons: dict[str, set[str]] = defaultdict(set)
    for event in attendance(students, units):
        lessons[event["subject"]].add(event["data"]["starts_at"][:10])
    ended = {
        event["subject"]: event["data"]
        for event in events_of(students, units)
        if event["type"] == "kvar.enrolment.changed.v1" and event["data"]["status"] == "ended"
    }
    left = {truth.references[0]: truth for truth in term(students, units).truth if truth.left_on is not None}
    assert ended.keys() == left.keys() != set()
    for subject, truth in left.items():
        moved = truth.storyline == Storyline.MOVES
        assert truth.left_on is not None
        assert ended[subject]["ends_on"] == truth.left_on.isoformat()
        assert ended[subject]["end_reason"] == ("moved" if moved else "left")
        assert (max(lessons[subject]) > truth.left_on.isoformat()) == moved


def test_one_has_a_protected_identity_from_the_beginning_and_one_gets_it() -> None:
    flags: dict[str, list[bool]] = defaultdict(list)
    for event in events_of(66, 3):
        if event["type"] == "kvar.enrolment.changed.v1":
            flags[event["subject"]].append(event["data"]["protected"])
    protected = sorted(values for values in flags.values() if any(values))
    assert [values[0] for values in protected] == [False, True]
    assert protected[0][-1] is True


def test_somebody_turns_18_during_the_term() -> None:
    for students, units in WITH_ALL_STORYLINES:
        simulation = term(students, units)
        birthdays = {date.fromisoformat(data["turns_18_on"]) for data in of_type("enrolment.changed", students, units)}
        assert any(FIRST_DAY < day <= simulation.calendar.last_day for day in birthdays)


@pytest.mark.parametrize("bad", [0, 1, 6, 20])
def test_bad_events_are_exactly_those_that_ingest_rejects(bad: int) -> None:
    simulation = simulate(1, 10, 2, FIRST_DAY, LAST_DAY, bad=bad)
    oldest = datetime.fromisoformat("2024-12-24T00:00:00+01:00")
    rejected = 0
    for day in simulation.days:
        for event in day.events:
            try:
                read_door_event(event)
            except Reject:
                rejected += 1
            else:
                # The models know no clock: the date rule is ingest's.
                starts_at = event["data"].get("starts_at")
                rejected += starts_at is not None and datetime.fromisoformat(starts_at) < oldest
    assert rejected == simulation.expected_rejections == bad


def test_most_are_rarely_absent_and_some_are_away_a_lot() -> None:
    """The shape of a real school's absence: without it the demo would show either no levels or only high ones."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for event in attendance(120, 3):
        key = event["subject"], event["data"]["lesson"]
        if key not in newest or newest[key]["revision"] < event["data"]["revision"]:
            newest[key] = event["data"]
    minutes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (subject, _), data in newest.items():
        if data["state"] == "registered":
            minutes[subject][0] += data["excused_minutes"] + data["unexcused_minutes"]
            minutes[subject][1] += data["minutes"]
    shares = sorted(absent / scheduled for absent, scheduled in minutes.values())
    assert 0.03 < shares[len(shares) // 2] < 0.07
    assert 0.08 < sum(share >= 0.1 for share in shares) / len(shares) < 0.35
    assert 0.02 < sum(share >= 0.2 for share in shares) / len(shares) < 0.15


@pytest.mark.parametrize(
    ("first_day", "last_day", "days"),
    [
        (date(2025, 9, 3), date(2025, 9, 3), 1),
        (date(2025, 9, 1), date(2025, 9, 12), 10),
        (date(2026, 1, 8), date(2026, 6, 12), 96),
    ],
    ids=["a day", "two weeks", "a spring term"],
)
def test_terms_of_any_length(first_day: date, last_day: date, days: int) -> None:
    simulation = simulate(1, 10, 2, first_day, last_day, bad=1)
    assert len(list(simulation.days)) == 1 + days
    finals = sum(event["data"].get("kind") in {"term", "final"} for day in simulation.days for event in day.events)
    assert finals >= 10 * 6 * 0.7


@pytest.mark.parametrize(
    ("students", "units", "message"), [(0, 0, "units"), (2, 3, "3 units"), (3, 0, "0 units")], ids=str
)
def test_impossible_sizes_are_refused(students: int, units: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(1, students, units, FIRST_DAY, LAST_DAY)


def test_a_term_without_school_days_is_refused() -> None:
    with pytest.raises(ValueError, match="no school day"):
        simulate(1, 10, 2, date(2025, 7, 1), date(2025, 7, 31))
