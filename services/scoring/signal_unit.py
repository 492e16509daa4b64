"""A whole school unit with all its groups, judged at once: nothing outside the unit has a say. Pure.

A group is the students of one unit with an active place and the group's code. Students of another unit in a joint group are a
group of their own there: codes of two units may be alike by chance.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.scoring.climate import UnitClimate, Version, reports
from services.scoring.group_sums import Member, Party
from services.scoring.records import Noted
from services.scoring.rules import Rules
from services.scoring.signal_messages import Said, group_reasons
from services.scoring.signals import MEMBERS_AT_A_TIME, Judged, judge, stale_since
from shared.events.places import MOST_GROUPS_OF_UNIT


@dataclass(slots=True)
class UnitJudged:
    """What is said of a unit's groups by subject, and the unit's school days (day numbers)."""

    by_subject: dict[str, list[Judged]] = field(default_factory=dict)
    school_days: list[int] = field(default_factory=list)


def group_subjects(unit: str, members: Iterable[Member]) -> list[str]:
    """The unit and its groups, as events name them; the unit alone where there are more groups than any school has."""
    codes: set[str] = set()
    for one in members:
        codes.update(one.groups)
        if len(codes) > MOST_GROUPS_OF_UNIT:
            return [f"unit:{unit}"]
    return [f"unit:{unit}", *(f"group:{code}" for code in sorted(codes))]


def judge_unit(
    unit: str, members: Sequence[Member], climate: Mapping[str, Sequence[Version]], rules: Rules
) -> Generator[None, None, UnitJudged]:
    """Judges a unit and its groups. Yields every few milliseconds, where others may go on."""
    whole = Party()
    groups = {subject.removeprefix("group:"): Party() for subject in group_subjects(unit, members)[1:]}
    for number, member in enumerate(members):
        if number % MEMBERS_AT_A_TIME == MEMBERS_AT_A_TIME - 1:
            yield
        whole.add(member)
        for code in set(member.groups) if groups else ():
            groups[code].add(member)
    known = UnitClimate(unit, {subject: reports(versions) for subject, versions in climate.items()})
    least = rules.group_signals.min_students
    found = UnitJudged(school_days=whole.school_days(least))
    for code, group in groups.items():
        yield
        if len(group.members) >= least:
            found.by_subject[f"group:{code}"] = yield from judge(f"group:{code}", group, whole, known, rules)
    found.by_subject[f"unit:{unit}"] = yield from judge(f"unit:{unit}", whole, None, known, rules)
    return found


def noted(member: Member | None, judged: UnitJudged, said: Mapping[str, Said], rules: Rules) -> Noted:
    """What a student's groups say of the student; of one without an active place, nothing."""
    if member is None:
        return Noted()
    since = stale_since(member, judged.school_days, rules.stale.school_days)
    return Noted(group_reasons(member.groups, said), since)
