"""Why a student's score is what it is, as known at a time: recomputed from the facts received until then.

Pure: the same facts, rules and messages give the same explanation, whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from services.scoring.facts import Fact, LessonFact, MarkFact, PlaceFact
from services.scoring.indicators import Found, Model
from services.scoring.records import KeptFact
from services.scoring.rules import DEFAULTS, RuleVersion
from services.scoring.student import Assessment, Student, from_facts
from shared.events import Level

COURSE_INDICATORS = frozenset({"failed_courses", "credit_margin", "diploma_critical"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact behind a reason, in the version that counts.

    `versions`: how many of its versions were known; more than one: it has been corrected.
    """

    day: date
    fact: LessonFact | MarkFact
    received_at: datetime
    versions: int


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

    `announced`: the level that the messages published until then leave the student at; `None` when nothing was published.
    """

    student: str
    at: datetime
    facts_known: int
    assessment: Assessment
    model: Model
    school_unit: str | None
    groups: tuple[str, ...]
    evidence: Mapping[str, Sequence[Evidence]]
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
) -> Explanation:
    """From all that is kept: facts received later, rules set later and messages published later are left out."""
    known = sorted((kept for kept in facts if kept.recorded_time <= at), key=lambda kept: kept.recorded_time)
    model = Model(_rules_at(versions, at))
    state = from_facts([kept.fact for kept in known])
    assessment = state.assess(model)
    return Explanation(
        student=student,
        at=at,
        facts_known=len(known),
        assessment=assessment,
        model=model,
        school_unit=state.school_unit(),
        groups=tuple(state.groups()),
        evidence={found.indicator.name: _evidence(found, assessment.as_of or 0, known) for found in assessment.reasons},
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


def _evidence(found: Found, as_of: int, known: Sequence[KeptFact]) -> list[Evidence]:
    """The facts that an indicator counted, those that weigh: lessons missed or begun late, marks that count against."""
    by_key: dict[tuple[str, ...], list[KeptFact]] = {}
    for kept in known:
        fact = kept.fact
        if found.indicator.name in COURSE_INDICATORS:
            if isinstance(fact, MarkFact) and fact.version.recorded_on <= as_of:
                by_key.setdefault((fact.course, fact.kind), []).append(kept)
        elif isinstance(fact, LessonFact) and found.first_day <= fact.day <= as_of:
            by_key.setdefault((str(fact.day), fact.lesson), []).append(kept)
    held = ((max(versions, key=lambda kept: kept.fact.version[:2]), len(versions)) for versions in by_key.values())
    evidence = [
        Evidence(date.fromordinal(_day(kept.fact)), kept.fact, kept.recorded_time, count)
        for kept, count in held
        if not isinstance(kept.fact, PlaceFact) and _weighs(found.indicator.name, kept.fact)
    ]
    return sorted(evidence, key=lambda each: (each.day, str(each.fact)))


def _day(fact: Fact) -> int:
    if isinstance(fact, LessonFact):
        return fact.day
    return fact.version.recorded_on if isinstance(fact, MarkFact) else fact.starts_on


def _weighs(indicator: str, fact: LessonFact | MarkFact) -> bool:
    if isinstance(fact, MarkFact):
        return fact.version.value in {"F", "-", "open"} and (indicator != "diploma_critical" or fact.version.critical)
    lesson = fact.version
    if indicator == "late_arrivals":
        return lesson.late
    return bool(lesson.unexcused if indicator == "unexcused_absence" else lesson.excused + lesson.unexcused)


def _steps(known: Sequence[KeptFact], versions: Sequence[RuleVersion]) -> Iterator[Step]:
    """Plays what was received, moment by moment, and tells those moments that changed score or level."""
    moments: list[tuple[datetime, list[Fact], RuleVersion | None]] = [
        (at, [kept.fact for kept in group], None) for at, group in groupby(known, key=lambda kept: kept.recorded_time)
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
    student.apply([*older, *facts])
    return student
