"""Who is who: claims in order, contradictions, spaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.ingest.aliases import TWO_STUDENTS
from services.ingest.contradictions import Contradiction
from services.ingest.identities import Entrant, Identified
from shared.errors import Reject
from tests.unit.ingest.entrants import COORDINATION, MAJA, OMAR, TEMPORARY, coach, lesson, place
from tests.unit.ingest.interleaving import HASHES, Collections, run, take


def told(*batches: list[Entrant], collections: Collections | None = None) -> list[str]:
    """What becomes of each event, one batch after the other: its subject, or the kind of its refusal."""
    shared = collections or Collections()
    found: list[str] = []
    for batch in batches:
        [answers] = run([lambda batch=batch: take(shared.replica(), batch)])  # type: ignore[misc]
        found += [shown(answer) for answer in answers]
    return found


def shown(answer: Identified | Reject) -> str:
    if isinstance(answer, Contradiction):
        return answer.kind
    if isinstance(answer, Reject):
        assert answer is TWO_STUDENTS
        return "two students"
    return answer.subject


CASES: dict[str, tuple[list[Entrant], list[str]]] = {
    "an unknown reference is a new student": ([lesson("id:a"), lesson("id:b")], ["p0", "p1"]),
    "a known one keeps its pseudonym": ([lesson("id:a"), lesson("id:a")], ["p0", "p0"]),
    "an enrolment links what comes later": ([place("id:a", "id:b"), lesson("id:b")], ["p0", "p0"]),
    "an enrolment adopts what came earlier": ([lesson("id:b"), place("id:a", "id:b")], ["p0", "p0"]),
    "links chain": ([place("id:a", "id:b"), place("id:b", "id:c"), lesson("id:c")], ["p0", "p0", "p0"]),
    "two known students are refused": (
        [lesson("id:a"), lesson("id:b"), place("id:a", "id:b")],
        ["p0", "p1", "two students"],
    ),
    "also when somebody has confirmed it": (
        [lesson("id:a"), lesson("id:b"), place("id:a", "id:b", confirmed=True)],
        ["p0", "p1", "two students"],
    ),
    "a refused claim links nothing": (
        [lesson("id:a"), lesson("id:b"), place("id:a", "id:b", "id:c"), lesson("id:c")],
        ["p0", "p1", "two students", "p2"],
    ),
    "a number of two systems is two students": ([lesson("id:1001", "a"), lesson("id:1001", "b")], ["p0", "p1"]),
    "a national id is one student in all systems": (
        [place("id:1", number=MAJA, space="a"), place("id:2", number=MAJA, space="b"), lesson(f"civic:{MAJA}", "c")],
        ["p0", "p0", "p0"],
    ),
    "a named space is another than the own": (
        [lesson("id:1", "a"), place("id:9", {"space": "a", "id": "id:1"}, space="b"), lesson("id:1", "b")],
        ["p0", "p0", "p1"],
    ),
    "another national id than known is refused": (
        [place("id:a", number=MAJA), place("id:a", number=OMAR)],
        ["p0", "national_id"],
    ),
    "as a reference too": ([place("id:a", f"civic:{MAJA}"), place("id:a", f"civic:{OMAR}")], ["p0", "national_id"]),
    "another number of the same birth date is refused": (
        [place("id:a", number=MAJA), place("id:a", number="200901012392")],
        ["p0", "national_id"],
    ),
    "two national ids in one event are refused": (
        [place("id:a", f"civic:{MAJA}", number=OMAR), place(f"civic:{MAJA}", number=OMAR)],
        ["national_id", "national_id"],
    ),
    "two in one event come in when confirmed, and stay one student's": (
        [
            place("id:a", f"civic:{TEMPORARY}", number=MAJA, confirmed=True),
            place("id:a", f"civic:{TEMPORARY}", number=MAJA),
            place("id:a", number=TEMPORARY),
            lesson(f"civic:{MAJA}"),
            lesson(f"civic:{TEMPORARY}"),
        ],
        ["p0", "p0", "p0", "p0", "p0"],
    ),
    "no national id contradicts nothing": ([place("id:a", number=MAJA), place("id:a"), lesson("id:a")], ["p0"] * 3),
    "a temporary number becomes a personal one": (
        [
            place("id:a", number=TEMPORARY),
            place("id:a", number=MAJA),
            lesson(f"civic:{TEMPORARY}"),
            lesson(f"civic:{MAJA}"),
        ],
        ["p0"] * 4,
    ),
    "a co-ordination number becomes a personal one": (
        [place("id:a", number=COORDINATION), place("id:a", number=MAJA)],
        ["p0", "p0"],
    ),
    "what was replaced by rule stays the student's": (
        [
            place("id:a", number=TEMPORARY),
            place("id:a", number=MAJA),
            place("id:a", number=TEMPORARY),
            place("id:a", number=MAJA),
        ],
        ["p0"] * 4,
    ),
    "an older event with the temporary number may come later": (
        [place("id:a", number=MAJA, revision=2), place("id:a", number=TEMPORARY, revision=1)],
        ["p0", "p0"],
    ),
    "a number known as another student's contradicts the one known": (
        [place("id:a", number=MAJA), place("id:b", number=OMAR), place("id:a", number=OMAR)],
        ["p0", "p1", "national_id"],
    ),
    "a personal number becomes no temporary one": (
        [place("id:a", number=MAJA), place("id:a", number=TEMPORARY)],
        ["p0", "national_id"],
    ),
    "a temporary number becomes no other temporary one": (
        [place("id:a", number=TEMPORARY), place("id:a", number=COORDINATION)],
        ["p0", "national_id"],
    ),
    "not with another birth date": (
        [place("id:a", number=TEMPORARY), place("id:a", number=OMAR)],
        ["p0", "national_id"],
    ),
    "not with no name in common": (
        [place("id:a", number=TEMPORARY), place("id:a", number=MAJA, given_name="Omar", family_name="Said")],
        ["p0", "national_id"],
    ),
    "one word in common is enough, whatever its case and spelling": (
        [
            place("id:a", number=TEMPORARY, given_name="\u00c5sa", family_name="Ek"),
            place("id:a", number=MAJA, given_name="Anna-A\u030aSA", family_name="Berg"),
        ],
        ["p0", "p0"],
    ),
    "names that are not known are not in common": (
        [place("id:a", number=TEMPORARY, protected=True), place("id:a", number=MAJA, revision=2)],
        ["p0", "national_id"],
    ),
    "what is confirmed replaces what was known": (
        [
            place("id:a", number=MAJA),
            place("id:a", number=OMAR, confirmed=True),
            place("id:a", number=OMAR),
            place("id:a", number=MAJA),
            lesson(f"civic:{OMAR}"),
        ],
        ["p0", "p0", "p0", "national_id", "p0"],
    ),
    "a staff id lives in its space": (
        [coach("Kim Ek", "kim@a.example"), coach("Bo Berg", "bo@b.example", space="other")],
        ["staff:sis/12", "staff:other/12"],
    ),
    "a coach may marry": (
        [coach("Kim Ek", "kim.ek@a.example"), coach("Kim Berg", "kim.berg@b.example")],
        ["staff:sis/12", "staff:sis/12"],
    ),
    "a coach may change the whole name within a domain": (
        [coach("Kim Ek", "kim@a.example"), coach("Bo Berg", "BO@A.Example")],
        ["staff:sis/12", "staff:sis/12"],
    ),
    "another name and domain are refused": (
        [coach("Kim Ek", "kim@a.example"), coach("Bo Berg", "bo@b.example"), coach("Kim Ek", "kim@c.example")],
        ["staff:sis/12", "staff", "staff:sis/12"],
    ),
    "an older revision changes nothing of what is known": (
        [
            coach("Kim Ek", "kim@a.example", revision=3),
            coach("Kim Al", "kim@b.example", revision=2),
            coach("Bo Al", "bo@b.example", revision=4),
        ],
        ["staff:sis/12", "staff:sis/12", "staff"],
    ),
    "another person confirmed is the one known": (
        [
            coach("Kim Ek", "kim@a.example", revision=3),
            coach("Bo Berg", "bo@b.example", revision=4, confirmed=True),
            coach("Bo Berg", "bo@b.example", revision=5),
            coach("Kim Ek", "kim@a.example", revision=6),
        ],
        ["staff:sis/12", "staff:sis/12", "staff:sis/12", "staff"],
    ),
    "what came since then holds against an older version that somebody confirms": (
        [
            coach("Kim Ek", "kim@a.example", revision=3),
            coach("Bo Berg", "bo@b.example", revision=2, confirmed=True),
            coach("Kim Ek", "kim@a.example", revision=4),
        ],
        ["staff:sis/12"] * 3,
    ),
    "neither are other titles, initials and brackets that nobody has closed": (
        [
            coach("Bitr. rektor Kim A. Ek (NA25", "kim@a.example"),
            coach("Bitr. rektor Bo A. Berg (NA25", "bo@b.example"),
            coach("Dr. Kim Berg", "kim@c.example"),
        ],
        ["staff:sis/12", "staff", "staff:sis/12"],
    ),
    "titles, particles and what stands in brackets are no names in common": (
        [
            coach("Lärare Kim af Ek (påhittad)", "kim@a.example"),
            coach("Lärare Bo af Berg (påhittad)", "bo@b.example"),
            coach("Kim Berg (NTI)", "kim@c.example"),
        ],
        ["staff:sis/12", "staff", "staff:sis/12"],
    ),
}


@pytest.mark.parametrize(("entrants", "expected"), CASES.values(), ids=CASES.keys())
def test_one_after_the_other(entrants: list[Entrant], expected: list[str]) -> None:
    assert told(*([one] for one in entrants)) == expected


@pytest.mark.parametrize(("entrants", "expected"), CASES.values(), ids=CASES.keys())
def test_in_one_batch(entrants: list[Entrant], expected: list[str]) -> None:
    # What is confirmed is sent alone, so nothing contradicts it in its batch.
    alone = any(one.is_confirmed for one in entrants)
    parts = [[one] for one in entrants] if alone else [entrants]
    assert told(*parts) == expected


def test_a_number_that_was_refused_is_nobodys() -> None:
    events = [place("id:a", number=MAJA), place("id:a", number=OMAR), lesson(f"civic:{OMAR}")]
    assert told(*([one] for one in events)) == ["p0", "national_id", "p1"]


def test_a_national_id_that_was_lost_to_another_student_is_not_held_against_the_loser() -> None:
    ends = set()
    for cut in range(12):
        shared = Collections()
        steps = iter(range(1_000))

        def choose(running: int, cut: int = cut, steps: Iterator[int] = steps) -> int:
            return 0 if running == 1 or next(steps) < cut else 1

        mine, theirs = [place("id:a", number=MAJA)], [lesson(f"civic:{MAJA}")]
        [[answer], _] = run(
            [
                lambda mine=mine, shared=shared: take(shared.replica(), mine),  # type: ignore[misc]
                lambda theirs=theirs, shared=shared: take(shared.replica(), theirs),  # type: ignore[misc]
            ],
            choose,
        )
        [later] = told([place("id:a", number=OMAR)], collections=shared)
        ends.add((isinstance(answer, Identified), later == "national_id", shown(answer) == "two students"))
    assert ends == {(True, True, False), (False, False, True)}


def test_what_is_refused_leaves_its_names_nowhere() -> None:
    collections = Collections()
    told(
        [place("id:a", number=MAJA)],
        [place("id:a", number=OMAR, given_name="Omar", revision=9)],
        collections=collections,
    )
    [(record, _)] = collections.people.records.values()
    assert (record.given_name, record.revision) == ("Alva", 1)


def test_under_is_the_hash_of_the_reference_that_the_event_came_under() -> None:
    shared = Collections()
    events = [place("id:a", "id:b"), lesson("id:b"), coach("Kim", "kim@a.example")]
    [answers] = run([lambda: take(shared.replica(), events)])
    unders = [answer.under for answer in answers if isinstance(answer, Identified)]
    assert unders == [HASHES.of_reference("2480", "sis", "id:a"), HASHES.of_reference("2480", "sis", "id:b"), None]


def test_nothing_that_is_kept_holds_a_reference() -> None:
    collections = Collections()
    told([place("id:secret", f"civic:{MAJA}", number=MAJA), lesson("id:another")], collections=collections)
    kept = str(collections.links.links) + str(collections.people.records)
    assert not [part for part in ("secret", "another", MAJA, MAJA[8:]) if part in kept]


def test_links_are_remembered_in_process() -> None:
    shared = Collections()
    replica = shared.replica()
    for _ in range(3):
        run([lambda: take(replica, [lesson("id:a")])])
    assert shared.links.finds == 1
