"""When a group worsens together, rule by rule, at the thresholds. All rules at once: test_signals_brute_force.py."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

import orjson
import pytest
from pydantic import ValidationError

from services.scoring.climate import HOLDS_DAYS, UnitClimate, Version, monday, reports
from services.scoring.courses import Courses
from services.scoring.group_sums import Member, Sums
from services.scoring.records import Noted, Unit
from services.scoring.rules import DEFAULT, GroupSignals, Rules
from services.scoring.signal_messages import Announced, Said, announce, group_reasons
from services.scoring.signal_unit import UnitJudged, judge_unit, noted
from services.scoring.signals import Judged, stale_since
from shared.events import GroupIndicator, GroupSignalChangedEvent
from tests.builders import MONDAY, school_days

DAYS = [day.toordinal() for day in school_days(MONDAY, 80)]
USUAL = Sums(60, 0, 0, 0, 1)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
ResultT = TypeVar("ResultT")


def away(minutes: int) -> Sums:
    return Sums(60, minutes, 0, 0, 1)


def truant(minutes: int) -> Sums:
    return Sums(60, minutes, minutes, 0, 1)


def late(lessons: int) -> Sums:
    return Sums(60, 0, 0, lessons, 1)


def student(
    name: str, days: Sequence[Sums], *, group: str = "A", courses: Iterable[tuple[int, Courses]] = ()
) -> Member:
    registers = {day: sums for day, sums in zip(DAYS, days, strict=False) if sums.registers}
    return Member(name, (group,), DAYS[0], max(registers, default=0), registers, list(courses))


def students(count: int, days: Sequence[Sums], *, group: str = "A") -> list[Member]:
    return [student(f"{group}{n}", days, group=group) for n in range(count)]


def finished(work: Generator[None, None, ResultT]) -> ResultT:
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: ResultT = done.value
            return result


def judge(
    members: Sequence[Member], climate: Mapping[str, Sequence[Version]] | None = None, rules: Rules = DEFAULT
) -> UnitJudged:
    return finished(judge_unit("gy", members, climate or {}, rules))


def worse(judged: UnitJudged, subject: str = "group:A") -> set[str]:
    return {each.indicator.value for each in judged.by_subject.get(subject, ()) if each.is_worse}


@pytest.mark.parametrize(
    ("indicator", "days", "after_one", "after_two"),
    [
        pytest.param("absence", away(60), True, True, id="ten points at once: twice the threshold"),
        pytest.param("absence", away(59), False, True, id="hardly less needs a second day"),
        pytest.param("absence", away(30), False, True, id="five points on the first of two days"),
        pytest.param("absence", away(29), False, False, id="hardly less: the second day is the first"),
        pytest.param("unexcused_absence", truant(36), True, True, id="six points unexcused at once"),
        pytest.param("unexcused_absence", truant(35), False, True, id="less than six points"),
        pytest.param("unexcused_absence", truant(18), False, True, id="three points"),
        pytest.param("unexcused_absence", truant(17), False, False, id="less than three points"),
        pytest.param("late_arrivals", late(2), True, True, id="late twice at once"),
        pytest.param("late_arrivals", late(1), False, True, id="late once"),
    ],
)
def test_registers_rise_at_the_threshold(indicator: str, days: Sums, after_one: bool, after_two: bool) -> None:
    for count, expected in ((1, after_one), (2, after_two)):
        members = [*students(12, [USUAL] * 30 + [days] * count), *students(8, [USUAL] * 32, group="B")]
        assert (indicator in worse(judge(members))) is expected, f"after {count} days"
        assert worse(judge(members), "group:B") == set()


@pytest.mark.parametrize(
    ("students_of_class", "late_ones", "is_worse"),
    [
        pytest.param(12, 12, True, id="all"),
        pytest.param(12, 6, True, id="half"),
        pytest.param(12, 5, False, id="fewer than half"),
        pytest.param(7, 5, True, id="five"),
        pytest.param(7, 4, False, id="more than half, but fewer than five"),
        pytest.param(12, 1, False, id="one alone, however much"),
    ],
)
def test_a_signal_is_of_many_together(students_of_class: int, late_ones: int, is_worse: bool) -> None:
    days = [USUAL] * 30 + [late(20 if late_ones == 1 else 4)] * 3
    members = [student(f"a{n}", days if n < late_ones else [USUAL] * 33) for n in range(students_of_class)]
    judged = judge([*members, *students(20, [USUAL] * 33, group="B")])
    assert worse(judged) == ({"late_arrivals"} if is_worse else set())


@pytest.mark.parametrize(("count", "is_judged"), [(5, True), (4, False)])
def test_fewer_than_five_are_never_judged(count: int, is_judged: bool) -> None:
    judged = judge([*students(count, [USUAL] * 30 + [away(60)] * 2), *students(60, [USUAL] * 32, group="B")])
    assert ("group:A" in judged.by_subject) == is_judged


def test_what_the_whole_unit_has_alike_is_a_signal_of_the_unit_not_of_its_groups() -> None:
    ill = [USUAL] * 30 + [away(60)] * 2
    judged = judge([*students(12, ill), *students(12, ill, group="B")])
    assert (worse(judged), worse(judged, "group:B"), worse(judged, "unit:gy")) == (set(), set(), {"absence"})


def test_a_group_is_not_compared_with_fewer_than_five_others() -> None:
    ill = [USUAL] * 30 + [away(60)] * 2
    assert worse(judge([*students(12, ill), *students(5, [USUAL] * 32, group="B")])) == {"absence"}
    judged = judge([*students(12, ill), *students(4, [USUAL] * 32, group="B")])
    assert worse(judged) == set()
    assert all("unit_percent" not in each.numbers for each in judged.by_subject["group:A"])


def test_thirty_school_days_are_needed() -> None:
    others = students(12, [USUAL] * 40, group="B")
    assert worse(judge([*students(12, [USUAL] * 27 + [away(60)] * 2), *others])) == set()
    assert worse(judge([*students(12, [USUAL] * 28 + [away(60)] * 2), *others])) == {"absence"}


def test_a_day_on_which_fewer_than_half_had_a_register_is_no_school_day_of_the_group() -> None:
    nothing = Sums()
    ill, forgotten = [*[USUAL] * 30, away(60)], [*[USUAL] * 30, nothing]
    others = students(12, [USUAL] * 31, group="B")
    for taken, expected in ((6, DAYS[30]), (5, DAYS[29])):
        members = [student(f"a{n}", ill if n < taken else forgotten) for n in range(12)]
        newest = [each.last_day for each in judge([*members, *others]).by_subject["group:A"]]
        assert newest[0] == expected


def test_it_falls_after_ten_school_days_clearly_below() -> None:
    others = students(12, [USUAL] * 60, group="B")
    for usual_again, expected in ((18, {"absence"}), (19, set())):
        days = [*[USUAL] * 30, *[away(60)] * 2, *[USUAL] * usual_again]
        assert worse(judge([*students(12, days), *others])) == expected


def report(period: str, mean: float | None, *, revision: int = 1, digest: str = "a") -> Version:
    return Version(period, revision, digest, mean, 8)


WEEKS = [f"{year}-W{week:02d}" for year, week, _ in (date.fromordinal(day).isocalendar() for day in DAYS[::5])]
"""Week n of the term has the school days from 5 * n on."""


def test_a_signal_that_neither_rises_nor_falls_is_over_after_25_school_days() -> None:
    """The last report is 0.35 below the mean of those before: less than a threshold, but not clearly."""
    known = {
        "group:A": [report(WEEKS[0], 4.0), report(WEEKS[1], 3.4), report(WEEKS[2], 3.35)],
        "unit:gy": [report(week, 4.5) for week in WEEKS[:3]],
    }
    for days, expected in ((33, {"climate"}), (34, set())):
        assert worse(judge(students(6, [USUAL] * days), known)) == expected, f"after {days} school days"


@pytest.mark.parametrize(
    ("recent", "earlier", "unit", "is_worse"),
    [
        pytest.param(3.5, 4.0, 4.0, True, id="half a step below both"),
        pytest.param(3.6, 4.0, 4.0, False, id="less below its past"),
        pytest.param(3.5, 4.0, 3.9, False, id="less below its unit"),
        pytest.param(3.5, None, 4.0, False, id="no report before"),
        pytest.param(3.5, 4.0, None, False, id="nothing of the unit"),
        pytest.param(4.5, 4.0, 4.0, False, id="better"),
    ],
)
@pytest.mark.parametrize("of_unit", ["unit:gy", "group:B"])
def test_climate(recent: float, earlier: float | None, unit: float | None, is_worse: bool, of_unit: str) -> None:
    known = {"group:A": [report(WEEKS[1], recent)]}
    if earlier is not None:
        known["group:A"].append(report(WEEKS[0], earlier))
    if unit is not None:
        known[of_unit] = [report(WEEKS[1], unit)]
    members = [*students(6, [USUAL] * 7), *students(6, [USUAL] * 7, group="B")]
    assert worse(judge(members, known)) == ({"climate"} if is_worse else set())


def test_of_a_climate_report_the_highest_revision_counts_and_a_retraction_takes_it_back() -> None:
    first, second = report("2026-W40", 3.0), report("2026-W40", 2.0, revision=2)
    tie, retraction = report("2026-W40", 4.0, revision=2, digest="b"), report("2026-W40", None, revision=3)
    assert [each.mean for each in reports([second, first])] == [2.0]
    assert [each.mean for each in reports([tie, second])] == [each.mean for each in reports([second, tie])] == [4.0]
    assert reports([first, retraction, second]) == []


def test_a_climate_report_holds_from_its_monday_for_twenty_weeks_at_most() -> None:
    known = UnitClimate("gy", {"group:A": reports([report("2026-W40", 3.0)])})
    first = monday("2026-W40")
    held = [known.compare("group:A", first + n) is not None for n in (-1, 0, HOLDS_DAYS - 1, HOLDS_DAYS)]
    assert held == [False, True, True, False]


@pytest.mark.parametrize(
    ("warned", "is_worse"), [pytest.param(5, True, id="half"), pytest.param(4, False, id="0.4 each, but only four")]
)
def test_open_warnings(warned: int, is_worse: bool) -> None:
    opened = [(DAYS[20], Courses(warned=1))]
    members = [student(f"a{n}", [USUAL] * 23, courses=opened if n < warned else ()) for n in range(10)]
    judged = judge([*members, *students(8, [USUAL] * 23, group="B")])
    assert worse(judged) == ({"warnings"} if is_worse else set())
    numbers = next(each.numbers for each in judged.by_subject["group:A"] if each.indicator == "warnings")
    assert numbers == {
        "students": 10,
        "recent_open_warnings_per_student": warned / 10,
        "earlier_open_warnings_per_student": 0.0,
        "unit_open_warnings_per_student": 0.0,
    }


@pytest.mark.parametrize(
    ("fresh_until", "starts_on", "unit_days", "expected"),
    [
        pytest.param(DAYS[4], DAYS[0], DAYS[:15], DAYS[5], id="ten school days after the newest register"),
        pytest.param(DAYS[4], DAYS[0], DAYS[:14], None, id="nine"),
        pytest.param(0, DAYS[0], DAYS[:10], DAYS[0], id="never any register, from the first day of the place"),
        pytest.param(DAYS[1], DAYS[5], DAYS[:14], None, id="before the place began none was missed"),
        pytest.param(DAYS[1], DAYS[5], DAYS[:15], DAYS[5], id="since the place began"),
        pytest.param(DAYS[4], DAYS[0], DAYS[:5], None, id="the unit has no school days either"),
    ],
)
@pytest.mark.parametrize("groups", [("A", "B"), ()])
def test_stale(
    groups: tuple[str, ...], fresh_until: int, starts_on: int, unit_days: list[int], expected: int | None
) -> None:
    member = Member("p", groups, starts_on, fresh_until, {}, [])
    assert stale_since(member, unit_days, 10) == expected
    assert noted(None, UnitJudged(), {}, DEFAULT) == Noted()


def judged(indicator: GroupIndicator, *, is_worse: bool) -> Judged:
    return Judged(indicator, is_worse, {"students": 12, "recent_percent": 9.0}, 12, DAYS[0], DAYS[30])


def test_messages_of_a_group_are_numbered_across_its_indicators() -> None:
    unit, said = Unit("2480", "gy"), dict[str, Said]()
    told = []
    for absence, warnings in ((True, False), (True, True), (True, True), (False, False)):
        found = [
            judged(GroupIndicator.ABSENCE, is_worse=absence),
            judged(GroupIndicator.WARNINGS, is_worse=warnings),
        ]
        said, entries = announce(unit, said, {"group:A": found, "unit:gy": []}, "points-3", NOW)
        told += [GroupSignalChangedEvent.model_validate_json(entry.body) for _, entry in entries]
        assert [subject for subject, _ in entries] == ["group:A"] * len(entries)
        assert all(entry.id == f"2480|gy|{orjson.loads(entry.body)['id']}" for _, entry in entries)
    assert [(each.id, each.data.indicator.value, each.data.state) for each in told] == [
        ("group:A:1", "absence", "worse"),
        ("group:A:2", "warnings", "worse"),
        ("group:A:3", "absence", "usual"),
        ("group:A:4", "warnings", "usual"),
    ]
    assert said == {"group:A": Said(4, {})}


def test_of_a_group_that_is_too_small_now_only_the_end_is_told() -> None:
    before = {"group:A": Said(3, {GroupIndicator.ABSENCE: Announced({"students": 6}, 6, DAYS[0], DAYS[5])})}
    said, [(_, entry)] = announce(Unit("2480", "gy"), before, {}, "points-3", NOW)
    data = GroupSignalChangedEvent.model_validate_json(entry.body).data
    assert (data.n, data.state, data.numbers, data.students) == (4, "usual", {}, 6)
    assert said == {"group:A": Said(4)}


def test_students_are_told_the_numbers_that_were_announced_without_points() -> None:
    announced = Announced({"students": 6, "recent_mean": 3.1}, 6, DAYS[0], DAYS[5])
    said = {
        "group:A": Said(1, {GroupIndicator.CLIMATE: announced}),
        "unit:gy": Said(1, {GroupIndicator.ABSENCE: announced}),
    }
    [reason] = group_reasons(["A", "B"], said)
    assert (reason.indicator, reason.points, reason.group) == ("group_climate", 0, "A")
    assert reason.numbers == announced.numbers
    assert (reason.first_day.toordinal(), reason.last_day.toordinal()) == (DAYS[0], DAYS[5])


def test_an_authority_cannot_let_fewer_than_five_make_a_signal() -> None:
    with pytest.raises(ValidationError, match="min_students"):
        GroupSignals(min_students=4)
    strict = Rules(group_signals=GroupSignals(min_students=13))
    members = [*students(12, [USUAL] * 30 + [away(60)] * 2), *students(20, [USUAL] * 32, group="B")]
    assert worse(judge(members, rules=strict)) == set()


def test_a_student_who_is_named_twice_in_a_group_counts_once() -> None:
    once = students(4, [USUAL] * 40)
    twice = [member._replace(groups=("A", "A")) for member in once]
    assert judge(twice).by_subject == judge(once).by_subject
