"""Whether a run ended as it must: the evidence compared with an independent fold of what was published. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import orjson

from deploy.demo.events import Event
from deploy.demo.school_calendar import TIME_ZONE
from shared.events import read_event
from tests import oracle
from tests.chaos.evidence import Evidence, Told
from tests.chaos.traffic import Traffic

ItemT = TypeVar("ItemT")

RANKS = ("universal", "targeted", "individual")
LAST_DAY = date.max.toordinal()
MOST_CORRECTED = 20
CORRECTED = ("kind", "key", "day", "revision")
LEVEL_CHANGED, ALERT_WITHDRAWN = "level.changed", "alert.withdrawn"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it must be. `who`: the student, event or queue."""

    what: str
    who: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: {self.who}\n    expected {self.expected}\n    found    {self.found}"


def compare(traffic: Traffic, evidence: Evidence) -> list[Difference]:
    """All differences, nothing when the run ended as it must."""
    wanted = [behind_the_door(event, evidence.pseudonyms) for event in traffic.good]
    ends = oracle.expect(wanted)
    checks: tuple[Iterable[Difference], ...] = (
        (Difference("work left", "the whole", "nothing", what) for what in evidence.left),
        _archive(traffic, evidence),
        _facts(wanted, evidence),
        _ends(ends, evidence),
        _numbers(evidence),
        _contents(evidence),
        _levels(ends, evidence),
        _withdrawals(ends, evidence),
        _corrections(wanted, evidence),
        _alerts(evidence),
        _mails(evidence),
        _parked(traffic, evidence),
    )
    return [difference for check in checks for difference in check]


def behind_the_door(event: Event, pseudonyms: Mapping[str, str]) -> Event:
    """The event as ingest must publish it: subject a pseudonym, no person."""
    data = {name: value for name, value in event["data"].items() if name != "person"}
    subject = pseudonyms.get(event["subject"], event["subject"])
    read = read_event(orjson.dumps({**event, "subject": subject, "data": data}))
    published: Event = orjson.loads(read.encode())
    return published


def _archive(traffic: Traffic, evidence: Evidence) -> Iterator[Difference]:
    wanted = {f"{event['source']} {event['id']}" for event in traffic.good}
    yield from _sets("accepted events in the archive", wanted, set(evidence.archived))
    yield from _sets("refused events that are kept", traffic.bad_ids, set(evidence.rejected))


def _facts(wanted: list[Event], evidence: Evidence) -> Iterator[Difference]:
    """Every version of every fact exactly once."""
    published = Counter({version: 1 for event in wanted if (version := _version_of_event(event)) is not None})
    kept = Counter(_version_of_document(document) for document in evidence.facts)
    for version in sorted(published.keys() | kept.keys(), key=str):
        if published[version] != kept[version]:
            yield Difference("versions kept of a fact", str(version), f"{published[version]}", f"{kept[version]}")


def _version_of_event(event: Event) -> tuple[object, ...] | None:
    data, student = event["data"], event["subject"]
    match event["type"].split(".")[1]:
        case "attendance":
            day = datetime.fromisoformat(data["starts_at"]).astimezone(TIME_ZONE).date().toordinal()
            minutes = (data["minutes"], data["excused_minutes"], data["unexcused_minutes"], data["late"])
            return student, "lesson", day, data["lesson"], data["revision"], data["state"], *minutes
        case "grade":
            value = data["value"] if data["state"] == "recorded" else None
            recorded_on = date.fromisoformat(data["recorded_on"]).toordinal()
            said = (value, tuple(data["replaces"]))
            return student, "mark", data["course"], data["kind"], recorded_on, data["revision"], *said
        case "enrolment":
            starts_on = date.fromisoformat(data["starts_on"]).toordinal()
            stands = (data["state"] == "recorded", data["status"] == "paused", data["main"], tuple(data["groups"]))
            return student, "place", data["school_unit"], starts_on, _last_day(event), data["revision"], *stands
        case _:
            return None


def _last_day(event: Event) -> int:
    """Of a place, as a day number; one that is `ended` and names no day ended when its source said so."""
    data = event["data"]
    if data.get("ends_on"):
        return date.fromisoformat(data["ends_on"]).toordinal()
    if data["status"] == "ended":
        return datetime.fromisoformat(event["time"]).astimezone(TIME_ZONE).date().toordinal()
    return LAST_DAY


def _version_of_document(document: Mapping[str, Any]) -> tuple[object, ...]:
    fact, student = document["fact"], document["_id"].partition("|")[0]
    match fact["kind"]:
        case "lesson":
            minutes = (fact["minutes"], fact["excused"], fact["unexcused"], fact["late"])
            return student, "lesson", fact["day"], fact["lesson"], fact["revision"], fact["state"], *minutes
        case "mark":
            said = (fact["value"], tuple(fact["replaces"]))
            return student, "mark", fact["course"], fact["mark_kind"], fact["recorded_on"], fact["revision"], *said
        case _:
            key = (fact["school_unit"], fact["starts_on"], min(fact["ends_on"], LAST_DAY))
            stands = (fact["is_recorded"], fact["is_paused"], fact["main"], tuple(fact["groups"]))
            return student, "place", *key, fact["revision"], *stands


def _ends(ends: Mapping[str, oracle.Expected], evidence: Evidence) -> Iterator[Difference]:
    yield from _sets("students known to scoring", set(ends), set(evidence.students))
    yield from _sets("students known to reporting", set(ends), set(evidence.views))
    for student, wanted in ends.items():
        if student in evidence.views and (found := seen(evidence.views[student])) != wanted:
            yield Difference("score, level and reasons in reporting", student, str(wanted), str(found))
        if (kept := evidence.students.get(student)) is not None and kept["level"] != wanted.level:
            yield Difference("level in scoring", student, wanted.level, kept["level"])


def seen(view: Mapping[str, Any]) -> oracle.Expected:
    """A student as reporting shows them. Reasons without points speak of the group."""
    points = {reason["indicator"]: reason["points"] for reason in view["reasons"] if reason["points"]}
    return oracle.Expected(view["score"], view["level"], points, view["as_of"])


def _numbers(evidence: Evidence) -> Iterator[Difference]:
    """Each student's messages are numbered 1…n without a gap, and n is what scoring counted."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for told in evidence.told:
        numbers[told.student].add(told.number)
    for student, kept in evidence.students.items():
        wanted = set(range(1, kept["alerts"] + 1))
        if wanted != numbers[student]:
            yield Difference(
                "numbers of messages about levels", student, str(sorted(wanted)), str(sorted(numbers[student]))
            )
        if kept["outbox"]:
            waiting = [entry["id"] for entry in kept["outbox"]]
            yield Difference("outbox", student, "nothing", str(waiting))


def _contents(evidence: Evidence) -> Iterator[Difference]:
    """The same id is the same message, however often it was published."""
    for message_id, messages in _by(evidence.told, lambda told: told.id).items():
        contents = {(told.key, hashlib.sha256(told.body).hexdigest()[:12]) for told in messages}
        if len(contents) > 1:
            yield Difference("contents of one message id", message_id, "one", str(sorted(contents)))


def _levels(ends: Mapping[str, oracle.Expected], evidence: Evidence) -> Iterator[Difference]:
    """Each message goes on from where the one before it ended, and the last ends at the level that stands."""
    for student, messages in _by(evidence.told, lambda told: told.student).items():
        level = "universal"
        each_once = {told.number: told for told in messages}
        for _, told in sorted(each_once.items()):
            before, after = told.data["from"], told.data["to"]
            if before != level:
                yield Difference("level before a change", told.id, level, before)
            level = after
        if student in ends and ends[student].level != level:
            yield Difference("level after all changes", student, ends[student].level, level)


def _withdrawals(ends: Mapping[str, oracle.Expected], evidence: Evidence) -> Iterator[Difference]:
    """Who was raised to a level, and by the facts as they are at the end never stood there since, is told so."""
    changes = {told.id: told for told in evidence.told if told.key == LEVEL_CHANGED}
    withdrawn = {told.data["alert"] for told in evidence.told if told.key == ALERT_WITHDRAWN}
    yield from _sets("level changes that withdrawals name", withdrawn, withdrawn & set(changes))
    for alert, told in changes.items():
        level, since = RANKS.index(told.data["to"]), date.fromisoformat(told.data["as_of"])
        if level <= RANKS.index(told.data["from"]) or alert in withdrawn or told.student not in ends:
            continue
        days = ends[told.student].by_day.items()
        if not any(day >= since and RANKS.index(reached) >= level for day, (_, reached) in days):
            yield Difference(
                "alert that is wrong", alert, f"withdrawn: never {told.data['to']} since {since}", "it stands"
            )


def _corrections(wanted: Iterable[Event], evidence: Evidence) -> Iterator[Difference]:
    """A withdrawal names versions of facts that were published of the student: each once, newest days first, not too many."""
    versions = {_named(event["subject"], *one) for event in wanted if (one := _as_corrected(event)) is not None}
    for told in evidence.told:
        if told.key != ALERT_WITHDRAWN:
            continue
        corrected = told.data["corrected"]
        found = [_named(told.student, *(fact[name] for name in CORRECTED)) for fact in corrected]
        days = [fact["day"] for fact in corrected]
        if not 0 < len(found) <= MOST_CORRECTED or len(set(found)) < len(found) or days != sorted(days, reverse=True):
            yield Difference("order of what a withdrawal names", told.id, "newest days first, each once", str(found))
        yield from _sets("what a withdrawal names", versions & set(found), set(found))


def _named(student: str, *said: object) -> str:
    return " ".join([student, *map(str, said)])


def _as_corrected(event: Event) -> tuple[str, str, str, int] | None:
    """A version of a fact as a withdrawal names it: see `CORRECTED`."""
    data = event["data"]
    match event["type"].split(".")[1]:
        case "attendance":
            day = datetime.fromisoformat(data["starts_at"]).astimezone(TIME_ZONE).date()
            return "attendance", data["lesson"], day.isoformat(), data["revision"]
        case "grade":
            return "mark", f"{data['course']} {data['kind']}", data["recorded_on"], data["revision"]
        case "enrolment":
            return "place", data["school_unit"], data["starts_on"], data["revision"]
        case _:
            return None


def _alerts(evidence: Evidence) -> Iterator[Difference]:
    """Every message about a level became one alert of notify."""
    alerts = [alert["id"] for alert in evidence.alerts]
    yield from _sets("alerts in notify", {told.id for told in evidence.told}, set(alerts))
    for alert, count in Counter(alerts).items():
        if count > 1:
            yield Difference("alerts in notify", alert, "once", f"{count} times")


def _mails(evidence: Evidence) -> Iterator[Difference]:
    """What was mailed is an alert; a repetition is recognised by its Message-ID and goes to the same person."""
    known = {told.id for told in evidence.told}
    by_alert = _by(evidence.mailed, lambda mailed: mailed.alert)
    yield from _sets("mails of alerts nobody raised", set(), set(by_alert) - known)
    sent = {alert["id"] for alert in evidence.alerts if alert["status"] == "sent"}
    yield from _sets("mails of alerts that are sent", sent, sent & set(by_alert))
    for alert, mails in by_alert.items():
        ids = {mailed.message_id for mailed in mails}
        if len(ids) > 1:
            yield Difference("Message-IDs of one alert", alert, "one", str(sorted(ids)))


def _parked(traffic: Traffic, evidence: Evidence) -> Iterator[Difference]:
    """Exactly the poison; once more where a replica was killed between parking and acknowledging."""
    poison = {one.id for one in traffic.poison}
    found: set[str] = set()
    for queue, body in evidence.parked:
        ids = {one for one in poison if f'{one}"' in body or f"{one}'" in body}
        if not ids or queue != "scoring.parking":
            yield Difference("parked message that is no poison", queue, "nothing", body[:400])
        found |= ids
    yield from _sets("poison parked", poison, found)


def _sets(what: str, wanted: set[str], found: set[str]) -> Iterator[Difference]:
    for missing in sorted(wanted - found):
        yield Difference(what, missing, "there", "missing")
    for extra in sorted(found - wanted):
        yield Difference(what, extra, "not there", "there")


def _by(items: Iterable[ItemT], key: Callable[[ItemT], str]) -> dict[str, list[ItemT]]:
    grouped: dict[str, list[ItemT]] = defaultdict(list)
    for item in items:
        grouped[key(item)].append(item)
    return grouped


def repeats(told: Iterable[Told]) -> int:
    """How many messages were published more than once, counted as often as they were too many."""
    return sum(len(messages) - 1 for messages in _by(told, lambda one: one.id).values())
