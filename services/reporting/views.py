"""What reporting knows of one student, merged from risk and enrolments in any order.

Pure. A view has two parts: the risk as scoring sees it (the highest revision wins) and the enrolments (for each key the
highest revision wins, ties by content digest). `merge` is idempotent, commutative and associative, so redelivery,
reordering and several replicas end in the same view.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from shared.events import EnrolmentChanged, EnrolmentChangedEvent, EnrolmentStatus, Level, Reason, content_digest

if TYPE_CHECKING:
    from shared.events import RiskScoredEvent

    StudentEvent = RiskScoredEvent | EnrolmentChangedEvent

_STRENGTH = {EnrolmentStatus.ENDED: 0, EnrolmentStatus.PAUSED: 1, EnrolmentStatus.ACTIVE: 2}
_ORDER_TOP = 9999
_LEVEL_STEP = 1000


@dataclass(frozen=True, slots=True)
class UnitKey:
    """A school unit of an authority. `school_unit` is empty for students whose unit is unknown or must not be shown."""

    authority: str
    school_unit: str

    def __str__(self) -> str:
        """As stored: an authority's code never holds a slash, so the first one divides."""
        return f"{self.authority}/{self.school_unit}"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The valid revision of one enrolment. Of a protected student only what the merge needs is kept.

    `ever_protected`: any revision seen was protected, valid or not. What protection removes from elsewhere cannot be brought
    back when it ends, so this decides, and the order of events does not.
    """

    revision: int
    digest: str
    recorded: bool
    protected: bool
    ever_protected: bool
    status: EnrolmentStatus
    starts_on: date | None = None
    ends_on: date | None = None
    school_unit: str | None = None
    programme: str | None = None
    study_year: int | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Risk:
    """The newest risk. Unit and groups are kept only while no enrolment is known: that knows better.

    `stale_since`: from this day on the group had ten school days without any register of the student.
    """

    revision: int
    score: int
    level: Level
    reasons: tuple[Reason, ...]
    as_of: date | None
    fresh_until: date | None
    stale_since: date | None
    model_version: str
    school_unit: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StudentView:
    """One student. `enrolments` by a digest of their key, since codes of schools are no safe names of fields."""

    pseudonym: str
    authority: str
    risk: Risk | None = None
    enrolments: dict[str, Enrolment] = field(default_factory=dict)

    @property
    def protected(self) -> bool:
        """Whether unit and groups must not be shown: one enrolment that says so is enough."""
        return any(item.recorded and item.protected for item in self.enrolments.values())

    @property
    def shown_enrolments(self) -> list[Enrolment]:
        """Enrolments that may be shown, the strongest and newest first; none of a protected student."""
        if self.protected:
            return []
        shown = [item for item in self.enrolments.values() if item.recorded]
        return sorted(shown, key=_precedence, reverse=True)

    @property
    def status(self) -> EnrolmentStatus | None:
        """The strongest status of all enrolments; active when none is known yet, nothing when all were retracted."""
        recorded = [item.status for item in self.enrolments.values() if item.recorded]
        if recorded:
            return max(recorded, key=_STRENGTH.__getitem__)
        return None if self.enrolments else EnrolmentStatus.ACTIVE

    @property
    def places(self) -> dict[UnitKey, EnrolmentStatus]:
        """Where the student counts, with the strongest status there."""
        found: dict[UnitKey, EnrolmentStatus] = {}
        for enrolment in reversed(self.shown_enrolments):
            found[UnitKey(self.authority, enrolment.school_unit or "")] = enrolment.status
        if found or self.status is None:
            return found
        known_by_risk = self.risk.school_unit if self.risk and not self.enrolments else None
        return {UnitKey(self.authority, known_by_risk or ""): self.status}

    @property
    def school_unit(self) -> str | None:
        """The unit of the strongest enrolment, if it may be shown."""
        if self.shown_enrolments:
            return self.shown_enrolments[0].school_unit
        return self.risk.school_unit if self.risk and not self.enrolments else None

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups at that unit, if they may be shown."""
        if self.shown_enrolments:
            return self.shown_enrolments[0].groups
        return self.risk.groups if self.risk and not self.enrolments else ()

    @property
    def level(self) -> Level | None:
        """The level; nothing while there are no facts to judge from."""
        return self.risk.level if self.risk and self.risk.as_of else None

    @property
    def stale(self) -> bool:
        """Whether nothing has been registered of the student for ten school days of the group."""
        return self.risk is not None and self.risk.stale_since is not None

    @property
    def order(self) -> str:
        """Sorts students with the most at risk first: level, then score, then pseudonym; those without data come last."""
        if self.level is None or self.risk is None:
            return f"{_ORDER_TOP}{self.pseudonym}"
        need = (self.level.rank + 1) * _LEVEL_STEP + self.risk.score
        return f"{_ORDER_TOP - need:04d}{self.pseudonym}"


def order_range(level: Level | None) -> tuple[str, str]:
    """The part of all `order` strings that belongs to a level, from the first (included) to the last (excluded)."""
    first = 9 if level is None else 8 - level.rank
    return str(first), str(first + 1) if first < 9 else ":"


def merge(view: StudentView | None, event: StudentEvent) -> StudentView:
    """The view with the event taken in; the very same object when the event brings nothing new."""
    known = view or StudentView(event.subject, event.authority)
    if isinstance(event, EnrolmentChangedEvent):
        return _merge_enrolment(known, event.data)
    return _merge_risk(known, event)


def units_touched(view: StudentView | None, events: list[StudentEvent]) -> set[UnitKey]:
    """Units whose numbers may change with these events or with a change of this view."""
    named = {UnitKey(event.authority, event.data.school_unit or "") for event in events}
    return named | set(view.places if view else ())


def _merge_risk(view: StudentView, event: RiskScoredEvent) -> StudentView:
    data = event.data
    if view.risk is not None and view.risk.revision >= data.revision:
        return view
    risk = Risk(
        revision=data.revision,
        score=data.score,
        level=data.level,
        reasons=tuple(data.reasons),
        as_of=data.as_of,
        fresh_until=data.fresh_until,
        stale_since=data.stale_since,
        model_version=data.model_version,
        school_unit=data.school_unit,
        groups=tuple(data.groups),
    )
    return replace(view, risk=_shown(risk, view.enrolments))


def _merge_enrolment(view: StudentView, data: EnrolmentChanged) -> StudentView:
    key = content_digest([data.school_unit, data.starts_on.isoformat()])[:32]
    digest = content_digest(data.model_dump(mode="json"))
    known = view.enrolments.get(key)
    superseded = known is None or (known.revision, known.digest) < (data.revision, digest)
    newest = _enrolment(data, digest) if known is None or superseded else known
    merged = replace(newest, ever_protected=data.protected or (known is not None and known.ever_protected))
    if merged == known:
        return view
    enrolments = {**view.enrolments, key: merged}
    return replace(view, enrolments=enrolments, risk=_shown(view.risk, enrolments) if view.risk else None)


def _enrolment(data: EnrolmentChanged, digest: str) -> Enrolment:
    kept = Enrolment(
        revision=data.revision,
        digest=digest,
        recorded=data.state == "recorded",
        protected=data.protected,
        ever_protected=data.protected,
        status=data.status,
    )
    if data.protected:
        return kept
    return replace(
        kept,
        starts_on=data.starts_on,
        ends_on=data.ends_on,
        school_unit=data.school_unit,
        programme=data.programme,
        study_year=data.study_year,
        groups=tuple(data.groups),
    )


def _shown(risk: Risk, enrolments: dict[str, Enrolment]) -> Risk:
    """The risk without what enrolments know better, and without names of groups where protection has ever been asked for."""
    if not enrolments:
        return risk
    reasons = risk.reasons
    if any(item.ever_protected for item in enrolments.values()):
        reasons = tuple(reason.model_copy(update={"group": None}) for reason in reasons)
    return replace(risk, school_unit=None, groups=(), reasons=reasons)


def _precedence(enrolment: Enrolment) -> tuple[int, date, str]:
    return _STRENGTH[enrolment.status], enrolment.starts_on or date.min, enrolment.digest
