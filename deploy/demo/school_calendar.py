"""The Swedish school year: which days are school days, and when terms begin and end.

Public holidays come from the `holidays` library. Breaks and term dates are local decisions in Sweden; the rules here
are common ones (autumn break in ISO week 44, sports break in week 9) and can be changed where a term is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import holidays

TIME_ZONE = ZoneInfo("Europe/Stockholm")
AUTUMN_BREAK_WEEK = 44
SPORTS_BREAK_WEEK = 9
CHRISTMAS_BREAK_FROM = (12, 22)
CHRISTMAS_BREAK_TO = (1, 7)
SUMMER_BREAK_UNTIL = (8, 10)
SATURDAY = 5
JULY = 7
# Ingest takes facts up to a year old; two weeks less, so that a file made today can still be played next week.
OLDEST_FIRST_DAY = timedelta(days=350)


@dataclass(frozen=True, slots=True)
class Term:
    """First and last day of a term, both school days."""

    first_day: date
    last_day: date


def autumn_term(year: int) -> Term:
    """From Wednesday of ISO week 34 to Friday of week 51."""
    return Term(date.fromisocalendar(year, 34, 3), date.fromisocalendar(year, 51, 5))


def spring_term(year: int) -> Term:
    """From the first weekday after 7 January to Friday of ISO week 24."""
    first_day = date(year, 1, 8)
    while first_day.weekday() >= SATURDAY:
        first_day += timedelta(days=1)
    return Term(first_day, date.fromisocalendar(year, 24, 5))


def latest_whole_term(today: date) -> Term:
    """The latest autumn term that ended before `today`, or the spring term where that autumn is too long ago.

    Ingest takes facts of the last year only, so from late summer until December the spring term is the latest whole
    one that can still be published.
    """
    terms = [autumn_term(today.year), autumn_term(today.year - 1), spring_term(today.year)]
    return next(t for t in terms if t.last_day < today and t.first_day >= today - OLDEST_FIRST_DAY)


def school_year_of(day: date) -> int:
    """The calendar year in which the school year of `day` began."""
    return day.year if day.month >= JULY else day.year - 1


def local_time(day: date, at: time) -> datetime:
    """This wall-clock time in Sweden, with the offset of that day."""
    return datetime.combine(day, at, TIME_ZONE)


@dataclass(frozen=True)
class SchoolCalendar:
    """School days from `first_day` to `last_day`, both included."""

    first_day: date
    last_day: date
    sports_break_week: int = SPORTS_BREAK_WEEK

    @cached_property
    def school_days(self) -> list[date]:
        """All school days, in order."""
        span = (self.last_day - self.first_day).days + 1
        days = (self.first_day + timedelta(days=n) for n in range(span))
        return [day for day in days if self.is_school_day(day)]

    def is_school_day(self, day: date) -> bool:
        """Whether lessons are given: a weekday that is no holiday, break or planning day."""
        return day.weekday() < SATURDAY and day not in self._public_holidays and not self._is_break(day)

    @cached_property
    def _public_holidays(self) -> holidays.HolidayBase:
        years = range(self.first_day.year, self.last_day.year + 1)
        return holidays.country_holidays("SE", years=years)

    def _is_break(self, day: date) -> bool:
        year, week, weekday = day.isocalendar()
        if week in {AUTUMN_BREAK_WEEK, self.sports_break_week}:
            return True
        return (
            self._is_between_terms(day)
            or self._is_easter_week(day)
            # The Friday after Ascension Day (always a Thursday).
            or (weekday == 5 and (day - timedelta(days=1)) in self._public_holidays)
            or day in self._planning_days(year)
        )

    @staticmethod
    def _is_between_terms(day: date) -> bool:
        """Christmas and summer at their shortest: the first and last day of the calendar may lie outside usual terms."""
        christmas = (day.month, day.day) >= CHRISTMAS_BREAK_FROM or (day.month, day.day) <= CHRISTMAS_BREAK_TO
        summer = spring_term(day.year).last_day < day < date(day.year, *SUMMER_BREAK_UNTIL)
        return christmas or summer

    def _is_easter_week(self, day: date) -> bool:
        """Monday to Thursday before Good Friday, which is the one public holiday on a Friday followed by a Monday."""
        friday = day + timedelta(days=4 - day.weekday())
        return friday in self._public_holidays and friday + timedelta(days=3) in self._public_holidays

    @staticmethod
    def _planning_days(year: int) -> set[date]:
        """Days on which staff work and students are free: two a term."""
        return {date.fromisocalendar(year, week, day) for week, day in ((5, 5), (17, 1), (39, 1), (47, 5))}
