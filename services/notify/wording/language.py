"""What a language must be able to say about an alert. Pure: data in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.events import Level, Reason, StaffRole
from shared.wording import NO_BREAK, Wording


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
    open_page: str
    footer: str


@dataclass(frozen=True, slots=True)
class Language:
    """Everything that differs between languages.

    Attributes:
        wording: Levels, indicators and numbers, in the words that the pages use too.
        points: So many points of risk.
        subject: The subject line: `(from, to, school unit)`.
        title: A sentence on the change: `(from, to)`.
        rise: What is said in addition when the level rises.
        fall: What is said in addition when the level falls.
        fresh: Until when the data reach: `(counted, registered)`; the latter only when it lags behind.
        left: What is said about a student who has left.
        instead_of_coach: Why somebody other than the coach gets the mail, by role.
    """

    code: str
    wording: Wording
    months: tuple[str, ...]
    points: Callable[[int], str]
    subject: Callable[[Level, Level, str | None], str]
    title: Callable[[Level, Level], str]
    rise: str
    fall: str
    fresh: Callable[[str, str | None], str]
    left: str
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
