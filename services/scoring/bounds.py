"""What is too much of one student to be true, and what is unusable because of it. Pure.

A bound looks at the *set* of keys that were ever told of, in whatever state, corrected and taken back too. Such a set only
grows, so a day or course that is beyond its bound stays so, and no order, repetition or division among replicas changes what
is: the union of two sets is beyond when either is, or both together are. Of what is beyond nothing is kept but that it is, so
that a student's state has a largest size, whatever publishers send.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from services.scoring.facts import Fact, LessonFact, MarkFact

MOST_LESSONS = 40
"""Lessons of one student on one school day. A full timetable has about eight; twice that beside registers of the day and
excursions, and all of them once more under new ids, still fits."""
MOST_MARKS_OF_COURSE = 200
"""Dates of marks and warnings of one student in one course: one a week during five years."""
MOST_COURSES = 150
"""A diploma takes about thirty."""
MOST_MARKS = 1_500
"""Marks and warnings of one student in all courses: one a week in twelve courses at a time, for three years."""
MOST_UNITS = 50
"""School units whose first and last register are told apart."""
MOST_RISES = 50
"""Announced rises that may still be withdrawn, the newest. Between two lie eleven days of which something is known."""
MOST_GROUP_REASONS = 20
"""Signals of a student's groups that are told with the student's score."""
MOST_MEMBERS = 10_000
"""Students with an active place at one school unit, for its groups to be looked at. The largest schools have about 4,000."""
MOST_LISTED = 100_000
"""The same, with all who have ever been there."""
LONGEST_COMPARED = 24
"""Bytes that a code takes which is compared and never shown."""

_DIGEST_BYTES = 16


def compared(code: str) -> str:
    """A code to compare with others: itself, or a digest where it takes many bytes. Of what it returns it returns the same."""
    encoded = code.encode()
    if len(encoded) <= LONGEST_COMPARED:
        return code
    digest = hashlib.sha256(encoded).digest()[:_DIGEST_BYTES]
    return "~" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(slots=True)
class Unusable:
    """What of a student is beyond a bound: days (day numbers) with all their lessons, courses with all their marks and warnings,
    or all marks.
    """

    days: set[int] = field(default_factory=set)
    courses: set[str] = field(default_factory=set)
    marks: bool = False

    def holds(self, fact: Fact) -> bool:
        """Whether a fact speaks of anything of it."""
        if isinstance(fact, LessonFact):
            return fact.day in self.days
        return isinstance(fact, MarkFact) and (self.marks or fact.course in self.courses)

    def beyond(self, known: Unusable) -> Unusable:
        """What of it is not in what was known."""
        courses = set() if known.marks else self.courses - known.courses
        return Unusable(self.days - known.days, courses, self.marks and not known.marks)

    def join(self, other: Unusable) -> None:
        """Takes over what another one knows."""
        self.days |= other.days
        self.marks |= other.marks
        self.courses = set() if self.marks else self.courses | other.courses

    def since(self, day: int) -> Unusable:
        """Without the days before one."""
        return Unusable({each for each in self.days if each >= day}, set(self.courses), self.marks)

    def counted(self) -> dict[str, int]:
        """How many there are of each kind, of those that there are."""
        numbers = {"day": len(self.days), "course": len(self.courses), "marks": int(self.marks)}
        return {kind: number for kind, number in numbers.items() if number}

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.days or self.courses or self.marks)


def unusable_marks(dates: Mapping[str, int], known: Unusable) -> Unusable:
    """What of the marks is unusable. `dates`: how many keys there are of each course, of courses in `known` whatever number.

    Of a course beyond its bound one more than the bound is counted: how many there are is not kept.
    """
    courses = known.courses | {course for course, number in dates.items() if number > MOST_MARKS_OF_COURSE}
    total = sum([number for course, number in dates.items() if course not in courses])
    total += len(courses) * (MOST_MARKS_OF_COURSE + 1)
    if known.marks or len(courses.union(dates)) > MOST_COURSES or total > MOST_MARKS:
        return Unusable(known.days, set(), marks=True)
    return Unusable(known.days, courses)


def dates_of(marks: Mapping[tuple[str, str], Collection[int]], more: Iterable[MarkFact] = ()) -> Counter[str]:
    """How many keys there are of each course. `marks`: days by course and kind; `more`: facts that come to them."""
    dates: Counter[str] = Counter()
    for (course, _), days in marks.items():
        dates[course] += len(days)
    news = {(fact.course, fact.kind, fact.recorded_on) for fact in more}
    dates.update([course for course, kind, day in news if day not in marks.get((course, kind), ())])
    return dates
