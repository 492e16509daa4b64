"""What scoring has published, held against brute force (tests/oracle.py)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

import orjson

from shared.events import AnyEvent, EnrolmentChangedEvent
from shared.messaging import topology
from tests import oracle, place_oracle
from tests.integration.scoring.stage import expected, last_scores


class Said:
    """What scoring has published by the day that is `today`."""

    def __init__(self, today: date) -> None:
        self.today = today
        self._bodies: dict[str, dict[str, Any]] = {}
        self._scores: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    async def publish(self, body: bytes, *, routing_key: str, message_id: str) -> None:
        """The broker's side of a publish."""
        content = orjson.loads(body)
        if routing_key == topology.SCORED_KEY:
            self._scores[content["subject"]].append(content)
            return
        assert routing_key in {topology.LEVEL_CHANGED_KEY, topology.ALERT_WITHDRAWN_KEY}
        assert message_id == content["id"]
        assert self._bodies.setdefault(message_id, content) == content, f"{message_id} said in two ways"

    @property
    def alert_ids(self) -> frozenset[str]:
        """Of all level changes and withdrawals."""
        return frozenset(self._bodies)

    def check(self, student: str, events: Iterable[AnyEvent]) -> oracle.Expected:
        """Compares with brute force: the newest score, and the unbroken numbered chain of level changes up to it."""
        events = list(events)
        wanted = expected(events)[student]
        scores = self._scores[student]
        assert scores, f"nothing said of {student}"
        assert last_scores(scores)[student] == wanted, f"the newest score of {student}"
        by_revision: dict[int, dict[str, Any]] = {}
        for score in scores:
            data = by_revision.setdefault(score["data"]["revision"], score["data"])
            assert score["data"] == data, "one revision, two scores"
        self._check_where(student, events, by_revision[max(by_revision)])
        self._check_chain(student, wanted.level)
        return wanted

    def _check_where(self, student: str, events: Iterable[AnyEvent], newest: dict[str, Any]) -> None:
        """Where the student is, if anywhere, on the last day of all."""
        places = [orjson.loads(event.encode()) for event in events if isinstance(event, EnrolmentChangedEvent)]
        where = place_oracle.place_on(places, self.today)
        if where is not None:
            found = (newest["school_unit"], newest["groups"])
            assert found == (where.school_unit, sorted(where.groups)), f"where {student} is"

    def _check_chain(self, student: str, last: str) -> None:
        alerts = [body["data"] for body in self._bodies.values() if body["subject"] == student]
        alerts.sort(key=lambda data: int(data["n"]))
        assert [data["n"] for data in alerts] == list(range(1, len(alerts) + 1)), f"a gap in the alerts of {student}"
        level = "universal"
        for data in alerts:
            assert self._bodies[f"{student}:{data['n']}"]["data"] is data, "id and number differ"
            assert data["from"] == level, f"alert {data['n']} of {student} begins at the wrong level"
            level = data["to"]
            if "alert" in data:
                assert data["alert"] in {f"{student}:{n}" for n in range(1, data["n"])}, "withdrawn before it was said"
        assert level == last, f"the alerts of {student} end at the wrong level"
