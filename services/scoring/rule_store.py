"""Rules of authorities: `scoring_rules`, one document for each version, never changed or deleted.

{_id: "2480:2", authority, version, since, rules: {what differs from the defaults}}
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.scoring.indicators import Model
from services.scoring.rules import DEFAULTS, Rules, RuleVersion, check_rules
from shared import metrics, mongo
from shared.errors import Reject, Stale

LOOK_EVERY_SECONDS = 5.0

logger = logging.getLogger(__name__)


class RuleStore:
    """Reads and adds versions. Every method may raise `Outage`."""

    def __init__(self, database: mongo.Database) -> None:
        self._rules = database["scoring_rules"]
        self._told: set[str] = set()

    async def prepare(self) -> None:
        """Creates the index."""
        keys = [("authority", mongo.ASCENDING), ("version", mongo.ASCENDING)]
        await mongo.ensure_indexes(self._rules, [mongo.IndexModel(keys, name="authority_version")])

    async def versions(self, authority: str) -> list[RuleVersion]:
        """All versions of an authority that can be read, oldest first, without the defaults."""
        versions, _ = await self.history(authority)
        return versions

    async def history(self, authority: str) -> tuple[list[RuleVersion], list[str]]:
        """The same, and the keys of the versions that this Kvar cannot read, in order."""
        found, unreadable = await self._find(_of(authority))
        return found.get(authority, []), sorted(unreadable)

    async def newest(self) -> dict[str, RuleVersion]:
        """What holds now for each authority that has set any: its newest version that can be read."""
        found, unreadable = await self._find({})
        metrics.UNREADABLE_RULES.set(len(unreadable))
        for key in unreadable - self._told:
            logger.error("rules cannot be read; the authority's last good version holds", extra={"rules": key})
        self._told = unreadable
        return {authority: versions[-1] for authority, versions in found.items()}

    async def _find(self, query: dict[str, Any]) -> tuple[dict[str, list[RuleVersion]], set[str]]:
        """Versions by authority, in order, and the keys of those that cannot be read."""
        found: dict[str, list[RuleVersion]] = {}
        unreadable: set[str] = set()
        with mongo.outages():
            async for document in self._rules.find(query):
                try:
                    version = _version(document)
                    found.setdefault(document["authority"], []).append(version)
                except (Reject, KeyError, TypeError):
                    unreadable.add(str(document["_id"]))
        for versions in found.values():
            versions.sort(key=lambda version: version.version)
        return found, unreadable

    async def add(self, authority: str, rules: Rules, now: datetime) -> RuleVersion:
        """Makes these the authority's rules from now on.

        Raises:
            Stale: somebody else has just set some; look at them first.
        """
        with mongo.outages():
            # By their keys: of one that cannot be read nothing else is sure.
            keys = [str(each["_id"]) async for each in self._rules.find(_of(authority), {"_id": 1})]
        there = [int(number) for key in keys if (number := key.rpartition(":")[2]).isdecimal()]
        added = RuleVersion(max(there, default=0) + 1, rules, now)
        document: dict[str, Any] = {
            "_id": f"{authority}:{added.version}",
            "authority": authority,
            "version": added.version,
            "since": now,
            "rules": rules.model_dump(mode="json", exclude_defaults=True),
        }
        outcome = await mongo.bulk_write(self._rules, [mongo.InsertOne(document)])
        if outcome.duplicates:
            raise Stale(f"version {added.version} has just been set by somebody else")
        return added


def _of(authority: str) -> dict[str, Any]:
    return {"_id": {"$gte": f"{authority}:", "$lt": f"{authority};"}}  # ";" comes after ":"


def _version(document: Mapping[str, Any]) -> RuleVersion:
    """Raises `Reject` or `KeyError` where it cannot be read."""
    version, since = document["version"], document["since"]
    if not (isinstance(version, int) and isinstance(since, datetime)):
        raise Reject("no version of rules")
    return RuleVersion(version, check_rules(document["rules"]), since)


class RuleBook:
    """Every authority's rules as models, looked up again every few seconds."""

    def __init__(self, store: RuleStore) -> None:
        self._store = store
        self._models: dict[str, Model] = {}
        self._default = Model(DEFAULTS)
        self._looked_at: float | None = None

    async def look(self, *, at_once: bool = False) -> None:
        """Reads what has been set since, unless that was done a moment ago."""
        now = time.monotonic()
        if not at_once and self._looked_at is not None and now - self._looked_at < LOOK_EVERY_SECONDS:
            return
        for authority, version in (await self._store.newest()).items():
            known = self._models.get(authority)
            if known is None or known.number < version.version:
                self._models[authority] = Model(version)
        self._looked_at = now

    def model(self, authority: str) -> Model:
        """The authority's model as it was when last looked up."""
        return self._models.get(authority, self._default)
