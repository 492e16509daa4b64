"""The simulated school authority: a term of events from a seed, and the truth about it kept apart.

Synthetic from end to end: people, schools and lives are invented, and the events say so in their source
(`/authorities/2480/systems/simulator-…`), in the names of school units and staff, and in addresses under example.org.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deploy.demo.authority import Authority, found_authority, run_name
from deploy.demo.class_trouble import ClassTrouble, class_trouble
from deploy.demo.climate import ClimateSurvey
from deploy.demo.delivery import Delivery, bad_event
from deploy.demo.enrolments import EnrolmentRegister, Stay, staff_event, stays
from deploy.demo.events import DayOfEvents, Event, Source
from deploy.demo.marks import Gradebook
from deploy.demo.registers import AttendanceRegister
from deploy.demo.school_calendar import SPORTS_BREAK_WEEK, SchoolCalendar
from deploy.demo.storylines import Life, live

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHORITY = "2480"
SYSTEM = "simulator"
DEFAULT_SEED, DEFAULT_STUDENTS, DEFAULT_UNITS = 1, 66, 3
# The unit that forgets to register does so for seven school days, a bit after half of the term.
FORGETS_FROM, FORGETS_DAYS = 0.55, 7


@dataclass(frozen=True, slots=True)
class StudentTruth:
    """What really happened to one student, for evaluation afterwards; nothing of it is in any event."""

    references: tuple[str, ...]
    school_unit: str
    group: str
    storyline: str
    began_on: date | None
    helped_on: date | None
    left_on: date | None
    left_because: str | None
    protected_from: date | None
    turns_18_on: date
    class_trouble_from: date | None
    class_helped_on: date | None

    def as_json(self) -> dict[str, Any]:
        """Plain data with ISO dates."""
        return {k: v.isoformat() if isinstance(v, date) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Simulation:
    """A simulated term. `days` may be iterated more than once and gives the same events each time."""

    seed: int
    calendar: SchoolCalendar
    authority: Authority
    source: Source
    bad: int = 0
    lives: list[Life] = field(default_factory=list, repr=False)
    trouble: ClassTrouble | None = None

    @property
    def days(self) -> Days:
        """Day by day: first the day before the term with staff and enrolments, then each school day."""
        return Days(self)

    @property
    def expected_rejections(self) -> int:
        """How many of the events ingest must reject."""
        return self.bad

    @cached_property
    def total_events(self) -> int:
        """How many events `days` holds, repetitions and bad ones included; counted by generating them once."""
        return sum(len(day.events) for day in self.days)

    @cached_property
    def truth(self) -> tuple[StudentTruth, ...]:
        """Who left, when and why, and everybody's storyline. Keep it away from the events."""
        return tuple(self._truth_of(number) for number in range(len(self.authority.students)))

    def _truth_of(self, number: int) -> StudentTruth:
        student, life, days = self.authority.students[number], self.lives[number], self.calendar.school_days
        trouble = self.trouble if self.trouble and self.trouble.group == student.school_class.code else None
        return StudentTruth(
            references=(student.id, student.ss12000, f"civic:{student.national_id}"),
            school_unit=student.school_class.unit,
            group=student.school_class.code,
            storyline=life.storyline.value,
            began_on=_day(days, life.onset),
            helped_on=_day(days, life.helped),
            left_on=_day(days, life.leaves),
            left_because=life.leaves_because,
            protected_from=_day(days, life.protected_from),
            turns_18_on=student.turns_18_on,
            class_trouble_from=_day(days, trouble.onset) if trouble else None,
            class_helped_on=_day(days, trouble.helped) if trouble else None,
        )


def _day(days: list[date], number: int | None) -> date | None:
    return None if number is None or number >= len(days) else days[number]


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a simulation, generated while they are read."""

    simulation: Simulation

    def __iter__(self) -> Iterator[DayOfEvents]:
        """Generates the term from its beginning."""
        simulation, days = self.simulation, self.simulation.calendar.school_days
        everywhere = stays(simulation.authority, simulation.lives)
        enrolments = EnrolmentRegister(simulation.source, days, simulation.lives, everywhere)
        attendance = _attendance_register(simulation, days, everywhere)
        gradebook = Gradebook(simulation.seed, simulation.source, days, simulation.lives, everywhere, attendance.missed)
        survey = ClimateSurvey(
            simulation.seed, simulation.source, days, simulation.lives, everywhere, simulation.trouble
        )
        delivery = Delivery(simulation.seed, len(days))
        yield _before_term(simulation, enrolments, days[0] - timedelta(days=1))
        for number, day in enumerate(days):
            recorded = [*attendance.on(number), *gradebook.on(number), *survey.on(number)]
            published = delivery.on(number, list(enrolments.on(number)), recorded)
            yield DayOfEvents(day, published + _bad_events(simulation, number))


def simulate(
    seed: int,
    students: int,
    units: int,
    first_day: date,
    last_day: date,
    *,
    bad: int = 0,
    sports_break_week: int = SPORTS_BREAK_WEEK,
) -> Simulation:
    """A term of a simulated school authority.

    Args:
        seed: the same seed and parameters give the same events, on any machine and version of Python.
        students: how many, at least 1. About 5.5 events for each student and school day.
        units: school units, at most as many as students.
        first_day: of the term.
        last_day: of the term. Ingest takes facts from a year ago until tomorrow only.
        bad: how many deliberately bad events to send; `expected_rejections` says the same number.
        sports_break_week: ISO week of the sports break, which differs between parts of Sweden.

    Raises:
        ValueError: when the sizes are impossible or no school day lies between the dates.
    """
    calendar = SchoolCalendar(first_day, last_day, sports_break_week)
    days = calendar.school_days
    if not days:
        raise ValueError(f"no school day from {first_day} to {last_day}")
    authority = found_authority(seed, students, units, first_day, birthday=days[len(days) // 2])
    lives = live(seed, authority.students, len(days))
    trouble = class_trouble(authority.students, lives, authority.units[-1], len(days))
    source = Source(AUTHORITY, f"{SYSTEM}-{run_name(seed, students, units)}")
    return Simulation(seed, calendar, authority, source, bad, lives, trouble)


def _attendance_register(simulation: Simulation, days: list[date], everywhere: list[Stay]) -> AttendanceRegister:
    forgets_from = int(len(days) * FORGETS_FROM)
    return AttendanceRegister(
        seed=simulation.seed,
        source=simulation.source,
        days=days,
        lives=simulation.lives,
        stays=everywhere,
        trouble=simulation.trouble,
        forgetful=simulation.authority.units[-1],
        forgets=range(forgets_from, forgets_from + FORGETS_DAYS),
    )


def _before_term(simulation: Simulation, enrolments: EnrolmentRegister, day: date) -> DayOfEvents:
    staff = [staff_event(simulation.source, member, day) for member in simulation.authority.staff]
    return DayOfEvents(day, [*staff, *enrolments.before_term()])


def _bad_events(simulation: Simulation, day: int) -> list[Event]:
    """The bad events of this school day: spread evenly over the term."""
    days = simulation.calendar.school_days
    student = simulation.authority.students[0]
    return [
        bad_event(simulation.source, student.id, student.school_class.unit, days[day], number)
        for number in range(simulation.bad)
        if number * len(days) // simulation.bad == day
    ]
