"""Linking references: order within a batch, first writer wins, two students are never made one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from services.ingest.aliases import TWO_STUDENTS, AliasMap, Claim, Key, link


def derive(authority: str, reference: str) -> str:
    return f"p({authority},{reference})"


def claim(*references: str, authority: str = "2480") -> Claim:
    return Claim(authority, references)


class Links:
    """The store's contract in memory. `rivals` are written by another replica just before our first write."""

    def __init__(self, links: Mapping[Key, str] | None = None, rivals: Mapping[Key, str] | None = None) -> None:
        self.links = dict(links or {})
        self.rivals = dict(rivals or {})
        self.finds = 0

    async def find(self, keys: Sequence[Key]) -> dict[Key, str]:
        self.finds += 1
        return {key: self.links[key] for key in keys if key in self.links}

    async def claim(self, links: Mapping[Key, str]) -> dict[Key, str]:
        self.links = {**self.rivals, **self.links}
        self.rivals = {}
        return {key: self.links.setdefault(key, pseudonym) for key, pseudonym in links.items()}


A, B, C = ("2480", "id:a"), ("2480", "id:b"), ("2480", "id:c")
PA, PB = derive(*A), derive(*B)

CASES = {
    "an unknown reference is derived": ([claim("id:a")], {}, [PA]),
    "a known one keeps its pseudonym": ([claim("id:a")], {A: "p_old"}, ["p_old"]),
    "an enrolment links what comes later in the batch": ([claim("id:a", "id:b"), claim("id:b")], {}, [PA, PA]),
    "an enrolment adopts what came earlier in the batch": ([claim("id:b"), claim("id:a", "id:b")], {}, [PB, PB]),
    "an enrolment adopts any known reference": ([claim("id:a", "id:b")], {B: "p_old"}, ["p_old"]),
    "links chain within the batch": ([claim("id:a", "id:b"), claim("id:b", "id:c"), claim("id:c")], {}, [PA, PA, PA]),
    "two known students are refused": ([claim("id:a", "id:b")], {A: "p_1", B: "p_2"}, [TWO_STUDENTS]),
    "two students known from the batch are refused": (
        [claim("id:a"), claim("id:b"), claim("id:a", "id:b")],
        {},
        [PA, PB, TWO_STUDENTS],
    ),
    "a refused claim links nothing": (
        [claim("id:a", "id:b", "id:c"), claim("id:c")],
        {A: "p_1", B: "p_2"},
        [TWO_STUDENTS, derive(*C)],
    ),
    "authorities are apart": (
        [claim("id:a"), claim("id:a", authority="1480")],
        {A: "p_old"},
        ["p_old", derive("1480", "id:a")],
    ),
}


@pytest.mark.parametrize(("claims", "stored", "expected"), CASES.values(), ids=CASES.keys())
async def test_claims_are_resolved_in_order(
    claims: list[Claim], stored: dict[Key, str], expected: list[object]
) -> None:
    store = Links(stored)
    assert await AliasMap(store, derive).resolve(claims) == expected
    resolved_again = await AliasMap(store, derive).resolve(claims)
    assert resolved_again == expected


def test_only_the_first_reference_of_a_new_student_is_written_at_first() -> None:
    linking = link([claim("id:a", "id:b"), claim("id:b")], {}, derive)
    assert linking.writes == {A: PA}
    assert link([claim("id:a", "id:b")], {A: PA}, derive).writes == {B: PA}


async def test_another_replicas_link_of_the_first_reference_is_adopted_for_all() -> None:
    store = Links(rivals={A: "p_rival"})
    assert await AliasMap(store, derive).resolve([claim("id:a", "id:b"), claim("id:b")]) == ["p_rival", "p_rival"]
    assert store.links == {A: "p_rival", B: "p_rival"}


async def test_a_link_is_remembered_and_the_memory_is_bounded() -> None:
    store = Links()
    aliases = AliasMap(store, derive, capacity=2)
    await aliases.resolve([claim("id:a")])
    await aliases.resolve([claim("id:b")])
    await aliases.resolve([claim("id:a")])
    assert store.finds == 2
    await aliases.resolve([claim("id:c")])
    await aliases.resolve([claim("id:a")])
    assert store.finds == 3, "id:a was used later than id:b, so id:b was forgotten"
    await aliases.resolve([claim("id:b")])
    assert store.finds == 4
