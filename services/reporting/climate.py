"""Climate of groups and units by week: `climate_views`, one document for each subject and week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import mongo
from shared.events import ClimateReportedEvent, content_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.mongo import Database


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
    """Keeps, for each subject and week, the highest revision; on a tie the greater content digest; also retractions."""

    def __init__(self, database: Database) -> None:
        self._climate = database["climate_views"]

    async def ensure_indexes(self) -> None:
        """Creates what finding a subject's weeks needs."""
        keys = [("authority", mongo.ASCENDING), ("subject", mongo.ASCENDING), ("period", mongo.DESCENDING)]
        await mongo.ensure_indexes(self._climate, [mongo.IndexModel(keys, name="subject_period")])

    async def keep(self, event: ClimateReportedEvent) -> None:
        """Stores the event unless a newer one is there. A lost race is repeated: the guard then decides.

        Raises:
            Outage: the database is away or the outcome unknown: keep it again.
        """
        key = content_digest([event.authority, event.subject, event.data.period])
        data = event.data.model_dump(mode="json")
        digest = content_digest(data)
        newer = {
            "$or": [
                {"revision": {"$lt": event.data.revision}},
                {"revision": event.data.revision, "digest": {"$lt": digest}},
            ]
        }
        content = {**data, "digest": digest, "authority": event.authority, "subject": event.subject}
        outcome = await mongo.bulk_write(
            self._climate, [mongo.UpdateOne({"_id": key, **newer}, {"$set": content}, upsert=True)]
        )
        if outcome.duplicates:
            await mongo.bulk_write(self._climate, [mongo.UpdateOne({"_id": key, **newer}, {"$set": content})])

    async def latest(self, authority: str, subjects: Iterable[str]) -> list[Climate]:
        """The newest week of each subject that has one, in the order of `subjects`.

        Raises:
            Outage: the database is away.
        """
        wanted = list(subjects)
        query = {"authority": authority, "subject": {"$in": wanted}, "state": "recorded"}
        with mongo.outages():
            found = await self._climate.find(query).sort("period", mongo.ASCENDING).to_list(None)
        newest = {item["subject"]: item for item in found}
        return [
            Climate(
                subject=subject,
                period=item["period"],
                answers=item["answers"],
                safety=item["safety"],
                inclusion=item["inclusion"],
                relations=item["relations"],
            )
            for subject in wanted
            if (item := newest.get(subject))
        ]
