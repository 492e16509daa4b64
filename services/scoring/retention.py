"""How long lessons are kept: whole school years, the current one and those before it that a setting names."""

from __future__ import annotations

from datetime import date

SCHOOL_YEAR_BEGINS = (7, 1)
"""Month and day: from the 1st of July on a new school year's timetable may stand (the Swedish school year is August to June)."""


def kept_from(today: date, school_years: int) -> int:
    """Day number from which on lessons are kept. `school_years`: how many, the current one included."""
    this_year = today.year if (today.month, today.day) >= SCHOOL_YEAR_BEGINS else today.year - 1
    return date(this_year - school_years + 1, *SCHOOL_YEAR_BEGINS).toordinal()
