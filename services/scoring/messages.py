"""What scoring says, as messages: a pure step from a student's record and assessment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from services.scoring.bounds import MOST_RISES
from services.scoring.facts import Fact, LessonFact, MarkFact
from services.scoring.indicators import Found, Model
from services.scoring.level import LEVELS
from services.scoring.records import OutboxEntry, StudentRecord
from services.scoring.student import Assessment, Raised
from shared.events import (
    AlertWithdrawn,
    AlertWithdrawnEvent,
    CorrectedFact,
    Reason,
    RiskLevelChanged,
    RiskLevelChangedEvent,
    RiskScored,
    RiskScoredEvent,
    content_digest,
)
from shared.messaging.topology import ALERT_WITHDRAWN_KEY, LEVEL_CHANGED_KEY

SOURCE = "/kvar/scoring"
MAX_CORRECTED = 20
DIGEST_LENGTH = 16
"""Hex digits kept of the digest of what was last said: it only has to differ."""


@dataclass(frozen=True, slots=True)
class Change:
    """What brought a new assessment.

    `corrected`: facts that say something else than what was known, else what is new. `is_by_rules`: the authority's rules have
    changed.
    """

    corrected: Sequence[Fact]
    received_at: datetime
    is_by_rules: bool


class Assessed(NamedTuple):
    """A student's record with what it says by a model, and what has changed it."""

    record: StudentRecord
    assessment: Assessment
    model: Model
    change: Change


def reasons(found: Iterable[Found], as_of: int) -> list[Reason]:
    """As messages bear them."""
    return [
        Reason(
            indicator=each.indicator.name,
            points=each.points,
            numbers=dict(each.numbers),
            first_day=date.fromordinal(each.first_day),
            last_day=date.fromordinal(as_of),
        )
        for each in found
    ]


def digest(assessed: Assessed) -> str:
    """Of everything that `scored` says but the revision."""
    record, assessment, model, _ = assessed
    content: list[Any] = [
        list(record.where),
        assessment.score,
        assessment.level,
        [[found.indicator.name, *found.raw] for found in assessment.reasons],
        [signal.model_dump(mode="json") for signal in record.noted.signals],
        assessment.as_of,
        assessment.fresh_until,
        _stale(record, model),
        model.version,
    ]
    return content_digest(content)[:DIGEST_LENGTH]


def scored(assessed: Assessed, *, revision: int, now: datetime) -> RiskScoredEvent:
    """What there is to say of a student's risk as it stands."""
    record, assessment, model, _ = assessed
    stale_since, stale_school_days = _stale(record, model)
    return RiskScoredEvent(
        id=f"{record.id}:scored:{revision}",
        source=SOURCE,
        subject=record.id,
        time=now,
        authority=record.authority,
        dataschema="urn:kvar:risk.scored.v1",
        data=RiskScored(
            school_unit=record.where.school_unit,
            groups=list(record.where.groups),
            score=assessment.score,
            level=assessment.level,
            reasons=_all_reasons(record, assessment),
            as_of=_date(assessment.as_of),
            fresh_until=_date(assessment.fresh_until),
            stale_since=stale_since,
            stale_school_days=stale_school_days,
            model_version=model.version,
            revision=revision,
        ),
    )


def announce(assessed: Assessed, now: datetime) -> list[OutboxEntry]:
    """The alerts to withdraw and the change of level, numbered; the record bears the new level afterwards."""
    record, assessment, _, change = assessed
    points = {found.indicator.name: found.points for found in assessment.reasons}
    wrong = [raised for raised in record.state.raised if raised.n in assessment.wrong]
    if change.is_by_rules:
        # What was right by the rules of its time, and is over, is not called wrong afterwards.
        over = [raised for raised in wrong if raised.rank > record.level.rank]
        wrong = [raised for raised in wrong if raised not in over]
        record.state.raised = [raised for raised in record.state.raised if raised not in over]
    entries = [_withdrawal(assessed, now, raised) for raised in sorted(wrong, key=lambda raised: -raised.n)]
    if assessment.level != record.level:
        entries.append(_level_change(assessed, now, points))
    if entries:
        record.points = points
    return entries


def _withdrawal(assessed: Assessed, now: datetime, raised: Raised) -> OutboxEntry:
    record, assessment, model, change = assessed
    before, after = record.level, min(record.level, assessment.level, key=lambda level: level.rank)
    record.alerts += 1
    record.level = after
    record.state.raised.remove(raised)
    event = AlertWithdrawnEvent(
        **_envelope(record, "risk.alert_withdrawn.v1", now),
        data=AlertWithdrawn(
            n=record.alerts,
            alert=f"{record.id}:{raised.n}",
            alert_level=LEVELS[raised.rank],
            from_level=before,
            to_level=after,
            score=assessment.score,
            reasons=_all_reasons(record, assessment),
            cause="rules" if change.is_by_rules else "correction",
            corrected=_by_rules(model, now) if change.is_by_rules else _corrected(change.corrected),
            school_unit=record.where.school_unit,
            groups=list(record.where.groups),
            as_of=_date(assessment.as_of),
            fresh_until=_date(assessment.fresh_until),
            received_at=change.received_at,
            model_version=model.version,
        ),
    )
    return OutboxEntry(event.id, now, ALERT_WITHDRAWN_KEY, event.encode().decode())


def _level_change(assessed: Assessed, now: datetime, points: dict[str, int]) -> OutboxEntry:
    record, assessment, model, change = assessed
    before, record.level = record.level, assessment.level
    record.alerts += 1
    if assessment.as_of and assessment.level.rank > before.rank:
        rise = Raised(record.alerts, assessment.as_of, assessment.level.rank)
        record.state.raised = [*record.state.raised, rise][-MOST_RISES:]
    event = RiskLevelChangedEvent(
        **_envelope(record, "risk.level_changed.v1", now),
        data=RiskLevelChanged(
            n=record.alerts,
            from_level=before,
            to_level=assessment.level,
            score=assessment.score,
            reasons=_all_reasons(record, assessment),
            changes=_differences(record.points, points),
            school_unit=record.where.school_unit,
            groups=list(record.where.groups),
            as_of=_date(assessment.as_of) or now.date(),
            fresh_until=_date(assessment.fresh_until),
            received_at=change.received_at,
            model_version=model.version,
            cause="rules" if change.is_by_rules else "facts",
        ),
    )
    return OutboxEntry(event.id, now, LEVEL_CHANGED_KEY, event.encode().decode())


def _envelope(record: StudentRecord, kind: str, now: datetime) -> dict[str, Any]:
    return {
        "id": f"{record.id}:{record.alerts}",
        "source": SOURCE,
        "subject": record.id,
        "time": now,
        "authority": record.authority,
        "dataschema": f"urn:kvar:{kind}",
    }


def _all_reasons(record: StudentRecord, assessment: Assessment) -> list[Reason]:
    own = reasons(assessment.reasons, assessment.as_of) if assessment.as_of else []
    return [*own, *record.noted.signals]


def _differences(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    changes = {name: after.get(name, 0) - before.get(name, 0) for name in sorted({*before, *after})}
    return {name: points for name, points in changes.items() if points}


def _stale(record: StudentRecord, model: Model) -> tuple[date | None, int | None]:
    """Since when, and after how many school days by the rules."""
    since = record.stale_since
    return since, model.rules.stale.school_days if since is not None else None


def _by_rules(model: Model, now: datetime) -> list[CorrectedFact]:
    return [CorrectedFact(kind="rules", key=model.version, day=(model.since or now).date(), revision=model.number)]


def _corrected(facts: Iterable[Fact]) -> list[CorrectedFact]:
    """The newest day first."""
    found = sorted(
        {_corrected_fact(fact) for fact in facts}, key=lambda each: (-each.day.toordinal(), each.kind, each.key)
    )
    return found[:MAX_CORRECTED]


def _corrected_fact(fact: Fact) -> CorrectedFact:
    if isinstance(fact, LessonFact):
        kind, key, day = "attendance", fact.lesson, fact.day
    elif isinstance(fact, MarkFact):
        kind, key, day = "mark", f"{fact.course} {fact.kind}", fact.recorded_on
    else:
        kind, (key, day) = "place", fact.version.key
    return CorrectedFact.model_validate(
        {"kind": kind, "key": key, "day": date.fromordinal(day), "revision": fact.version.revision}
    )


def _date(day: int | None) -> date | None:
    return date.fromordinal(day) if day else None
