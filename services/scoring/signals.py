"""When a whole group or school unit worsens together: what is compared, how strongly, and for how long it holds. Pure.

A group's *school days* are the days on which at least half of its students, and at least five, had a register. On each of
them the last 10 school days of the group stand beside the 20 before (its own past) and beside the same 10 of the rest of its
school unit. The *strength* of a signal on that day is the smaller of the two differences: what the whole unit has alike (a
flu, a strike of buses) is no signal of one group, and what a group has always had is none either. A unit stands beside its own
past alone. Where anything needed is unknown, or too few of the students worsen themselves, the strength is 0.

The state is a fold of `level.step` over the last 25 school days of the group, from nothing. It is a function of the current
students' facts alone, whenever and wherever it is computed: of each student 60 school days are at hand, enough for 25 days that
each look back over 30, and five to spare for days that only some students had. A signal that has stood neither risen nor
clearly below for longer than 25 days is over; without that bound, the state would hang on days that nobody has at hand. No window
reaches back over the start of the school year.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.scoring.climate import WEEK_DAYS, UnitClimate
from services.scoring.group_sums import NOTHING, Daily, Member, Party, Running, Sums, open_warnings
from services.scoring.level import Standing, step
from services.scoring.rules import GroupSignals, Rules
from shared.events import GroupIndicator

RECENT_DAYS = 10
EARLIER_DAYS = 20
LOOK_BACK_DAYS = RECENT_DAYS + EARLIER_DAYS
FOLDED_DAYS = 25
"""School days of the group. These are no settings: what students keep at hand, and the sentences about groups, rest on them."""
MEMBERS_AT_A_TIME = 15
"""Students looked at between two points where others may go on: with ten groups each, about 10 ms."""
DAYS_AT_A_TIME = 5
"""The same for days of a school unit of 1,000."""
PARTS = 1_000_000
"""Strengths and thresholds are whole millionths, so that no noise of floating point decides."""

FRESH = Standing(above=(0,), below=(0,))


class Value(NamedTuple):
    """What is counted of registers: `numbers` begin their names with `recent_`, `earlier_`, `unit_`."""

    name: str
    decimals: int
    of: Callable[[Sums], float | None]


def _percent(minutes: Callable[[Sums], int]) -> Callable[[Sums], float | None]:
    return lambda sums: 100 * minutes(sums) / sums.scheduled if sums.scheduled else None


def _late_per_student(sums: Sums) -> float | None:
    """Late lessons of a student in ten school days with a register."""
    return RECENT_DAYS * sums.late / sums.registers if sums.registers else None


BY_REGISTERS = {
    GroupIndicator.ABSENCE: Value("percent", 1, _percent(lambda sums: sums.absent)),
    GroupIndicator.UNEXCUSED_ABSENCE: Value("percent", 1, _percent(lambda sums: sums.unexcused)),
    GroupIndicator.LATE_ARRIVALS: Value("late_per_student", 2, _late_per_student),
}


class Compared(NamedTuple):
    """A group on one of its school days. `unit`: the rest of its unit. None: unknown. Day numbers, first and last counted."""

    recent: float | None
    earlier: float | None
    unit: float | None
    first_day: int
    last_day: int
    answers: int = 0


class Judged(NamedTuple):
    """What is said of a group in one indicator. The numbers are those of its newest school day, only the known ones."""

    indicator: GroupIndicator
    is_worse: bool
    numbers: Mapping[str, float | int]
    students: int
    first_day: int
    last_day: int


@dataclass(frozen=True, slots=True)
class Ground:
    """What a group is judged on: its students, its school days that count, its unit (None for a unit itself), the climate."""

    subject: str
    party: Party
    days: Sequence[int]
    unit: Party | None
    climate: UnitClimate
    rule: GroupSignals

    @property
    def folded(self) -> range:
        """Positions in `days` that the state is folded over."""
        return range(max(0, len(self.days) - FOLDED_DAYS), len(self.days))


def judge(
    subject: str, group: Party, unit: Party | None, climate: UnitClimate, rules: Rules
) -> Generator[None, None, list[Judged]]:
    """What is said of a group (`group:…`) of a unit, or of a unit (`unit:…`, without `unit`); of fewer students than the rule
    asks for, nothing. Yields now and then, where others may go on.
    """
    rule = rules.group_signals
    days = group.school_days(rule.min_students)[-(LOOK_BACK_DAYS + FOLDED_DAYS - 1) :]
    if days:
        days = days[bisect_left(days, rules.school_year.first_day(days[-1])) :]
    if len(group.members) < rule.min_students or not days:
        return []
    ground = Ground(subject, group, days, unit, climate, rule)
    compared = _by_registers(ground)
    compared[GroupIndicator.WARNINGS] = []
    for position in ground.folded:
        if position % DAYS_AT_A_TIME == 0:
            yield
        compared[GroupIndicator.WARNINGS].append(_warnings(ground, position))
    compared[GroupIndicator.CLIMATE] = [_climate(ground, position) for position in ground.folded]
    strengths = {
        indicator: [_strength(indicator, each, is_unit=unit is None) for each in of_days]
        for indicator, of_days in compared.items()
    }
    yield from _only_together(ground, strengths)
    return [_judged(ground, indicator, compared[indicator][-1], strengths[indicator]) for indicator in compared]


def _by_registers(ground: Ground) -> dict[GroupIndicator, list[Compared]]:
    running = Running(ground.days, ground.party.by_day)
    rest: Daily = {}
    if ground.unit is not None:
        rest = ground.unit.daily_without(ground.party, ground.days, ground.rule.min_students)
    resting = Running(ground.days, rest)
    found: dict[GroupIndicator, list[Compared]] = {indicator: [] for indicator in BY_REGISTERS}
    for position in ground.folded:
        end, middle, start = _window(position)
        first_day, last_day = ground.days[max(0, start)], ground.days[position]
        if start < 0:
            windows = (NOTHING, NOTHING, NOTHING)
        else:
            windows = (running.between(middle, end), running.between(start, middle), resting.between(middle, end))
        for indicator, value in BY_REGISTERS.items():
            recent, earlier, unit = [value.of(sums) for sums in windows]
            found[indicator].append(Compared(recent, earlier, unit, first_day, last_day))
    return found


def _window(position: int) -> tuple[int, int, int]:
    """End, middle and start of the windows up to a position; a negative start: there are too few days."""
    end = position + 1
    return end, end - RECENT_DAYS, end - LOOK_BACK_DAYS


def _warnings(ground: Ground, position: int) -> Compared:
    """Open warnings per student on the day and 20 school days before."""
    day, before = ground.days[position], max(0, position - EARLIER_DAYS)
    count = len(ground.party.members)
    recent = ground.party.warnings(day)
    earlier = ground.party.warnings(ground.days[before]) / count if position >= EARLIER_DAYS else None
    others = len(ground.unit.members) - count if ground.unit is not None else 0
    unit = None
    if ground.unit is not None and others >= ground.rule.min_students:
        unit = (ground.unit.warnings(day) - recent) / others
    return Compared(recent / count, earlier, unit, ground.days[before], day)


def _climate(ground: Ground, position: int) -> Compared:
    """The report that holds on the day; its week ends on a Sunday."""
    day = ground.days[position]
    found = ground.climate.compare(ground.subject, day)
    if found is None:
        return Compared(None, None, None, day, day)
    recent = found.recent
    last_day = recent.monday + WEEK_DAYS - 1
    return Compared(recent.mean, found.earlier_mean, found.unit_mean, found.first_day, last_day, recent.answers)


def _parts(number: float) -> int:
    return round(number * PARTS)


def _strength(indicator: GroupIndicator, compared: Compared, *, is_unit: bool) -> int:
    recent, earlier, unit = compared.recent, compared.earlier, compared.unit
    if recent is None or earlier is None or (unit is None and not is_unit):
        return 0
    others = [earlier] if unit is None or is_unit else [earlier, unit]
    sign = -1 if indicator is GroupIndicator.CLIMATE else 1
    return max(0, _parts(min(sign * (recent - other) for other in others)))


def _only_together(ground: Ground, strengths: Mapping[GroupIndicator, list[int]]) -> Generator[None, None, None]:
    """Takes the strength from days on which too few of the students have worsened themselves."""
    asked: dict[GroupIndicator, list[int]] = {
        indicator: [at for at, strength in enumerate(of_days) if strength]
        for indicator, of_days in strengths.items()
        if indicator is not GroupIndicator.CLIMATE
    }
    if not any(asked.values()):
        return
    worsened = {indicator: dict.fromkeys(places, 0) for indicator, places in asked.items()}
    for number, member in enumerate(ground.party.members):
        if number % MEMBERS_AT_A_TIME == MEMBERS_AT_A_TIME - 1:
            yield
        for indicator, places in _worsened(ground, member, asked):
            for at in places:
                worsened[indicator][at] += 1
    needed = max(ground.rule.min_students, ground.rule.share_of_students * len(ground.party.members))
    for indicator, counts in worsened.items():
        for at, count in counts.items():
            if count < needed:
                strengths[indicator][at] = 0


def _worsened(
    ground: Ground, member: Member, asked: Mapping[GroupIndicator, Sequence[int]]
) -> Iterable[tuple[GroupIndicator, list[int]]]:
    """On which of the days asked for a student has worsened: by the rule's part of the threshold at least."""
    running = Running(ground.days, member.registers)
    first = ground.folded.start
    for indicator, places in asked.items():
        least = _parts(getattr(ground.rule, indicator) * ground.rule.student_part)
        if indicator is GroupIndicator.WARNINGS:
            found = [at for at in places if _parts(_warnings_risen(ground, member, first + at)) >= least]
        else:
            value = BY_REGISTERS[indicator].of
            found = [at for at in places if _risen(running, value, first + at) >= least]
        yield indicator, found


def _risen(running: Running, value: Callable[[Sums], float | None], position: int) -> int:
    """In millionths; 0 where it is unknown."""
    end, middle, start = _window(position)
    recent, earlier = value(running.between(middle, end)), value(running.between(start, middle))
    return _parts(recent - earlier) if recent is not None and earlier is not None else 0


def _warnings_risen(ground: Ground, member: Member, position: int) -> int:
    if not member.courses:
        return 0
    before = ground.days[position - EARLIER_DAYS]
    return open_warnings(member.courses, ground.days[position]) - open_warnings(member.courses, before)


def _judged(ground: Ground, indicator: GroupIndicator, newest: Compared, strengths: Iterable[int]) -> Judged:
    stability = ground.rule.stability(_parts(getattr(ground.rule, indicator)))
    standing = FRESH
    for strength in strengths:
        standing = step(standing, strength, stability)
    students = len(ground.party.members)
    numbers = {"students": students, **_numbers(indicator, newest)}
    return Judged(indicator, standing.rank > 0, numbers, students, newest.first_day, newest.last_day)


def _numbers(indicator: GroupIndicator, compared: Compared) -> dict[str, float | int]:
    value = BY_REGISTERS.get(indicator)
    if value is not None:
        name, decimals = value.name, value.decimals
    elif indicator is GroupIndicator.WARNINGS:
        name, decimals = "open_warnings_per_student", 2
    else:
        name, decimals = "mean", 2
    parts = {"recent": compared.recent, "earlier": compared.earlier, "unit": compared.unit}
    numbers: dict[str, float | int] = {
        f"{part}_{name}": round(number, decimals) for part, number in parts.items() if number is not None
    }
    return {**numbers, "answers": compared.answers} if compared.answers else numbers


def stale_since(member: Member, unit_days: Sequence[int], school_days: int) -> int | None:
    """The first of so many school days of the unit (at least) without any register of the student, since the newest one or since
    the place began; nothing when there are fewer. Days on which hardly anybody's register was taken are no school days of a unit.
    """
    first = max(member.fresh_until + 1, member.starts_on)
    missed = [day for day in unit_days if day >= first]
    return missed[0] if len(missed) >= school_days else None
