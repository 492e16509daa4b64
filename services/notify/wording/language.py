"""What a language must be able to say about an alert. Pure: data in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.events import Level, Reason, StaffRole

NO_BREAK = "\N{NO-BREAK SPACE}"

Numbers = Mapping[str, float | int]
Describe = Callable[[Numbers], str]
"""An indicator's raw numbers as a phrase, without dates and points. Raises `KeyError` when a number is missing."""


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
        decimal: Decimal sign.
        thousands: What groups digits by three.
        describe: The phrase of each indicator that the language knows; others are written as name and raw numbers.
        title: A sentence on the change: `(from, to)`.
        praise: What is said in addition when the level falls.
        as_coordinator: Why somebody other than the coach gets the mail, by role.
    """

    code: str
    decimal: str
    thousands: str
    months: tuple[str, ...]
    levels: Mapping[Level, str]
    indicators: Mapping[str, str]
    describe: Mapping[str, Describe]
    points: Callable[[int], str]
    subject: Callable[[Level, Level, str | None], str]
    title: Callable[[Level, Level], str]
    rise: str
    fall: str
    fresh: Callable[[str, str | None], str]
    left: str
    instead_of_coach: Mapping[StaffRole, str]
    words: Words

    def number(self, value: float, decimals: int = 0) -> str:
        """A number as it is written in print: 1 104 and 18,4 in Swedish."""
        text = f"{value:,.{decimals}f}"
        return "".join({",": self.thousands, ".": self.decimal}.get(sign, sign) for sign in text)

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

    def indicator(self, indicator: str) -> str:
        """An indicator's name for reading."""
        return self.indicators.get(indicator, indicator)

    def reason(self, reason: Reason) -> tuple[str, str, str]:
        """What was counted, on which days, and its points."""
        return self._counted(reason), self.period(reason.first_day, reason.last_day), self.points(reason.points)

    def _counted(self, reason: Reason) -> str:
        describe = self.describe.get(reason.indicator)
        if describe is not None:
            try:
                return describe(reason.numbers)
            except (KeyError, ZeroDivisionError):
                # A newer scoring may count other things; raw numbers are better than no mail.
                return self._raw(reason)
        return self._raw(reason)

    def _raw(self, reason: Reason) -> str:
        numbers = ", ".join(
            f"{name}{NO_BREAK}{self.number(value, 0 if float(value).is_integer() else 2)}"
            for name, value in sorted(reason.numbers.items())
        )
        name = self.indicator(reason.indicator)
        return f"{name}: {numbers}" if numbers else name
