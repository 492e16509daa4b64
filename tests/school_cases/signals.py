"""Members of groups, groups that worsen, students of whom nobody registers anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from shared.events import AnyEvent, AttendanceState, EnrolmentStatus
from tests.builders import MONDAY, UNIT, attendance, climate, enrolment, pseudonym, school_days
from tests.school_cases.case import AUGUST

OTHER = "gy-björken"
NA, TE, WHOLE = "group:NA25A", "group:TE25B", f"unit:{UNIT}"
NATURE = [pseudonym(f"na-{n}") for n in range(5)]
TECHNOLOGY = [pseudonym(f"te-{n}") for n in range(5)]
MAJA = pseudonym("maja")
DAYS = school_days(AUGUST, 30)
"""17 August to 25 September."""
JUNE = school_days(date(2026, 6, 3), 20)
"""3 to 30 June."""
NEXT_AUGUST = date(2027, 8, 16)


@dataclass(frozen=True)
class SignalCase:
    """Events of an authority, and what is said of some of its groups and students on a day. `reading`: as in `Case`."""

    id: str
    events: Sequence[AnyEvent]
    today: date
    members: Mapping[tuple[str, str], set[str]] = field(default_factory=dict)
    worse: Mapping[tuple[str, str], set[str]] = field(default_factory=dict)
    stale: Mapping[str, date | None] = field(default_factory=dict)
    reading: str = ""


def places(pupils: Sequence[str], code: str, unit: str = UNIT, starts_on: date = date(2025, 8, 18)) -> list[AnyEvent]:
    """A class."""
    return [enrolment(pupil, starts_on, unit=unit, groups=(code,)) for pupil in pupils]


def there(pupils: Sequence[str], days: Sequence[date], unit: str = UNIT) -> list[AnyEvent]:
    """Everybody at school."""
    return [attendance(pupil, day, unit=unit) for pupil in pupils for day in days]


def ill(pupils: Sequence[str], days: Sequence[date]) -> list[AnyEvent]:
    """Everybody ill."""
    return [attendance(pupil, day, excused=60) for pupil in pupils for day in days]


BOTH = [*places(NATURE, "NA25A"), *places(TECHNOLOGY, "TE25B")]


def member(name: str, *maja: AnyEvent, is_member: bool, today: date = MONDAY) -> SignalCase:
    """Whether Maja is in NA25A of the unit."""
    group = {*NATURE, MAJA} if is_member else {*NATURE}
    return SignalCase(name, [*BOTH, *maja], today, members={(UNIT, NA): group, (UNIT, WHOLE): {*group, *TECHNOLOGY}})


AT_HOME = enrolment(MAJA, AUGUST, groups=("NA25A",))
MEMBERS = [
    member("in a class", AT_HOME, is_member=True),
    member("in a class from tomorrow", enrolment(MAJA, MONDAY + timedelta(days=1), groups=("NA25A",)), is_member=False),
    member("another school next August", AT_HOME, enrolment(MAJA, NEXT_AUGUST, unit=OTHER), is_member=True),
    member(
        "another school since today",
        AT_HOME,
        enrolment(MAJA, NEXT_AUGUST, unit=OTHER),
        is_member=False,
        today=NEXT_AUGUST,
    ),
    member("a course at another school", AT_HOME, enrolment(MAJA, MONDAY, unit=OTHER, main=False), is_member=True),
    member("paused", enrolment(MAJA, AUGUST, groups=("NA25A",), status=EnrolmentStatus.PAUSED), is_member=False),
    member("over", enrolment(MAJA, AUGUST, groups=("NA25A",), ends_on=MONDAY - timedelta(days=1)), is_member=False),
    member(
        "in a class of the same code at another unit",
        enrolment(MAJA, AUGUST, unit=OTHER, groups=("NA25A",)),
        is_member=False,
    ),
]


def stale(
    name: str, others: Sequence[date], *maja: AnyEvent, since: date | None, today: date = DAYS[-1], reading: str = ""
) -> SignalCase:
    """Since when Maja is stale, at a unit of ten others, all of whom have registers on those days."""
    events = [*BOTH, *there([*NATURE, *TECHNOLOGY], others), *maja]
    return SignalCase(name, events, today, stale={MAJA: since}, reading=reading)


def of_maja(count: int) -> list[AnyEvent]:
    return there([MAJA], DAYS[:count])


STALE = [
    # Registers of days 1 and 2; of the unit's 12 school days ten are left, from day 3 on.
    stale("nothing in ten days of the unit", DAYS[:12], AT_HOME, *of_maja(2), since=DAYS[2]),
    stale("nothing in nine days of the unit", DAYS[:11], AT_HOME, *of_maja(2), since=None),
    stale(
        "nothing in ten days, in no group", DAYS[:12], enrolment(MAJA, AUGUST, groups=()), *of_maja(2), since=DAYS[2]
    ),
    stale(
        "nothing in ten days, alone in the group",
        DAYS[:12],
        enrolment(MAJA, AUGUST, groups=("IM",)),
        *of_maja(2),
        since=DAYS[2],
    ),
    stale("never anything", DAYS[:10], AT_HOME, since=DAYS[0]),
    # The place begins on day 6: 10 of 15 days.
    stale("ten days since the place began", DAYS[:15], enrolment(MAJA, DAYS[5], groups=()), since=DAYS[5]),
    stale("nine days since the place began", DAYS[:14], enrolment(MAJA, DAYS[5], groups=()), since=None),
    stale(
        "lessons without register are no registers",
        DAYS[:12],
        AT_HOME,
        *of_maja(2),
        *[attendance(MAJA, day, state=AttendanceState.UNREGISTERED) for day in DAYS[2:12]],
        since=DAYS[2],
    ),
    stale("paused is not stale", DAYS[:12], enrolment(MAJA, AUGUST, status=EnrolmentStatus.PAUSED), since=None),
    stale("a place that is over is not stale", DAYS[:12], enrolment(MAJA, AUGUST, ends_on=DAYS[20]), since=None),
    stale(
        "days of June and August together",
        [*JUNE[-8:], *DAYS[:2]],
        enrolment(MAJA, date(2025, 8, 18)),
        *there([MAJA], JUNE[:12]),
        since=JUNE[12],
        today=DAYS[1],
        reading="a missing register is no window of absence: the 1st of July does not end it",
    ),
    stale(
        "registers kept going at the school that she left",
        DAYS[:12],
        enrolment(MAJA, date(2025, 8, 18), unit=OTHER, ends_on=DAYS[1]),
        enrolment(MAJA, DAYS[2], groups=()),
        *there([MAJA], DAYS[:12], OTHER),
        since=DAYS[2],
        reading="what is not scored is no register of hers",
    ),
    # Maja and four others: no day has five registers.
    SignalCase(
        "four others make no school day",
        [*places(NATURE[:4], "NA25A"), *there(NATURE[:4], DAYS[:12]), AT_HOME, *of_maja(2)],
        DAYS[-1],
        stale={MAJA: None},
    ),
]

HALF = [(UNIT, NA), (UNIT, TE), (UNIT, WHOLE)]
NOBODY: dict[tuple[str, str], set[str]] = {subject: set() for subject in HALF}
ABSENCE = [
    # NA25A: from 0 to 100 %, TE25B at 0 %: on day 30 a leap far over two thresholds. The unit: from 0 to 50 %, and half of its
    # students, five, have worsened.
    SignalCase(
        "a class ill for ten days after twenty good ones",
        [*BOTH, *there(NATURE, DAYS[:20]), *ill(NATURE, DAYS[20:]), *there(TECHNOLOGY, DAYS)],
        DAYS[-1],
        worse=NOBODY | {(UNIT, NA): {"absence"}, (UNIT, WHOLE): {"absence"}},
    ),
    # The same days, but 20 of them before 1 July: ten are too few.
    SignalCase(
        "a class ill for ten days of August after twenty good ones of June",
        [*BOTH, *there(NATURE, JUNE), *ill(NATURE, DAYS[:10]), *there(TECHNOLOGY, [*JUNE, *DAYS[:10]])],
        DAYS[9],
        worse=NOBODY,
    ),
    # Present on the trip of the same hours: nobody is absent.
    SignalCase(
        "a class on a trip beside excused lessons",
        [
            *BOTH,
            *there([*NATURE, *TECHNOLOGY], DAYS[:20]),
            *ill(NATURE, DAYS[20:]),
            *[attendance(pupil, day, lesson="trip", minutes=300, hour=8) for pupil in NATURE for day in DAYS[20:]],
            *there(TECHNOLOGY, DAYS[20:]),
        ],
        DAYS[-1],
        worse=NOBODY,
    ),
]

SAME_CODE = [pseudonym(f"same-{n}") for n in range(5)]


def reports(unit: str | None = None) -> list[AnyEvent]:
    """NA25A falls from 4 to 3 within two weeks, while its unit stands at 4: by 1 against its past and against its unit."""
    return [
        climate(NA, date(2026, 8, 31), 4.0, unit=unit),
        climate(NA, date(2026, 9, 14), 3.0, unit=unit),
        climate(WHOLE, date(2026, 9, 14), 4.0),
    ]


SCHOOL = [*BOTH, *there([*NATURE, *TECHNOLOGY], DAYS[:25])]
TWIN = [*places(SAME_CODE, "NA25A", OTHER), *there(SAME_CODE, DAYS[:25], OTHER)]
FALLEN = NOBODY | {(UNIT, NA): {"climate"}}
CLIMATE = [
    SignalCase("a report that names no unit, of a code at one unit", [*SCHOOL, *reports()], DAYS[24], worse=FALLEN),
    SignalCase("of a code at two units", [*SCHOOL, *TWIN, *reports()], DAYS[24], worse=NOBODY | {(OTHER, NA): set()}),
    SignalCase("of a code that one student elsewhere bears", [*SCHOOL, *TWIN[:1], *reports()], DAYS[24], worse=NOBODY),
    SignalCase(
        "of a code that was at another unit until yesterday",
        [*SCHOOL, enrolment(MAJA, AUGUST, unit=OTHER, groups=("NA25A",), ends_on=DAYS[23]), *reports()],
        DAYS[24],
        worse=FALLEN,
    ),
    SignalCase(
        "a report that names its unit", [*SCHOOL, *TWIN, *reports(UNIT)], DAYS[24], worse=FALLEN | {(OTHER, NA): set()}
    ),
    SignalCase("a report that names another unit", [*SCHOOL, *reports(OTHER)], DAYS[24], worse=NOBODY),
]

SIGNAL_CASES = [*MEMBERS, *STALE, *ABSENCE, *CLIMATE]
