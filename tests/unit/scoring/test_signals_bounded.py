"""What is said of a school unit's groups, when there are more of them than any school has, or ever new ones."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

from services.scoring import signal_messages, signal_unit
from services.scoring.bounds import MOST_GROUP_REASONS
from services.scoring.group_sums import Member
from services.scoring.records import Unit
from services.scoring.rules import DEFAULT
from services.scoring.signal_messages import Announced, Said, announce, forget, group_reasons
from services.scoring.signal_unit import group_subjects, judge_unit
from services.scoring.signals import Judged
from shared.events import GroupIndicator
from tests.builders import MONDAY

UNIT = Unit("2480", "gy-aspen")
NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = MONDAY.toordinal()
ABSENCE = GroupIndicator.ABSENCE
ANNOUNCED = Announced({"students": 20}, 20, DAY, DAY)


def judged(*, is_worse: bool) -> list[Judged]:
    return [Judged(ABSENCE, is_worse, {"students": 20}, 20, DAY, DAY)]


def test_many_messages_are_announced_in_portions_that_come_to_the_same() -> None:
    news = {f"group:{n:03}": judged(is_worse=n % 2 == 0) for n in range(40)}
    said = {f"group:{n:03}": Said(1, {ABSENCE: ANNOUNCED}) for n in range(0, 40, 4)}
    whole, entries = announce(UNIT, said, news, "points-3", NOW)
    portions: list[str] = []
    with mock.patch.object(signal_messages, "MOST_AT_ONCE", 3):
        known, some = announce(UNIT, said, news, "points-3", NOW)
        while some:
            assert len(some) <= 3
            portions += [entry.id for _, entry in some]
            known, some = announce(UNIT, known, news, "points-3", NOW)
    assert (known, portions) == (whole, [entry.id for _, entry in entries])


def test_of_groups_that_are_gone_nothing_is_kept_and_their_numbers_go_on() -> None:
    said: dict[str, Said] = {}
    forgotten, ids = 0, list[str]()
    for year in range(5):
        for is_worse in (True, False):
            news = {f"group:{year}": judged(is_worse=is_worse)}
            said, entries = announce(UNIT, said, news, "points-3", NOW, forgotten=forgotten)
            said, forgotten = forget(said, news, forgotten)
            ids += [entry.id for _, entry in entries]
            assert len(said) <= 1
    assert len(set(ids)) == 10
    # The first group is there again: what it says is newer than all that it said before.
    _, [(_, again)] = announce(UNIT, said, {"group:0": judged(is_worse=True)}, "points-3", NOW, forgotten=forgotten)
    numbers = [int(each.rpartition(":")[2]) for each in [*ids, again.id] if "group:0:" in each]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 3


def test_a_signal_that_stands_is_not_forgotten() -> None:
    said = {"group:a": Said(1, {ABSENCE: ANNOUNCED}), "group:b": Said(2), "group:c": Said(3)}
    assert forget(said, ["group:c"], 0) == ({"group:a": said["group:a"], "group:c": said["group:c"]}, 2)


def test_the_first_groups_signals_are_told_with_a_score() -> None:
    codes = [f"group {n:03}" for n in range(3 * MOST_GROUP_REASONS)]
    said = {f"group:{code}": Said(1, {ABSENCE: ANNOUNCED}) for code in codes}
    assert [reason.group for reason in group_reasons(reversed(codes), said)] == codes[:MOST_GROUP_REASONS]


def test_a_unit_with_more_groups_than_any_school_has_is_judged_by_itself_alone() -> None:
    members = [Member(f"p{n}", (f"a{n}", f"b{n}"), DAY, DAY, {}, []) for n in range(6)]
    with mock.patch.object(signal_unit, "MOST_GROUPS_OF_UNIT", 12):
        assert len(group_subjects("u", members)) == 13
    with mock.patch.object(signal_unit, "MOST_GROUPS_OF_UNIT", 11):
        assert group_subjects("u", members) == group_subjects("u", members[::-1]) == ["unit:u"]
        work = judge_unit("u", members, {}, DEFAULT)
        while True:
            try:
                next(work)
            except StopIteration as done:
                found = done.value
                break
        assert set(found.by_subject) == {"unit:u"}
