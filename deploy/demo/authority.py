"""The simulated school authority: units, classes, staff and students, all invented.

Sizes are parameters and everything follows from the seed. National ids cannot be real ones: their birth number is 000,
and the Swedish Tax Agency gives out 001 to 999 only.
"""

from __future__ import annotations

import calendar
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from deploy.demo import names
from deploy.demo.chance import Chance
from deploy.demo.programmes import UNIT_PROFILES, Course, Curriculum, Programme, courses_of, curriculum_of
from deploy.demo.school_calendar import JULY, school_year_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Classes of about a dozen in a small school, of two dozen in a large one.
SMALL_CLASS, LARGE_CLASS, LARGE_UNIT = 12, 24, 150
AGE_IN_FIRST_YEAR = 16
ADULT = 18
IDS_PER_BIRTH_DATE = 10


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of staff and what they have in their charge."""

    id: str
    name: str
    email: str
    role: str
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """A class: it reads its courses together and has one coach."""

    code: str
    unit: str
    programme: Programme
    study_year: int
    curriculum: Curriculum
    birth_year: int
    coach: str
    courses: tuple[Course, ...]


@dataclass(frozen=True, slots=True)
class Student:
    """An invented student. The authority's systems know the same student by different references.

    `id` is the reference of the attendance and enrolment registers, `ss12000` and the national id those of gradebooks.
    """

    number: int
    id: str
    given_name: str
    family_name: str
    born: date
    national_id: str
    ss12000: str
    school_class: SchoolClass

    @property
    def turns_18_on(self) -> date:
        """The birthday on which the student is of age; born on 29 February: 1 March."""
        year = self.born.year + ADULT
        if (self.born.month, self.born.day) == (2, 29) and not calendar.isleap(year):
            return date(year, 3, 1)
        return self.born.replace(year=year)


@dataclass(frozen=True, slots=True)
class Authority:
    """Everybody and everything that a term is simulated for."""

    units: tuple[str, ...]
    classes: tuple[SchoolClass, ...]
    staff: tuple[Staff, ...]
    students: tuple[Student, ...]


def found_authority(seed: int, students: int, units: int, first_day: date, birthday: date) -> Authority:
    """The authority with this many students in this many school units.

    Args:
        seed: what all chance follows from.
        students: at least 1; spread evenly over the units.
        units: at least 1 and at most as many as there are students.
        first_day: of the term; decides curriculum, courses and years of birth.
        birthday: a day of the term on which one student turns 18.

    Raises:
        ValueError: when the sizes are not possible.
    """
    if not 1 <= units <= students:
        raise ValueError(f"expected 1 ≤ units ≤ students, found {units} units and {students} students")
    staff: list[Staff] = []
    classes: list[SchoolClass] = []
    people: list[Student] = []
    birth_dates: Counter[date] = Counter()
    for unit in range(units):
        size = students // units + (unit < students % units)
        own = list(_classes_of(seed, unit, size, first_day, staff))
        classes += own
        for place in range(size):
            name = f"{run_name(seed, students, units)}-{len(people):05d}"
            people.append(_student(seed, len(people), name, own[place % len(own)], birth_dates))
    _let_one_come_of_age(people, birthday)
    unit_names = tuple(names.school(unit)[1] for unit in range(units))
    staff += _authority_staff(seed, unit_names)
    return Authority(unit_names, tuple(classes), tuple(staff), tuple(people))


def _classes_of(seed: int, unit: int, size: int, first_day: date, staff: list[Staff]) -> Iterator[SchoolClass]:
    """The classes of a unit, with their staff added to `staff`."""
    prefix, unit_name, domain = names.school(unit)
    chance = Chance(seed, "classes", unit)
    programmes = UNIT_PROFILES[unit % len(UNIT_PROFILES)]
    count = max(1, round(size / (LARGE_CLASS if size > LARGE_UNIT else SMALL_CLASS)))
    staff += (
        _member(chance, f"staff:{prefix.lower()}-{role}", role, domain, (unit_name,))
        for role in ("principal", "coordinator")
    )
    for number in range(count):
        programme = programmes[number % len(programmes)]
        study_year = 1 if programme.type == "introductory" else (number + unit) % 3 + 1
        school_year = school_year_of(first_day)
        curriculum = curriculum_of(school_year, study_year)
        birth_year = school_year - AGE_IN_FIRST_YEAR + 1 - study_year
        parallel = "ABCDEFGH"[number // len(programmes) % 8]
        code = f"{prefix}-{programme.code}{(school_year - study_year + 1) % 100}{parallel}"
        if number >= 8 * len(programmes):
            code += str(number)
        coach = _member(chance, f"staff:{prefix.lower()}-coach-{number + 1:02d}", "coach", domain, (code,))
        staff.append(coach)
        courses = courses_of(programme, study_year, curriculum, autumn=first_day.month >= JULY)
        yield SchoolClass(code, unit_name, programme, study_year, curriculum, birth_year, coach.id, courses)


def _member(chance: Chance, reference: str, role: str, domain: str, scope: tuple[str, ...]) -> Staff:
    name = f"{chance.choice(names.GIVEN)} {chance.choice(names.FAMILY)}"
    # The role in the address keeps two members with the same invented name apart.
    email = names.address(f"{name} {reference.rpartition('staff:')[2]}", domain)
    return Staff(reference, f"{name} ({names.SYNTHETIC})", email, role, scope)


def _authority_staff(seed: int, units: tuple[str, ...]) -> list[Staff]:
    chance = Chance(seed, "authority staff")
    return [_member(chance, f"staff:{role}", role, "huvudman", units) for role in ("analyst", "operator")]


def run_name(seed: int, students: int, units: int) -> str:
    """Names a simulated authority: part of its source and references, so that two in one database stay apart."""
    return f"{seed}-{students}-{units}"


def _student(seed: int, number: int, name: str, school_class: SchoolClass, born: Counter[date]) -> Student:
    chance = Chance(seed, "student", number)
    birth_date = date(school_class.birth_year, 1, 1) + timedelta(days=chance.between(0, 364))
    while born[birth_date] == IDS_PER_BIRTH_DATE:
        birth_date += timedelta(days=1)
    birth_number = f"000{born[birth_date]}"
    born[birth_date] += 1
    return Student(
        number=number,
        id=f"id:elev-{name}",
        given_name=chance.choice(names.GIVEN),
        family_name=chance.choice(names.FAMILY),
        born=birth_date,
        national_id=f"{birth_date:%Y%m%d}{birth_number}",
        ss12000=f"ss12000:{uuid.uuid5(uuid.NAMESPACE_URL, f'urn:kvar:simulator:{name}')}",
        school_class=school_class,
    )


def _let_one_come_of_age(people: list[Student], birthday: date) -> None:
    """Gives the oldest student, who is nearest to 18, a birthday within the term."""
    oldest = min(people, key=lambda student: (student.born, student.number))
    if birthday.year - oldest.born.year > ADULT or (birthday.month, birthday.day) == (2, 29):
        return
    born = birthday.replace(year=birthday.year - ADULT)
    taken = {student.national_id for student in people}
    national_id = next(number for n in range(IDS_PER_BIRTH_DATE) if (number := f"{born:%Y%m%d}000{n}") not in taken)
    people[oldest.number] = replace(oldest, born=born, national_id=national_id)
