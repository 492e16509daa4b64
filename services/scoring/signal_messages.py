"""What is said of groups: messages when a signal changes, and reasons for the students. Pure.

The numbers of a signal are those with which it was last announced, in the message and in the students' reasons alike. With the
numbers of today instead, each register of one student would make a new score for each of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import NamedTuple

from services.scoring.bounds import MOST_GROUP_REASONS
from services.scoring.messages import SOURCE
from services.scoring.records import OutboxEntry, Unit
from services.scoring.signals import Judged
from shared.events import GroupIndicator, GroupSignalChanged, GroupSignalChangedEvent, Reason
from shared.messaging.topology import GROUP_SIGNAL_KEY


class Announced(NamedTuple):
    """A signal as it was announced. Days are day numbers."""

    numbers: Mapping[str, float | int]
    students: int
    first_day: int
    last_day: int


@dataclass(slots=True)
class Said:
    """What has been said of a group or unit: `n` messages so far, and the signals that are `worse` now."""

    n: int = 0
    worse: dict[GroupIndicator, Announced] = field(default_factory=dict)


def subject_key(unit: Unit, subject: str) -> str:
    """Under which published messages and climate reports of a group are kept: `2480|gy-aspen|group:NA25a`."""
    return f"{unit.key}|{subject}"


MOST_AT_ONCE = 500
"""Messages that are announced together, roughly: they stand in one document until they are published."""


def announce(
    unit: Unit,
    said: Mapping[str, Said],
    judged: Mapping[str, Sequence[Judged]],
    model_version: str,
    now: datetime,
    *,
    forgotten: int = 0,
) -> tuple[dict[str, Said], list[tuple[str, OutboxEntry]]]:
    """What has been said after this, and the messages (subject, entry) for signals that have changed; after `MOST_AT_ONCE` the
    next time brings more.

    `judged`: by subject; a group that is not there is too small to be judged, or has no students any more. `forgotten`: messages
    about groups of which nothing is known any more had no higher `n`; new ones go on from there.
    """
    after: dict[str, Said] = {}
    entries: list[tuple[str, OutboxEntry]] = []
    for subject in sorted({*said, *judged}):
        before = said.get(subject, Said(forgotten))
        if len(entries) >= MOST_AT_ONCE:
            after |= {subject: before} if subject in said else {}
            continue
        after[subject] = Said(before.n, dict(before.worse))
        for indicator, state, announced in _changes(before, judged.get(subject, ())):
            after[subject].n += 1
            if state == "worse":
                after[subject].worse[indicator] = announced
            else:
                del after[subject].worse[indicator]
            data = _data(after[subject].n, indicator, state, announced, unit=unit.code, model_version=model_version)
            entries.append((subject, _entry(unit, subject, data, now)))
    return {subject: one for subject, one in after.items() if one.n > forgotten or subject in said}, entries


def forget(said: Mapping[str, Said], judged: Collection[str], forgotten: int) -> tuple[dict[str, Said], int]:
    """What must be kept of what has been said, and the highest `n` of all else: without those groups that are not judged and of
    which nothing stands. A unit that has ever new groups would else keep them all.
    """
    gone = {subject: one for subject, one in said.items() if not one.worse and subject not in judged}
    kept = {subject: one for subject, one in said.items() if subject not in gone}
    return kept, max([forgotten, *(one.n for one in gone.values())])


def _changes(before: Said, judged: Iterable[Judged]) -> Iterator[tuple[GroupIndicator, str, Announced]]:
    found = {each.indicator: each for each in judged}
    for indicator in GroupIndicator:
        now, was = found.get(indicator), before.worse.get(indicator)
        if now is not None and now.is_worse != (was is not None):
            announced = Announced(now.numbers, now.students, now.first_day, now.last_day)
            yield indicator, "worse" if now.is_worse else "usual", announced
        elif now is None and was is not None:
            # Of fewer than five nothing is told: no numbers, and the count and days that were announced before.
            yield indicator, "usual", was._replace(numbers={})


def _data(
    n: int, indicator: GroupIndicator, state: str, announced: Announced, *, unit: str | None, model_version: str
) -> GroupSignalChanged:
    return GroupSignalChanged.model_validate(
        {
            "n": n,
            "indicator": indicator,
            "state": state,
            "numbers": dict(announced.numbers),
            "students": announced.students,
            "school_unit": unit,
            "first_day": date.fromordinal(announced.first_day),
            "last_day": date.fromordinal(announced.last_day),
            "model_version": model_version,
        }
    )


def _entry(unit: Unit, subject: str, data: GroupSignalChanged, now: datetime) -> OutboxEntry:
    """Source and id together are unique: a code may occur at two units. The entry's own id is unique by itself."""
    event = GroupSignalChangedEvent(
        id=f"{subject}:{data.n}",
        source=f"{SOURCE}/{unit.authority}/{unit.code}",
        subject=subject,
        time=now,
        authority=unit.authority,
        dataschema="urn:kvar:group.signal_changed.v1",
        data=data,
    )
    return OutboxEntry(f"{unit.key}|{event.id}", now, GROUP_SIGNAL_KEY, event.encode().decode())


def group_reasons(groups: Iterable[str], said: Mapping[str, Said]) -> tuple[Reason, ...]:
    """Of the signals of a student's groups, without points; of very many groups, the first ones'."""
    found = (
        Reason(
            indicator=f"group_{indicator.value}",
            points=0,
            numbers=dict(announced.numbers),
            first_day=date.fromordinal(announced.first_day),
            last_day=date.fromordinal(announced.last_day),
            group=code,
        )
        for code in sorted(groups)
        if (of_group := said.get(f"group:{code}")) is not None
        for indicator, announced in sorted(of_group.worse.items())
    )
    return tuple(islice(found, MOST_GROUP_REASONS))
