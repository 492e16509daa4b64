"""Facts and students' records as documents and back: the only place that knows their fields.

A record's `state` is JSON text: it is always read and written whole, and as nested BSON it costs the database twice as much.
What students are searched by stands in a document of its own, which is seldom written: every index costs each write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from services.scoring.bounds import Unusable
from services.scoring.courses import Courses
from services.scoring.days import Day
from services.scoring.facts import Fact, Lesson, LessonFact, Mark, MarkFact, PlaceFact
from services.scoring.level import Standing
from services.scoring.records import STATE_FORMAT, Basis, KeptFact, Noted, OutboxEntry, StudentRecord
from services.scoring.student import Raised, Student, Where
from shared.errors import Retry
from shared.events import Level, Reason
from shared.events.places import NO_END, Place, next_change


def fact_document(kept: KeptFact) -> dict[str, Any]:
    """`_id` is made from the fact's content, so that a repetition is a duplicate key."""
    return {
        "_id": fact_id(kept.student, kept.fact),
        "part": _part(kept),
        "recordedtime": kept.recorded_time,
        "under": kept.under,
        "fact": _fact_fields(kept.fact),
    }


def kept_fact(document: Mapping[str, Any]) -> KeptFact:
    """The inverse of `fact_document`."""
    student = document["part"].partition("|")[0]
    return KeptFact(student, _fact(document["fact"]), document["recordedtime"], document.get("under"))


def lessons_part(student: str, day: int) -> str:
    """The part of a student's facts that holds the lessons of a day. Parts of one student's days are in their order."""
    return f"{student}|lesson|{day:07d}"


def fact_id(student: str, fact: Fact) -> str:
    """The `_id` of a version of a student's fact."""
    version = fact.version
    match fact:
        case LessonFact():
            key = f"lesson|{fact.day}|{fact.lesson}"
        case MarkFact():
            key = f"mark|{fact.kind}|{fact.recorded_on}|{fact.course}"
        case PlaceFact():
            # Of one content the end may differ: it may be the time of the event.
            key = f"place|{fact.version.starts_on}|{fact.version.ends_on}|{fact.version.school_unit}"
    return f"{student}|{key}|{version.revision}|{version.digest}"


def _part(kept: KeptFact) -> str:
    """What is read together: the lessons of a day, or all that are no lessons."""
    fact = kept.fact
    return lessons_part(kept.student, fact.day) if isinstance(fact, LessonFact) else f"{kept.student}|other"


def _fact_fields(fact: Fact) -> dict[str, Any]:
    version = fact.version._asdict()
    match fact:
        case LessonFact():
            return {"kind": "lesson", "day": fact.day, "lesson": fact.lesson, **version}
        case MarkFact():
            mark = {**version, "replaces": list(fact.version.replaces)}
            return {
                "kind": "mark",
                "course": fact.course,
                "mark_kind": fact.kind,
                "recorded_on": fact.recorded_on,
                **mark,
            }
        case PlaceFact():
            return {
                "kind": "place",
                **version,
                "groups": list(fact.version.groups),
                "coaches": list(fact.version.coaches),
            }


def _fact(fields: Mapping[str, Any]) -> Fact:
    match fields["kind"]:
        case "lesson":
            return LessonFact(fields["day"], fields["lesson"], Lesson(*(fields[name] for name in Lesson._fields)))
        case "mark":
            version = _mark(*(fields[name] for name in Mark._fields))
            return MarkFact(fields["course"], fields["mark_kind"], fields["recorded_on"], version)
        case _:
            return PlaceFact(place(*(fields[name] for name in Place._fields)))


def _mark(*values: Any) -> Mark:
    mark = Mark(*values)
    return mark._replace(replaces=tuple(mark.replaces))


def place(*values: Any) -> Place:
    """A place from its fields as JSON has them."""
    known = Place(*values)
    return known._replace(groups=tuple(known.groups), coaches=tuple(known.coaches))


def student_record(document: Mapping[str, Any]) -> StudentRecord:
    """A record from its document.

    Raises:
        Retry: a newer Kvar has written it, as happens while a new version is being brought in.
    """
    return decode_record(document["_id"], document["rev"], document["state"], outbox_entries(document))


def listing_fields(record: StudentRecord, today: int) -> dict[str, Any]:
    """What a student is found by: the school unit, what the state was made by, and the day (a day number) on which the calendar
    alone takes the student somewhere else; `rev` tells of which state that is.
    """
    unit = record.unit
    moves_on = next_change(record.state.places.values(), today)
    return {
        "unit": unit.key if unit else "",
        "basis": f"{record.authority}|{record.basis.text()}",
        "moves_on": moves_on if moves_on is not None else NO_END,
        "rev": record.rev,
    }


def outbox_fields(entries: Sequence[OutboxEntry]) -> list[dict[str, Any]]:
    """Entries as they stand in a document's `outbox`."""
    return [{"id": entry.id, "since": entry.since, "key": entry.key, "body": entry.body} for entry in entries]


def outbox_entries(document: Mapping[str, Any]) -> list[OutboxEntry]:
    """The inverse of `outbox_fields`."""
    return [OutboxEntry(**entry) for entry in document.get("outbox", ())]


def encode_record(record: StudentRecord) -> str:
    """A record as JSON text: arrays in the order of the types' fields."""
    state = record.state
    return orjson.dumps(
        {
            "basis": list(record.basis),
            "authority": record.authority,
            "level": record.level,
            "alerts": record.alerts,
            "points": record.points,
            "said": record.said,
            "where": list(record.where),
            "signals": [signal.model_dump(mode="json", by_alias=True) for signal in record.noted.signals],
            "stale_since": record.noted.stale_since,
            "raised": [[raised.n, raised.day, raised.rank, raised.is_right] for raised in state.raised],
            "unusable": [sorted(state.unusable.days), sorted(state.unusable.courses), state.unusable.marks],
            "days": [tuple(day) for day in state.days.values()],
            "open": [
                [day, [[lesson, *version] for lesson, version in known.items()]] for day, known in state.open.items()
            ],
            "marks": [
                [*key, [[day, *version] for day, version in versions.items()]] for key, versions in state.marks.items()
            ],
            "places": [tuple(known) for known in state.places.values()],
            "courses": [[day, *courses] for day, courses in state.courses],
            "base": tuple(state.base),
            "base_day": state.base_day,
            "trail": [[day, *standing] for day, standing in state.trail.items()],
            "newest": state.newest,
            "registers": state.registers,
            "fresh_until": state.fresh_until,
        }
    ).decode()


def decode_record(student: str, rev: int, text: str, outbox: list[OutboxEntry]) -> StudentRecord:
    """The inverse of `encode_record`. A state of an older format comes without its days: it must be made anew. What is unusable
    it says all the same, as the facts alone need not.

    Raises:
        Retry: its format is newer than this Kvar's.
    """
    known = orjson.loads(text)
    basis = Basis(*known["basis"])
    if basis.format > STATE_FORMAT:
        raise Retry(f"a newer version of Kvar has written a student's state (format {basis.format})")
    return StudentRecord(
        id=student,
        authority=known["authority"],
        rev=rev,
        basis=basis,
        level=Level(known["level"]),
        alerts=known["alerts"],
        points=known["points"],
        said=known["said"],
        where=_where(*known.get("where", (None, ()))),
        noted=Noted(
            tuple(Reason.model_validate(signal, strict=False) for signal in known["signals"]), known["stale_since"]
        ),
        outbox=outbox,
        state=_state(known)
        if basis.format == STATE_FORMAT
        else Student(raised=_raised(known), unusable=_unusable(known)),
    )


def _state(known: Mapping[str, Any]) -> Student:
    return Student(
        days={day[0]: Day(*day) for day in known["days"]},
        open={day: {lesson[0]: Lesson(*lesson[1:]) for lesson in lessons} for day, lessons in known["open"]},
        marks=marks(known),
        places={one.key: one for one in places(known)},
        courses=[(day, Courses(*courses)) for day, *courses in known["courses"]],
        base=_standing(*known["base"]),
        base_day=known["base_day"],
        trail={day: _standing(*standing) for day, *standing in known["trail"]},
        raised=_raised(known),
        unusable=_unusable(known),
        newest=known["newest"],
        registers={unit: (first, last) for unit, (first, last) in known["registers"].items()},
        fresh_until=known["fresh_until"],
    )


def marks(known: Mapping[str, Any]) -> dict[tuple[str, str], dict[int, Mark]]:
    """The marks of a state as JSON has it."""
    return {
        (course, kind): {day: _mark(*version) for day, *version in versions}
        for course, kind, versions in known["marks"]
    }


def places(known: Mapping[str, Any]) -> list[Place]:
    """The places of a state as JSON has it."""
    return [place(*fields) for fields in known["places"]]


def _where(school_unit: str | None, groups: Iterable[str]) -> Where:
    return Where(school_unit, tuple(groups))


def _raised(known: Mapping[str, Any]) -> list[Raised]:
    return [Raised(*raised) for raised in known["raised"]]


def _unusable(known: Mapping[str, Any]) -> Unusable:
    days, courses, all_marks = known.get("unusable", ((), (), False))
    return Unusable(set(days), set(courses), all_marks)


def _standing(rank: int, score: int, above: list[int], below: list[int]) -> Standing:
    return Standing(rank, score, tuple(above), tuple(below))
