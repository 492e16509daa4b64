"""Courses that a passed final grade of another makes up for: named by it, or earlier levels of its Gy25 subject."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

from tests.school_cases.marks import AUGUST, JANUARY, ONE_GRADE, TERM, marks, of, warning

CASES = [
    # Gy11 by Gy25: made up for from 10 August on, and not before.
    marks(
        "a course of Gy11 replaced by a level of Gy25",
        of("SVESVE01", JANUARY, "F", curriculum="gy11", required=True),
        of("SVEN1000X", AUGUST, "E", subject="SVEN", replaces=("SVESVE01",)),
        points={},
        by_day={JANUARY: (18, "universal"), AUGUST: (0, "universal")},
    ),
    # A day before the replacing grade with facts of its own: still 10.
    marks(
        "on the day before the replacing grade",
        of("A", JANUARY, "F"),
        warning("C", AUGUST - timedelta(days=1)),
        of("B", AUGUST, "E", replaces=("A",)),
        points={},
        by_day={AUGUST - timedelta(days=1): (10, "universal"), AUGUST: (0, "universal")},
    ),
    marks(
        "a level of Gy25 replaced by a course of Gy11",
        of("MAT1", JANUARY, "F"),
        of("MATMAT01a", AUGUST, "E", curriculum="gy11", replaces=("MAT1",)),
        points={},
    ),
    marks(
        "without saying so a level of Gy25 replaces no course of Gy11",
        of("SVESVE01", JANUARY, "F", curriculum="gy11"),
        of("SVEN1000X", AUGUST, "E", subject="SVEN"),
        points=ONE_GRADE,
    ),
    # Two failed finals: 200 credits 18 (two courses 14).
    marks(
        "a failed grade replaces nothing",
        of("A", JANUARY, "F"),
        of("B", AUGUST, "F", replaces=("A",)),
        points={"credit_margin": 18},
    ),
    marks(
        "a term mark replaces nothing",
        of("A", JANUARY, "F"),
        of("B", AUGUST, "E", kind=TERM, replaces=("A",)),
        points=ONE_GRADE,
    ),
    marks(
        "the replacing grade taken back",
        of("A", JANUARY, "F"),
        of("B", AUGUST, "E", replaces=("A",)),
        of("B", AUGUST, "E", replaces=("A",), state="retracted", revision=2),
        points=ONE_GRADE,
    ),
    marks(
        "the replacing grade corrected to one that replaces nothing",
        of("A", JANUARY, "F"),
        of("B", AUGUST, "E", replaces=("A",)),
        of("B", AUGUST, "E", revision=2),
        points=ONE_GRADE,
    ),
    marks(
        "one grade replaces two courses",
        of("A", JANUARY, "F"),
        of("B", JANUARY, "-"),
        of("C", AUGUST, "C", replaces=("A", "B")),
        points={},
    ),
    # K1 and K2 are made up for; K3 is left.
    marks(
        "others than the named courses stay failed",
        *[of(f"K{n}", JANUARY, "F") for n in (1, 2, 3)],
        of("K4", AUGUST, "C", replaces=("K1", "K2")),
        points=ONE_GRADE,
    ),
    marks(
        "a replaced course spelt in another Unicode form",
        of(unicodedata.normalize("NFC", "MÅL01"), JANUARY, "F"),
        of("B", AUGUST, "E", replaces=(unicodedata.normalize("NFD", "MÅL01"),)),
        points={},
    ),
    marks(
        "an F recorded after the grade that replaces its course",
        of("B", JANUARY, "E", replaces=("A",)),
        of("A", AUGUST, "F"),
        points={},
        reading="from its own date on, whenever the other was recorded",
    ),
    marks(
        "a term mark of a replaced course",
        of("A", JANUARY, "F", kind=TERM),
        of("B", AUGUST, "E", replaces=("A",)),
        points={},
        reading="a replaced course leaves all counts",
    ),
    marks(
        "warnings of replaced courses",
        warning("A", JANUARY),
        warning("B", JANUARY),
        of("C", AUGUST, "E", replaces=("A", "B")),
        points={},
        by_day={JANUARY: (6, "universal")},
        reading="a replaced course leaves all counts",
    ),
    marks(
        "a level passed later makes up for one of the same subject",
        of("MAT1", JANUARY, "F", subject="MAT"),
        of("MAT2", AUGUST, "E", subject="MAT"),
        points={},
    ),
    marks(
        "a level failed later is not made up for",
        of("MAT1", JANUARY, "E", subject="MAT"),
        of("MAT2", AUGUST, "F", subject="MAT"),
        points=ONE_GRADE,
    ),
    # Two failed finals again, 200 credits: 18.
    marks(
        "the replacing course failed later",
        of("A", JANUARY, "F"),
        of("B", JANUARY, "E", replaces=("A",)),
        of("B", AUGUST, "F", replaces=("A",)),
        points={"credit_margin": 18},
        by_day={JANUARY: (0, "universal"), AUGUST: (18, "universal")},
        reading="the mark that counts on a day must be the passed one",
    ),
]
