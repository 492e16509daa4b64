"""Why a student's score is what it is, as known at a time: recomputed from the facts received until then.

Pure: the same facts, rules and messages give the same explanation, whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import groupby
from typing import Any

from services.scoring import bounds
from services.scoring.bounds import Unusable, compared
from services.scoring.courses import failing
from services.scoring.days import Day, sum_day
from services.scoring.facts import REGISTERED, Fact, Lesson, LessonFact, Mark, MarkFact, PlaceFact, rank
from services.scoring.indicators import Found, Model
from services.scoring.records import KeptFact
from services.scoring.rules import DEFAULTS, RuleVersion
from services.scoring.student import Assessment, Student, from_facts
from shared.events import Level
from shared.events.places import Spans, lesson_counts, spans

MOST_MOMENTS = 5_000
"""At which facts were received: more are told of by day, since for each the state may have to be made anew."""
COURSE_INDICATORS = frozenset({"failed_courses", "credit_margin", "diploma_critical"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact, in the version that counts. `earlier`: how many other versions of it came before that one; `outdated`: how many
    came after it and were older than known.
    """

    day: date
    fact: LessonFact | MarkFact
    received_at: datetime
    earlier: int
    outdated: int


@dataclass(frozen=True, slots=True)
class Beyond:
    """What is unusable, because there is more of it than `most`: the lessons of a `day`, the marks of a `course`, or, without
    either, all marks. `known`: some of it.
    """

    most: int
    known: Sequence[Evidence]
    day: date | None = None
    course: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A moment that changed score or level: what was received then, or that the rules changed."""

    at: datetime
    score_before: int
    score: int
    level_before: Level
    level: Level
    facts: tuple[Fact, ...]
    model_version: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A student's risk as known at a time.

    `evidence`: what is behind each reason. `places`: all known, by first day. `outside`: lessons outside every place that the
    student has at their school unit: they do not count. `told_twice`: days (by day number) on which several registers tell of
    the same minutes, as they count. `beyond`: what is unusable.
    """

    student: str
    at: datetime
    facts_known: int
    assessment: Assessment
    model: Model
    school_unit: str | None
    groups: tuple[str, ...]
    evidence: Mapping[str, Sequence[Evidence]]
    places: Sequence[PlaceFact]
    outside: Sequence[Evidence]
    told_twice: Mapping[int, Day]
    beyond: Sequence[Beyond]
    steps: tuple[Step, ...]
    announcements: tuple[Mapping[str, Any], ...]

    @property
    def announced(self) -> Level:
        """The level at which the messages published until then leave the student."""
        return Level(self.announcements[-1]["data"]["to"]) if self.announcements else Level.UNIVERSAL

    @property
    def agrees(self) -> bool:
        """Whether what was published is what the facts say. If not, facts had been received and were still in work."""
        return self.announced is self.assessment.level


def explain(
    student: str,
    at: datetime,
    facts: Iterable[KeptFact],
    versions: Sequence[RuleVersion],
    announcements: Sequence[Mapping[str, Any]],
    *,
    zone: tzinfo,
    unusable: Unusable | None = None,
) -> Explanation:
    """From all that is kept: facts received later, rules set later and messages published later are left out. `unusable`: what is
    known to be at that time, whatever the facts say.
    """
    known = sorted((kept for kept in facts if kept.recorded_time <= at), key=lambda kept: kept.recorded_time)
    model = Model(_rules_at(versions, at))
    state = from_facts([kept.fact for kept in known], unusable)
    places = spans(state.places.values())
    assessment = state.assess(model)
    where = state.where(at.astimezone(zone).date().toordinal())
    all_evidence = _by_fact(known)
    evidence = [each for each in all_evidence if not state.unusable.holds(each.fact)]
    counted = [each for each in evidence if _counts(each.fact, places)]
    days = _days(counted)
    twice = _told_twice(days, counted)
    return Explanation(
        student=student,
        at=at,
        facts_known=len(known),
        assessment=assessment,
        model=model,
        school_unit=where.school_unit,
        groups=where.groups,
        evidence={
            found.indicator.name: _behind(found, assessment.as_of or 0, counted, days, twice)
            for found in assessment.reasons
        },
        told_twice=twice,
        places=[PlaceFact(place) for place in sorted(state.places.values(), key=lambda place: place.starts_on)],
        beyond=_beyond(state.unusable, all_evidence),
        outside=[each for each in evidence if not _counts(each.fact, places)],
        steps=tuple(_steps(known, [version for version in versions if version.since and version.since <= at])),
        announcements=tuple(message for message in announcements if _time(message) <= at),
    )


def _time(message: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(message["time"])


def _rules_at(versions: Iterable[RuleVersion], at: datetime) -> RuleVersion:
    return max(
        (version for version in versions if version.since is not None and version.since <= at),
        key=lambda version: version.version,
        default=DEFAULTS,
    )


def _by_fact(known: Sequence[KeptFact]) -> list[Evidence]:
    """Every lesson and mark in its valid version, by day."""
    by_key: dict[tuple[object, ...], list[tuple[KeptFact, LessonFact | MarkFact]]] = {}
    for kept in known:
        if not isinstance(kept.fact, PlaceFact):
            by_key.setdefault(kept.fact.key, []).append((kept, kept.fact))
    found = []
    for versions in by_key.values():
        position, (kept, fact) = max(enumerate(versions), key=lambda each: rank(each[1][1]))
        day = fact.day if isinstance(fact, LessonFact) else fact.recorded_on
        outdated = len(versions) - 1 - position
        found.append(Evidence(date.fromordinal(day), fact, kept.recorded_time, position, outdated))
    return sorted(found, key=lambda each: (each.day, str(each.fact)))


def _beyond(unusable: Unusable, evidence: Sequence[Evidence]) -> list[Beyond]:
    lessons: dict[int, list[Evidence]] = {day: [] for day in sorted(unusable.days)}
    marks: dict[str, list[Evidence]] = {course: [] for course in sorted(unusable.courses)}
    all_marks: list[Evidence] = []
    for each in evidence:
        match each.fact:
            case LessonFact(day=day) if day in lessons:
                lessons[day].append(each)
            case MarkFact(course=course):
                marks.get(course, []).append(each)
                all_marks.append(each)
    found = [Beyond(bounds.MOST_LESSONS, known, day=date.fromordinal(day)) for day, known in lessons.items()]
    found += [Beyond(bounds.MOST_MARKS_OF_COURSE, known, course=course) for course, known in marks.items()]
    return [*found, Beyond(bounds.MOST_MARKS, all_marks)] if unusable.marks else found


def _counts(fact: LessonFact | MarkFact, places: Spans) -> bool:
    return isinstance(fact, MarkFact) or lesson_counts(places, fact.version.school_unit, fact.day)


def _days(known: Iterable[Evidence]) -> dict[int, Day]:
    """The school days of lessons that count, as scoring sums them up."""
    lessons: dict[int, list[Lesson]] = {}
    for each in known:
        if isinstance(each.fact, LessonFact):
            lessons.setdefault(each.fact.day, []).append(each.fact.version)
    sums = [sum_day(day, of_day) for day, of_day in lessons.items()]
    return {each.day: each for each in sums if each is not None}


def _told_twice(days: Mapping[int, Day], known: Iterable[Evidence]) -> dict[int, Day]:
    """Days on which several registers tell of the same minutes, each of which counts once."""
    minutes: dict[int, tuple[int, int, int]] = {}
    for each in known:
        if isinstance(each.fact, LessonFact) and each.fact.version.state == REGISTERED:
            scheduled, excused, unexcused = minutes.get(each.fact.day, (0, 0, 0))
            lesson = each.fact.version
            minutes[each.fact.day] = scheduled + lesson.minutes, excused + lesson.excused, unexcused + lesson.unexcused
    return {day: days[day] for day, summed in minutes.items() if (days[day][1:4]) != summed}


def _behind(
    found: Found, as_of: int, known: Sequence[Evidence], days: Mapping[int, Day], twice: Collection[int]
) -> list[Evidence]:
    """The facts that an indicator counted: lessons missed or begun late, marks that count against; of days on which several
    registers tell of the same minutes, all lessons with a register.
    """
    name = found.indicator.name
    if name in COURSE_INDICATORS:
        return _marks_behind(name, as_of, known)
    behind = []
    for each in known:
        fact = each.fact
        if not isinstance(fact, LessonFact) or not found.first_day <= fact.day <= as_of:
            continue
        day = days.get(fact.day)
        is_counted = day is not None and (name != "absence_streak" or day.is_fully_absent)
        overlaps = fact.day in twice and fact.version.state == REGISTERED and name != "late_arrivals"
        if is_counted and (overlaps or _weighs(name, fact.version)):
            behind.append(each)
    return behind


def _weighs(indicator: str, lesson: Lesson) -> bool:
    if indicator == "late_arrivals":
        return lesson.late
    return bool(lesson.unexcused if indicator == "unexcused_absence" else lesson.excused + lesson.unexcused)


def _marks_behind(indicator: str, as_of: int, known: Iterable[Evidence]) -> list[Evidence]:
    """Of each course that counts against the student the one mark that does: the grade, else the term mark, else the warning."""
    held: dict[str, dict[str, tuple[Evidence, Mark]]] = {}  # by course, as it is compared
    marks: dict[tuple[str, str], dict[int, Mark]] = {}
    for each in known:
        fact = each.fact
        if isinstance(fact, MarkFact) and fact.version.value is not None and fact.recorded_on <= as_of:
            held.setdefault(compared(fact.course), {})[fact.kind] = each, fact.version
            marks.setdefault((fact.course, fact.kind), {})[fact.recorded_on] = fact.version
    behind = []
    for course in failing(marks):
        of_course = [held[course][kind] for kind in ("final", "term", "warning") if kind in held[course]]
        against = [(each, mark) for each, mark in of_course if mark.value in {"F", "-", "open"}]
        behind += [each for each, mark in against[:1] if indicator != "diploma_critical" or mark.critical]
    return sorted(behind, key=lambda each: (each.day, str(each.fact)))


def _steps(known: Sequence[KeptFact], versions: Sequence[RuleVersion]) -> Iterator[Step]:
    """Plays what was received, moment by moment, and tells those moments that changed score or level; of very many moments day by
    day.
    """
    moments: list[tuple[datetime, list[Fact], RuleVersion | None]]
    are_few = len({kept.recorded_time for kept in known}) <= MOST_MOMENTS
    moments = [
        (together[-1].recorded_time, [kept.fact for kept in together], None)
        for _, group in groupby(known, key=lambda kept: kept.recorded_time if are_few else kept.recorded_time.date())
        if (together := list(group))
    ]
    moments += [(version.since, [], version) for version in versions if version.since is not None]
    student, model, before, seen = Student(), Model(), Assessment(), list[Fact]()
    for at, facts, version in sorted(moments, key=lambda moment: moment[0]):
        seen += facts
        if version is not None:
            model, student = Model(version), from_facts(seen)
        else:
            student = _grown(student, facts, seen)
        after = student.assess(model)
        if (after.score, after.level) != (before.score, before.level):
            yield Step(at, before.score, after.score, before.level, after.level, tuple(facts), model.version)
        before = after


def _grown(student: Student, facts: Sequence[Fact], seen: Sequence[Fact]) -> Student:
    needs = student.needs(facts)
    if needs.everything:
        return from_facts(seen)
    older = [fact for fact in seen if isinstance(fact, LessonFact) and fact.day in needs.days]
    student.apply(facts, older)
    return student
