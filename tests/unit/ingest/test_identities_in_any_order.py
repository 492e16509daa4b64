"""Who is who, whatever the order, the batches, the replicas and their deaths."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.identities import Entrant, Identified
from tests.unit.ingest.entrants import COORDINATION, MAJA, OMAR, TEMPORARY, lesson, place
from tests.unit.ingest.interleaving import HASHES, Collections, run, take

NUMBERS = (MAJA, OMAR, TEMPORARY, COORDINATION)
ENROLMENTS = st.builds(
    lambda references, number, name: place(*references, number=number, given_name=name),
    st.lists(st.sampled_from(["id:a", "id:b", "id:c"]), min_size=1, max_size=2, unique=True),
    st.sampled_from([None, *NUMBERS]),
    st.sampled_from(["Alva", "Omar"]),
)
LESSONS = st.sampled_from(["id:a", "id:b", "id:c", *(f"civic:{number}" for number in NUMBERS)]).map(lesson)
BATCHES = st.lists(st.lists(ENROLMENTS | LESSONS, min_size=1, max_size=3), min_size=1, max_size=4)


def references(entrant: Entrant) -> set[str]:
    data: Any = entrant.event.data
    who = getattr(data, "person", None)
    own = {entrant.event.subject}
    return (
        own if who is None else own | set(who.references) | ({f"civic:{who.national_id}"} if who.national_id else set())
    )


def number_of(entrant: Entrant) -> str | None:
    who = getattr(entrant.event.data, "person", None)
    return None if who is None else who.national_id


def key(reference: str) -> tuple[str, str]:
    return "2480", HASHES.of_reference("2480", "sis", reference)


@settings(max_examples=150, deadline=None)
@given(batches=BATCHES)
def test_one_replica_leaves_nothing_of_what_it_refuses(batches: list[list[Entrant]]) -> None:
    collections = Collections()
    linked: dict[tuple[str, str], str] = {}
    for batch in batches:
        [answers] = run([lambda batch=batch: take(collections.replica(), batch)])  # type: ignore[misc]
        for entrant, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Identified):
                linked |= {key(one): answer.subject for one in references(entrant)}
    assert collections.links.links == linked


@settings(max_examples=300, deadline=None)
@given(batches=BATCHES, data=st.data(), deaths=st.integers(0, 3))
def test_replicas_in_any_order_make_no_two_children_one(
    batches: list[list[Entrant]], data: st.DataObject, deaths: int
) -> None:
    """No number is linked by a refused event, and no student has two numbers that do not belong together."""
    collections = Collections()
    killed = [data.draw(st.integers(1, 12)) for _ in range(deaths)]
    steps = iter(range(1_000_000))

    def kill() -> bool:
        return next(steps) in killed

    answers = run(
        [lambda batch=batch: take(collections.replica(), batch) for batch in batches],  # type: ignore[misc]
        choose=lambda running: data.draw(st.integers(0, running - 1)),
        kill=kill,
    )
    links, allowed = collections.links.links, set()
    numbers: dict[str, set[str]] = defaultdict(set)
    for batch, said in zip(batches, answers, strict=True):
        for entrant, answer in zip(batch, said, strict=True):
            if not isinstance(answer, Identified):
                continue
            allowed |= references(entrant)
            assert {links[key(one)] for one in references(entrant)} == {answer.subject}
            if (number := number_of(entrant)) is not None:
                numbers[answer.subject].add(number)
    assert not [number for number in NUMBERS if key(f"civic:{number}") in links and f"civic:{number}" not in allowed]
    together = [{MAJA, TEMPORARY}, {MAJA, COORDINATION}]
    assert all(len(found) == 1 or found in together for found in numbers.values())


def test_a_number_lost_to_another_does_not_take_the_one_before_with_it() -> None:
    """The personal number comes to another student while it replaces the temporary one: that one still holds."""
    batches = [
        [place("id:a", number=None, given_name="Alva")],
        [place("id:a", number=TEMPORARY, given_name="Alva")],
        [lesson(f"civic:{MAJA}")],
        [place("id:a", number=MAJA, given_name="Alva"), place("id:a", number=OMAR, given_name="Alva")],
    ]
    for seed in range(200):
        order, collections = Random(seed), Collections()
        _, [temporary], _, [_, another] = run(
            [lambda batch=batch, there=collections: take(there.replica(), batch) for batch in batches],  # type: ignore[misc]
            choose=order.randrange,
        )
        both = [one.subject for one in (temporary, another) if isinstance(one, Identified)]
        assert len(set(both)) == len(both), f"seed {seed}"
