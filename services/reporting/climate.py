"""Climate of groups and units by week: `climate_views`, one document for each unit, subject and week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import metrics, mongo
from shared.events import ClimateReportedEvent, content_digest, precedence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from services.reporting.views import UnitKey
    from shared.events import Precedence
    from shared.mongo import Database, Document

_OF_UNIT = "unit:"
SUBJECTS_AT_ONCE = 500
"""Asked about in one query."""


@dataclass(frozen=True, slots=True)
class Climate:
    """Means of one week, 1.0…5.0. `subject`: `unit:CODE` or `group:CODE`. Never from fewer than five answers."""

    subject: str
    period: str
    answers: int
    safety: float
    inclusion: float
    relations: float


class ClimateStore:
    """Keeps, for each authority, subject, named unit and week, the version of highest precedence; also retractions."""

    def __init__(self, database: Database) -> None:
        self._climate = database["climate_views"]

    async def ensure_indexes(self) -> None:
        """Creates what finding a subject's weeks needs."""
        keys = [("authority", mongo.ASCENDING), ("subject", mongo.ASCENDING), ("period", mongo.DESCENDING)]
        await mongo.ensure_indexes(self._climate, [mongo.IndexModel(keys, name="subject_period")])

    async def keep(self, event: ClimateReportedEvent) -> None:
        """Stores the event unless one as new is there. A lost race is repeated: the guard then decides.

        Raises:
            Outage: the database is away or the outcome unknown: keep it again.
        """
        school_unit = _unit_of(event)
        key = content_digest([event.authority, event.subject, school_unit, event.data.period])
        revision, digest = precedence(event.data)
        older = {
            "_id": key,
            "$or": [{"revision": {"$lt": revision}}, {"revision": revision, "digest": {"$lt": digest}}],
        }
        named = {"authority": event.authority, "subject": event.subject, "school_unit": school_unit}
        content = {"$set": {**event.data.model_dump(mode="json"), "digest": digest, **named}}
        outcome = await mongo.bulk_write(self._climate, [mongo.UpdateOne(older, content, upsert=True)])
        if not outcome.duplicates:
            return
        outcome = await mongo.bulk_write(self._climate, [mongo.UpdateOne(older, content)])
        if not outcome.matched and await self._knows_newer(key, (revision, digest)):
            metrics.OLDER_THAN_KNOWN.labels("reporting", event.authority, event.type).inc()

    async def _knows_newer(self, key: str, version: Precedence) -> bool:
        with mongo.outages():
            known = await self._climate.find_one({"_id": key}, {"revision": 1, "digest": 1})
        return known is not None and (known["revision"], known["digest"]) > version

    async def latest(self, unit: UnitKey, groups: Iterable[str], own: Collection[str]) -> list[Climate]:
        """The newest week of the unit itself, then of each of its groups that has one, in the order of `groups`.

        A report counts that names the unit; of the `own` groups, whose code no other unit uses, also one that names none.

        Raises:
            Outage: the database is away.
        """
        own_subjects = {f"group:{group}" for group in own}
        wanted = [f"{_OF_UNIT}{unit.school_unit}", *(f"group:{group}" for group in groups)]
        newest: dict[str, Document] = {}
        for start in range(0, len(wanted), SUBJECTS_AT_ONCE):
            query = {
                "authority": unit.authority,
                "subject": {"$in": wanted[start : start + SUBJECTS_AT_ONCE]},
                "school_unit": {"$in": [unit.school_unit, None]},
                "state": "recorded",
            }
            with mongo.outages():
                async for item in self._climate.find(query):
                    subject = item["subject"]
                    if item.get("school_unit") or subject in own_subjects:
                        newest[subject] = max(newest.get(subject, item), item, key=_newness)
        return [_read(newest[subject]) for subject in wanted if subject in newest]


def _newness(document: Document) -> tuple[str, bool]:
    """Of one week, what names the unit knows better."""
    return document["period"], document.get("school_unit") is not None


def _unit_of(event: ClimateReportedEvent) -> str | None:
    if event.subject.startswith(_OF_UNIT):
        return event.subject.removeprefix(_OF_UNIT)
    return event.data.school_unit


def _read(document: Document) -> Climate:
    return Climate(
        subject=document["subject"],
        period=document["period"],
        answers=document["answers"],
        safety=document["safety"],
        inclusion=document["inclusion"],
        relations=document["relations"],
    )
