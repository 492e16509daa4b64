"""What a language must be able to say about an alert. Pure: data in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared.events import CorrectedFact, Level, Reason, StaffRole
from shared.wording import NO_BREAK, Wording

DAYS_LISTED = 4
"""More days than this are told by their number and the first and last."""


@dataclass(frozen=True, slots=True)
class Words:
    """The fixed phrases of a mail, in the order in which it uses them."""

    preheader: str
    student: str
    protected: str
    nameless: str
    why: str
    remains: str
    no_reasons: str
    more_reasons: str
    changed: str
    freshness: str
    no_facts: str
    whole_group: str
    detour_lead: str
    withdrawn_lead: str
    told_another: str
    rules_lead: str
    rules_change: str
    rules_withdraw: str
    open_page: str
    footer: str


@dataclass(frozen=True, slots=True)
class Language:
    """Everything that differs between languages.

    Attributes:
        wording: Levels, indicators and numbers, in the words that the pages use too.
        points: So many points of risk.
        subject: The subject line without the school: `(from, to)`.
        title: A sentence on the change: `(from, to)`.
        rise: What is said in addition when the level rises.
        fall: What is said in addition when the level falls.
        detour_title: Subject and title where the level was elsewhere in between: that level, and the one now.
        detour: Where it was and that nobody was told: whether it had risen there, the level, the day if it is known.
        fresh: Until when the data reach: `(counted, registered)`; the latter only when it lags behind.
        left: What is said about a student who has left.
        withdrawn_subject: The subject line of a withdrawal: the levels that earlier mails announced.
        withdrawn: Which mails no longer apply: the day and the level of each.
        level_now: Which level the student has now.
        corrected: That facts were corrected, and which: the kinds with the days in words, the newest first.
        day_range: So many days from one to another.
        instead_of_coach: Why somebody other than the coach gets the mail, by role.
    """

    code: str
    wording: Wording
    months: tuple[str, ...]
    points: Callable[[int], str]
    subject: Callable[[Level, Level], str]
    title: Callable[[Level, Level], str]
    rise: str
    fall: str
    detour_title: Callable[[Level, Level], str]
    detour: Callable[[bool, Level, str | None], str]
    fresh: Callable[[str, str | None], str]
    left: str
    withdrawn_subject: Callable[[Sequence[Level]], str]
    withdrawn: Callable[[Sequence[tuple[str, Level]]], str]
    level_now: Callable[[Level], str]
    corrected: Callable[[Mapping[str, str]], str]
    day_range: Callable[[int, str], str]
    instead_of_coach: Mapping[StaffRole, str]
    words: Words

    def day(self, day: date, *, year: bool = False) -> str:
        """A date with its month in letters: 6 nov, 6 nov 2026."""
        text = f"{day.day}{NO_BREAK}{self.months[day.month - 1]}"
        return f"{text}{NO_BREAK}{day.year}" if year else text

    def period(self, first: date, last: date) -> str:
        """The days counted: 12 okt–6 nov, with years when they differ."""
        if first == last:
            return self.day(last)
        differ = first.year != last.year
        return f"{self.day(first, year=differ)}–{self.day(last, year=differ)}"

    def reason(self, reason: Reason) -> tuple[str, str, str]:
        """What was counted, on which days, and its points."""
        counted = self.wording.sentence(reason.indicator, reason.numbers)
        return counted, self.period(reason.first_day, reason.last_day), self.points(reason.points)

    def without_points(self, reason: Reason, *, named: bool) -> str:
        """A reason that gives no points, in one line. `named`: whether the group's code may be told."""
        told = self.wording.sentence(reason.indicator, reason.numbers, reason.group if named else None)
        return f"{told}, {self.period(reason.first_day, reason.last_day)}"

    def corrections(self, facts: Sequence[CorrectedFact], year: int) -> str:
        """That facts were corrected, and on which days, the newest first. Days of another year than this one bear theirs."""
        days: dict[str, list[date]] = {}
        for fact in sorted(facts, key=lambda fact: (-fact.day.toordinal(), fact.kind)):
            days.setdefault(fact.kind, []).append(fact.day)
        return self.corrected({kind: self._days(list(dict.fromkeys(found)), year) for kind, found in days.items()})

    def _days(self, days: Sequence[date], year: int) -> str:
        if len(days) > DAYS_LISTED:
            return self.day_range(len(days), self.period(days[-1], days[0]))
        return ", ".join(self.day(day, year=day.year != year) for day in days)
