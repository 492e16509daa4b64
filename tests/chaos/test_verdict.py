"""The comparison at the end of a chaos run finds each kind of mistake; what it is fed here is made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest

from deploy.demo.events import Event
from deploy.demo.school_calendar import TIME_ZONE
from services.scoring.documents import fact_document
from services.scoring.handlers import incoming
from shared.errors import Reject
from shared.events import read_event
from shared.messaging.topology import ALERT_WITHDRAWN_KEY, LEVEL_CHANGED_KEY
from tests import oracle
from tests.builders import pseudonym
from tests.chaos.evidence import Evidence, Mailed, Told
from tests.chaos.faults import Fault, draw
from tests.chaos.publishing import poison_body
from tests.chaos.traffic import Traffic, make_traffic
from tests.chaos.verdict import behind_the_door, compare

TODAY = date(2026, 11, 20)
TRAFFIC = make_traffic(5, 4, 25, TODAY)


def document(event: Event) -> dict[str, Any] | None:
    """The event as scoring keeps it; nothing when it is none of scoring's."""
    try:
        kept = incoming(read_event(orjson.dumps({**event, "recordedtime": event["time"]})), TIME_ZONE).kept
    except Reject:
        return None
    return fact_document(kept)


def told(student: str, number: int, before: str, end: oracle.Expected) -> Told:
    data = {"from": before, "to": end.level, "as_of": end.as_of}
    return Told(LEVEL_CHANGED_KEY, f"{student}:{number}", orjson.dumps({"data": data}))


def perfect(traffic: Traffic) -> Evidence:
    """What a run without any mistake leaves behind."""
    references = {event["subject"] for event in traffic.good if event["subject"].startswith(("id:", "ss12000:"))}
    numbers = {
        one: int(one[3:]) if one.startswith("id:") else int(one[8:].replace("-", ""), 16) - 1 for one in references
    }
    evidence = Evidence(pseudonyms={one: pseudonym(f"elev {number}") for one, number in numbers.items()})
    wanted = [behind_the_door(event, evidence.pseudonyms) for event in traffic.good]
    evidence.archived = [f"{event['source']} {event['id']}" for event in traffic.good]
    evidence.rejected = sorted(traffic.bad_ids)
    kept = [document(event) for event in wanted]  # two events at times say the very same: that is one version
    evidence.facts = list({one["_id"]: one for one in kept if one is not None}.values())
    for student, end in oracle.expect(wanted).items():
        messages = [told(student, 1, "universal", end)] if end.level != "universal" else []
        reasons = [{"indicator": name, "points": points} for name, points in end.points.items()]
        evidence.views[student] = {"score": end.score, "level": end.level, "reasons": reasons, "as_of": end.as_of}
        evidence.students[student] = {"level": end.level, "alerts": len(messages), "outbox": []}
        evidence.told += messages
    evidence.alerts = [{"id": one.id, "status": "sent"} for one in evidence.told]
    evidence.mailed = [Mailed(one.id, f"<{one.id}@kvar>", "coach@example.org") for one in evidence.told]
    evidence.parked = [("scoring.parking", poison_body(one).decode()) for one in traffic.poison]
    return evidence


def test_a_run_without_mistakes_has_no_differences() -> None:
    evidence = perfect(TRAFFIC)
    assert evidence.told
    assert compare(TRAFFIC, evidence) == []


def _stale_view(evidence: Evidence) -> None:
    next(iter(evidence.views.values()))["score"] += 1


def _gap(evidence: Evidence) -> None:
    evidence.students[evidence.told.pop().student]["alerts"] += 1


def _other_content(evidence: Evidence) -> None:
    evidence.told.append(replace(evidence.told[0], body=evidence.told[0].body + b" "))


def _wrong_start(evidence: Evidence) -> None:
    first = evidence.told[0]
    data = {**first.data, "from": "targeted" if first.data["from"] == "universal" else "universal"}
    evidence.told[0] = replace(first, body=orjson.dumps({"data": data}))


def _never_withdrawn(evidence: Evidence) -> None:
    first = evidence.told[0]
    data = {**first.data, "as_of": "2026-12-24"}
    evidence.told[0] = replace(first, body=orjson.dumps({"data": data}))


def withdrawal(*corrected: dict[str, Any]) -> Told:
    """Of the first change of level, because of these facts."""
    first = perfect(TRAFFIC).told[0]
    data = {**first.data, "alert": first.id, "corrected": list(corrected)}
    return Told(ALERT_WITHDRAWN_KEY, f"{first.student}:2", orjson.dumps({"data": data}))


def published_marks() -> list[dict[str, Any]]:
    """Marks of several days, of the student of the first change of level: newest first, as a withdrawal names them."""
    evidence = perfect(TRAFFIC)
    events = [behind_the_door(event, evidence.pseudonyms) for event in TRAFFIC.good if "grade" in event["type"]]
    found = [
        {
            "kind": "mark",
            "key": f"{event['data']['course']} {event['data']['kind']}",
            "day": event["data"]["recorded_on"],
            "revision": event["data"]["revision"],
        }
        for event in events
        if event["subject"] == evidence.told[0].student
    ]
    by_day = {str(fact["day"]): fact for fact in found}
    return [by_day[day] for day in sorted(by_day, reverse=True)[:3]]


def test_a_withdrawal_that_names_what_was_published_is_no_mistake() -> None:
    evidence = perfect(TRAFFIC)
    evidence.told.append(withdrawal(*published_marks()))
    assert not {difference.what for difference in compare(TRAFFIC, evidence)} & WITHDRAWALS


WITHDRAWALS = {"what a withdrawal names", "order of what a withdrawal names"}


def _names_another(evidence: Evidence) -> None:
    evidence.told.append(withdrawal({**published_marks()[0], "revision": 1}))


def _names_twice(evidence: Evidence) -> None:
    evidence.told.append(withdrawal(*published_marks()[:1] * 2))


def _names_the_oldest_first(evidence: Evidence) -> None:
    evidence.told.append(withdrawal(*reversed(published_marks())))


def _left_in_outbox(evidence: Evidence) -> None:
    next(iter(evidence.students.values()))["outbox"].append({"id": "p_x:1"})


def _other_mail(evidence: Evidence) -> None:
    evidence.mailed.append(replace(evidence.mailed[0], message_id="<another@kvar>"))


MISTAKES: dict[str, tuple[Callable[[Evidence], Any], str]] = {
    "event not archived": (lambda evidence: evidence.archived.pop(), "accepted events in the archive"),
    "refusal not kept": (lambda evidence: evidence.rejected.pop(), "refused events that are kept"),
    "fact lost": (lambda evidence: evidence.facts.pop(), "versions kept of a fact"),
    "fact twice": (lambda evidence: evidence.facts.append(evidence.facts[0]), "versions kept of a fact"),
    "stale view": (_stale_view, "score, level and reasons in reporting"),
    "student unknown": (lambda evidence: evidence.views.popitem(), "students known to reporting"),
    "message lost": (lambda evidence: evidence.told.pop(), "numbers of messages about levels"),
    "number skipped": (_gap, "numbers of messages about levels"),
    "one id, two messages": (_other_content, "contents of one message id"),
    "change from elsewhere": (_wrong_start, "level before a change"),
    "not withdrawn": (_never_withdrawn, "alert that is wrong"),
    "names what nobody published": (_names_another, "what a withdrawal names"),
    "names one fact twice": (_names_twice, "order of what a withdrawal names"),
    "names the oldest first": (_names_the_oldest_first, "order of what a withdrawal names"),
    "names nothing": (
        lambda evidence: evidence.told.append(withdrawal()),
        "order of what a withdrawal names",
    ),
    "stranded": (_left_in_outbox, "outbox"),
    "alert lost": (lambda evidence: evidence.alerts.pop(), "alerts in notify"),
    "alert twice": (lambda evidence: evidence.alerts.append(evidence.alerts[0]), "alerts in notify"),
    "mail lost": (lambda evidence: evidence.mailed.pop(), "mails of alerts that are sent"),
    "another mail": (_other_mail, "Message-IDs of one alert"),
    "poison vanished": (lambda evidence: evidence.parked.pop(), "poison parked"),
    "good message parked": (
        lambda evidence: evidence.parked.append(("notify.parking", "{}")),
        "parked message that is no poison",
    ),
    "work left": (lambda evidence: evidence.left.append("3 messages in scoring.s01"), "work left"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_found(name: str) -> None:
    spoil, what = MISTAKES[name]
    evidence = perfect(TRAFFIC)
    spoil(evidence)
    assert what in {difference.what for difference in compare(TRAFFIC, evidence)}


def test_a_seed_draws_the_same_traffic_and_the_same_faults() -> None:
    assert make_traffic(5, 4, 25, TODAY).parcels == TRAFFIC.parcels
    names = {"scoring": ["scoring-1", "scoring-2"], "notify": ["notify-1"]}
    plan = draw(5, 60, 100.0, names)
    assert plan == draw(5, 60, 100.0, names)
    assert {planned.kind for planned in plan} == set(Fault)
    assert {planned.target for planned in plan} <= {"scoring-1", "scoring-2", "notify-1", "all", "broker", "database"}
