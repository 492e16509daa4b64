"""What reporting knows of one student, merged from risk and enrolments in any order, and where that puts the student on a day.

Pure. A view has two parts: the risk as scoring sees it (the highest revision wins) and the enrolments (for each key the
version that supersedes the others). `merge` is idempotent, commutative and associative, so redelivery, reordering and
several replicas end in the same view. No day is in it: where the student is depends on the day that is asked for, by the rule of
`shared.events.places`. Days are day numbers (`date.toordinal`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from shared.events import EnrolmentChangedEvent, Level, Reason, content_digest
from shared.events.places import (
    MOST_PLACES,
    Place,
    Presence,
    latest_begun,
    next_change,
    place_of,
    standing,
    whereabouts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, tzinfo

    from shared.events import RiskScoredEvent

    StudentEvent = RiskScoredEvent | EnrolmentChangedEvent

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


class Stay(NamedTuple):
    """How a student stands at a school unit on a day, with the groups there. No unit: unknown, or not to be shown."""

    school_unit: str | None
    presence: Presence
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The valid version of one place. Of a protected one only what merging and telling the presence need is kept; see `_hidden`.

    `ever_protected`: any version seen was protected, valid or not. What protection removes from elsewhere cannot be brought
    back when it ends, so this decides, and the order of events does not.
    """

    place: Place
    protected: bool
    ever_protected: bool
    programme: str | None = None
    study_year: int | None = None


@dataclass(frozen=True, slots=True)
class Risk:
    """The newest risk. Unit and groups are kept only while no enrolment is known: that knows better.

    `stale_since`: the first of the unit's school days on which nothing was registered of the student; by then there were
    `stale_school_days` of them.
    """

    revision: int
    score: int
    level: Level
    reasons: tuple[Reason, ...]
    as_of: date | None
    fresh_until: date | None
    stale_since: date | None
    stale_school_days: int | None
    model_version: str
    school_unit: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StudentView:
    """One student. `enrolments`: of the latest places, by a digest of their key, since codes of schools are no safe names of
    fields.
    """

    pseudonym: str
    authority: str
    risk: Risk | None = None
    enrolments: dict[str, Enrolment] = field(default_factory=dict)

    @property
    def protected(self) -> bool:
        """Whether unit and groups must not be shown: one enrolment that says so is enough, also one that had no room here."""
        is_asked_for = any(item.place.is_recorded and item.protected for item in self.enrolments.values())
        return is_asked_for or len(self.enrolments) >= MOST_PLACES

    def shown_enrolments(self, day: int) -> list[tuple[Enrolment, Presence]]:
        """Places that count and may be shown, for as long as they do, the one where the student is on the day first; none of a
        protected student.
        """
        if self.protected:
            return []
        items = {item.place.key: item for item in self.enrolments.values()}
        found = whereabouts(self._places, day)
        each = [one for place in standing(self._places) if (one := whereabouts([place], day))]
        each.sort(key=lambda one: (one != found, _SHOWN_ORDER[one.presence], -one.place.starts_on, one.place.key))
        return [(replace(items[one.place.key], place=one.place), one.presence) for one in each]

    def stay(self, day: int) -> Stay | None:
        """Where the student is on the day, was last or will be first.

        While no enrolment is known, the unit that scoring names counts as the student's; nothing when every enrolment was taken
        back and it names none.
        """
        if not self._is_placed:
            risk = self.risk
            if self.enrolments and (risk is None or risk.school_unit is None):
                return None
            return Stay(risk.school_unit if risk else None, Presence.ACTIVE, risk.groups if risk else ())
        found = whereabouts(self._places, day)
        if found is None:
            return None
        if self.protected:
            return Stay(None, found.presence, ())
        return Stay(found.place.school_unit, found.presence, found.place.groups)

    def stays(self, day: int) -> dict[UnitKey, Stay]:
        """The `units` in which the student counts, and how on the day: judged by the places at each unit alone."""
        overall = self.stay(day)
        if overall is None:
            return {}
        if self.protected or not self._is_placed:
            return {UnitKey(self.authority, overall.school_unit or ""): overall}
        at_unit: dict[str, list[Place]] = defaultdict(list)
        for place in self._places:
            at_unit[place.school_unit].append(place)
        found = {unit: whereabouts(places, day) for unit, places in sorted(at_unit.items())}
        return {
            UnitKey(self.authority, unit): Stay(unit, there.presence, there.place.groups)
            for unit, there in found.items()
            if there
        }

    @property
    def units(self) -> set[UnitKey]:
        """The units in which the student counts, in whatever way: no matter of the day."""
        if not self._is_placed:
            unit = self.risk.school_unit if self.risk else None
            return set() if self.enrolments and unit is None else {UnitKey(self.authority, unit or "")}
        recorded = {item.place.school_unit for item in self.enrolments.values() if item.place.is_recorded}
        return {UnitKey(self.authority, unit) for unit in ([""] if self.protected else recorded)}

    def next_change(self, day: int) -> int | None:
        """The first day after this one on which the student may stand somewhere else or otherwise; nothing when there is none."""
        return next_change(self._places, day)

    @property
    def _is_placed(self) -> bool:
        return any(item.place.is_recorded for item in self.enrolments.values())

    @property
    def _places(self) -> list[Place]:
        items = self.enrolments.values()
        if not self.protected:
            return [item.place for item in items]
        # Also those that were never protected: places of one unit are compared, so all must name it alike.
        return [item.place if item.protected else _hidden(item.place, self.pseudonym) for item in items]

    @property
    def level(self) -> Level | None:
        """The level; nothing while there are no facts to judge from."""
        return self.risk.level if self.risk and self.risk.as_of else None

    @property
    def stale(self) -> bool:
        """Whether nothing has been registered of the student for as many school days of the unit as the rules name."""
        return self.risk is not None and self.risk.stale_since is not None

    @property
    def order(self) -> str:
        """Sorts students with the most at risk first: level, then score, then pseudonym; those without data come last."""
        if self.level is None or self.risk is None:
            return f"{_ORDER_TOP}{self.pseudonym}"
        need = (self.level.rank + 1) * _LEVEL_STEP + self.risk.score
        return f"{_ORDER_TOP - need:04d}{self.pseudonym}"


_SHOWN_ORDER = {Presence.ACTIVE: 0, Presence.PAUSED: 1, Presence.UPCOMING: 2, Presence.ENDED: 3}


def order_range(level: Level | None) -> tuple[str, str]:
    """The part of all `order` strings that belongs to a level, from the first (included) to the last (excluded)."""
    first = 9 if level is None else 8 - level.rank
    return str(first), str(first + 1) if first < 9 else ":"


def merge(view: StudentView | None, event: StudentEvent, zone: tzinfo) -> StudentView:
    """The view with the event taken in; the very same object when the event brings nothing new. `zone`: the authority's."""
    known = view or StudentView(event.subject, event.authority)
    if isinstance(event, EnrolmentChangedEvent):
        return _merge_enrolment(known, event, zone)
    return _merge_risk(known, event)


def is_older_than_known(view: StudentView | None, event: StudentEvent, zone: tzinfo) -> bool:
    """Whether a fact comes after a newer version of itself. A repetition is none, nor is a score: that is no source's fact."""
    if view is None or not isinstance(event, EnrolmentChangedEvent):
        return False
    place = place_of(event.data, event.time, zone)
    known = view.enrolments.get(place.key_digest)
    return known is not None and (place.revision, place.digest) < (known.place.revision, known.place.digest)


def units_touched(view: StudentView | None, events: Iterable[StudentEvent]) -> set[UnitKey]:
    """Units whose numbers may change with these events or with a change of this view."""
    named = {UnitKey(event.authority, event.data.school_unit or "") for event in events}
    return named | (view.units if view else set())


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
        stale_school_days=data.stale_school_days,
        model_version=data.model_version,
        school_unit=data.school_unit,
        groups=tuple(data.groups),
    )
    return replace(view, risk=_shown(risk, view.enrolments))


def _merge_enrolment(view: StudentView, event: EnrolmentChangedEvent, zone: tzinfo) -> StudentView:
    place = place_of(event.data, event.time, zone)
    key = place.key_digest
    known = view.enrolments.get(key)
    superseded = known is None or place.supersedes(known.place)
    newest = _enrolment(place, event) if known is None or superseded else known
    ever = event.data.protected or (known is not None and known.ever_protected)
    merged = replace(newest, ever_protected=ever)
    if merged == known:
        return view
    enrolments = _latest({**view.enrolments, key: merged})
    if key not in enrolments:
        return view
    return replace(view, enrolments=enrolments, risk=_shown(view.risk, enrolments) if view.risk else None)


def _latest(enrolments: dict[str, Enrolment]) -> dict[str, Enrolment]:
    return dict(latest_begun(enrolments.items(), lambda item: (item[1].place.starts_on, item[0])))


def _enrolment(place: Place, event: EnrolmentChangedEvent) -> Enrolment:
    data = event.data
    if data.protected:
        return Enrolment(_hidden(place, event.subject), protected=True, ever_protected=True)
    # Who coaches is notify's matter.
    return Enrolment(place._replace(coaches=()), False, False, data.programme, data.study_year)


def _hidden(place: Place, pseudonym: str) -> Place:
    """The place without groups, a digest for its unit: enough to tell which places are of one unit, and their days."""
    unit = content_digest([pseudonym, place.school_unit])[:32]
    return place._replace(school_unit=unit, groups=(), coaches=())


def _shown(risk: Risk, enrolments: dict[str, Enrolment]) -> Risk:
    """The risk without school unit and groups where protection has ever been asked for, or may have been."""
    if len(enrolments) < MOST_PLACES and not any(item.ever_protected for item in enrolments.values()):
        return risk
    reasons = tuple(reason.model_copy(update={"group": None}) for reason in risk.reasons)
    return replace(risk, school_unit=None, groups=(), reasons=reasons)
