"""Climate reports of groups and school units, and how one compares with those before it and with its unit.

Safety, inclusion and relations weigh the same; the mean of the three is on the scale 1…5, more is better. A report speaks
of its whole week, so it holds from the Monday of that week until the next report, for `HOLDS_DAYS` at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

HOLDS_DAYS = 140
"""Twenty weeks: how long a report holds, and how far back it is compared. Schools ask once or twice a term."""
WEEK_DAYS = 7


class Version(NamedTuple):
    """One version of a report. The highest revision of a period counts, ties break on the digest; `mean` is None when it is a
    retraction.
    """

    period: str
    revision: int
    digest: str
    mean: float | None
    answers: int

    @property
    def precedence(self) -> tuple[int, str]:
        """Of the versions of one period the greatest counts."""
        return self.revision, self.digest


class Report(NamedTuple):
    """What counts of one week. `monday` is a day number."""

    monday: int
    mean: float
    answers: int


class Compared(NamedTuple):
    """A report beside the mean of those before it and its unit's; None where there is nothing to compare with."""

    recent: Report
    earlier_mean: float | None
    first_day: int
    unit_mean: float | None


def monday(period: str) -> int:
    """Day number of the Monday of an ISO week (`2026-W07`).

    Raises:
        ValueError: the year has no such week.
    """
    year, week = period.split("-W")
    return date.fromisocalendar(int(year), int(week), 1).toordinal()


def week_of(day: int) -> str:
    """The ISO week (`2026-W07`) of a day number."""
    year, week, _ = date.fromordinal(day).isocalendar()
    return f"{year:04d}-W{week:02d}"


def reports(versions: Iterable[Version]) -> list[Report]:
    """What counts, by week in order."""
    newest: dict[str, Version] = {}
    for version in versions:
        known = newest.get(version.period)
        if known is None or version.precedence > known.precedence:
            newest[version.period] = version
    return sorted(
        Report(monday(version.period), version.mean, version.answers)
        for version in newest.values()
        if version.mean is not None
    )


def preferred(named: Iterable[Version], unnamed: Iterable[Version]) -> list[Version]:
    """The versions that count of a group's reports: of a week that a report names the unit for, only such."""
    known = list(named)
    weeks = {version.period for version in known}
    return [*known, *(version for version in unnamed if version.period not in weeks)]


class UnitClimate:
    """All reports of a school unit and its groups, by subject (`group:…`, `unit:…`)."""

    def __init__(self, unit: str, known: Mapping[str, Sequence[Report]]) -> None:
        self._unit = f"unit:{unit}"
        self._known = known
        self._weeks: dict[int, dict[str, float]] = {}
        for subject, of_subject in known.items():
            for report in of_subject:
                self._weeks.setdefault(report.monday, {})[subject] = report.mean

    def compare(self, subject: str, day: int) -> Compared | None:
        """The report that holds on a day (day number), compared; nothing when none holds."""
        known = self._known.get(subject, ())
        held = [report for report in known if day - HOLDS_DAYS < report.monday <= day]
        if not held:
            return None
        recent = held[-1]
        earlier = [report for report in known if recent.monday - HOLDS_DAYS <= report.monday < recent.monday]
        return Compared(
            recent,
            mean([report.mean for report in earlier]),
            earlier[0].monday if earlier else recent.monday,
            self._of_unit(subject, recent.monday),
        )

    def _of_unit(self, subject: str, week: int) -> float | None:
        """The unit's own report of the week, else the mean of those of its other groups."""
        weekly = self._weeks[week]
        if subject == self._unit:
            return None
        if self._unit in weekly:
            return weekly[self._unit]
        return mean([value for other, value in sorted(weekly.items()) if other != subject])


def mean(values: Sequence[float]) -> float | None:
    """Nothing for no values."""
    return sum(values) / len(values) if values else None
