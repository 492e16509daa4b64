"""Programmes of upper-secondary school and the courses that a class reads in a term.

Programme codes are the national ones. Course codes imitate the form of the national codes (Gy11: `MATMAT01b`; Gy25:
subject and level, `MAT-1`) without being the official list: what the demo needs is which courses the diploma requires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProgrammeType = Literal["preparatory", "vocational", "introductory"]
Curriculum = Literal["gy11", "gy25"]
GY25_FIRST_YEAR = 2025
"""Students who began after 30 June of this year follow Gy25."""


@dataclass(frozen=True, slots=True)
class Programme:
    """A national or introductory programme, with the subjects that give it its profile."""

    code: str
    type: ProgrammeType
    profile: tuple[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Course:
    """A course that a class reads this term. `final`: it ends with the term, so the mark is the grade."""

    code: str
    name: str
    subject: str
    credits: int
    required: bool
    diploma_project: bool
    final: bool


NA = Programme("NA", "preparatory", (("FYS", "Fysik"), ("KEM", "Kemi")))
SA = Programme("SA", "preparatory", (("PSK", "Psykologi"), ("FIL", "Filosofi")))
EK = Programme("EK", "preparatory", (("FÖR", "Företagsekonomi"), ("JUR", "Juridik")))
TE = Programme("TE", "preparatory", (("TEK", "Teknik"), ("PRR", "Programmering")))
BA = Programme("BA", "vocational", (("BYG", "Bygg och anläggning"), ("HUS", "Husbyggnad")))
VO = Programme("VO", "vocational", (("VÅR", "Vård- och omsorgsarbete"), ("MED", "Medicin")))
EE = Programme("EE", "vocational", (("ELE", "Elektromekanik"), ("ENR", "Energiteknik")))
FT = Programme("FT", "vocational", (("FOR", "Fordonsteknik"), ("TRA", "Transportteknik")))
IMA = Programme("IMA", "introductory", (("SVA", "Svenska som andraspråk"), ("SYV", "Orientering i arbetslivet")))
IMS = Programme("IMS", "introductory", (("SVA", "Svenska som andraspråk"), ("MOD", "Modersmål")))

UNIT_PROFILES: tuple[tuple[Programme, ...], ...] = (
    (NA, SA, EK, TE, IMS),
    (BA, VO, EE, FT, IMA),
    (SA, VO, EK, IMA, TE, EE),
)
"""Which programmes a school unit offers: schools are theoretical, vocational, or both; each has an introductory one."""

_CORE_SUBJECTS: dict[int, tuple[tuple[str, str, int], ...]] = {
    1: (("SVE", "Svenska", 1), ("ENG", "Engelska", 1), ("MAT", "Matematik", 1), ("IDR", "Idrott och hälsa", 1)),
    2: (("SVE", "Svenska", 2), ("ENG", "Engelska", 2), ("MAT", "Matematik", 2), ("HIS", "Historia", 1)),
    3: (("SVE", "Svenska", 3), ("SAM", "Samhällskunskap", 1), ("REL", "Religionskunskap", 1)),
}

# Levels of a subject that the diploma requires (DOMAIN: it differs between preparatory and vocational programmes).
_REQUIRED_LEVELS = {
    "preparatory": {"SVE": (1, 2, 3), "ENG": (1, 2), "MAT": (1,)},
    "vocational": {"SVE": (1,), "ENG": (1,), "MAT": (1,)},
    "introductory": {},
}  # type: dict[ProgrammeType, dict[str, tuple[int, ...]]]


def curriculum_of(school_year: int, study_year: int) -> Curriculum:
    """The curriculum of students who are in `study_year` during the school year that began in `school_year`."""
    return "gy25" if school_year - study_year + 1 >= GY25_FIRST_YEAR else "gy11"


def courses_of(programme: Programme, study_year: int, curriculum: Curriculum, *, autumn: bool) -> tuple[Course, ...]:
    """The six courses of a class in one term. In autumn the two of the profile end; in spring all do."""
    core = [
        _course(programme, curriculum, stem, name, level, final=not autumn)
        for stem, name, level in _CORE_SUBJECTS[study_year]
    ]
    # The profile has a level every term: 1 and 2 in the first year, 3 and 4 in the second …
    level = 2 * study_year - (1 if autumn else 0)
    profile = [_course(programme, curriculum, stem, name, level, final=True) for stem, name in programme.profile]
    if len(core) + len(profile) < 6:  # the third year has its place for the diploma project
        core.append(_diploma_project(programme, final=not autumn))
    return (*core, *profile)


def _course(programme: Programme, curriculum: Curriculum, stem: str, name: str, level: int, *, final: bool) -> Course:
    introductory = programme.type == "introductory"
    if introductory:
        code, title = f"GR{stem}", f"{name} (grundskolans nivå)"
    elif curriculum == "gy25":
        code, title = f"{stem}-{level}", f"{name}, nivå {level}"
    else:
        # Gy11 counted English from 5: the courses of compulsory school came before.
        number = level + 4 if stem == "ENG" else level
        code, title = f"{stem}{stem}{number:02d}", f"{name} {number}"
    return Course(
        code=code,
        name=title,
        subject=stem,
        credits=0 if introductory else 100,
        required=level in _REQUIRED_LEVELS[programme.type].get(stem, ()),
        diploma_project=False,
        final=final,
    )


def _diploma_project(programme: Programme, *, final: bool) -> Course:
    return Course(
        f"GYAR{programme.code}", "Gymnasiearbete", "GYAR", 100, required=False, diploma_project=True, final=final
    )
