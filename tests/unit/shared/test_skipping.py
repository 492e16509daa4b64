"""What fails by itself is skipped for a while; nobody behind it waits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from shared import skipping as module
from shared.errors import Outage
from shared.skipping import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Skipping

NAME = "Märta Sjöström"


class Work:
    """Fails for `bad` ones, is away for those called so, and keeps what it was called with."""

    def __init__(self, *bad: str) -> None:
        self.bad = set(bad)
        self.calls: list[list[str]] = []
        self.done: list[str] = []

    async def on_all(self, keys: Sequence[str]) -> None:
        self.calls.append(list(keys))
        if "away" in keys:
            raise Outage("the database")
        if self.bad & set(keys):
            raise ValueError(NAME)
        self.done.extend(keys)

    async def on_one(self, key: str) -> None:
        await self.on_all([key])


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def skipping(clock: Clock) -> Skipping[str]:
    return Skipping("test", "testing", clock=clock)


KEYS = [f"k{number}" for number in range(8)]


async def test_all_that_go_well_go_together(skipping: Skipping[str]) -> None:
    work = Work()
    await skipping.together(KEYS, work.on_all)
    assert work.calls == [KEYS]
    await skipping.together([], work.on_all)
    assert len(work.calls) == 1


@pytest.mark.parametrize("bad", [("k0",), ("k7",), ("k2", "k3"), tuple(KEYS)], ids=len)
async def test_all_but_the_bad_ones_are_done_and_the_bad_ones_skipped(
    skipping: Skipping[str], bad: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(*bad)
    await skipping.together(KEYS, work.on_all)
    good = [key for key in KEYS if key not in bad]
    assert work.done == good
    assert (len(skipping), skipping.in_turn(KEYS)) == (len(bad), good)
    work.calls.clear()
    await skipping.together(KEYS, work.on_all)
    assert work.calls == ([good] if good else [])
    assert sorted(vars(record)["key"] for record in caplog.records) == sorted(bad)
    assert NAME not in str([vars(record) for record in caplog.records])


async def test_one_by_one_goes_on_behind_a_bad_one(skipping: Skipping[str]) -> None:
    work = Work("k3")
    await skipping.one_by_one(KEYS, work.on_one)
    assert work.done == [key for key in KEYS if key != "k3"]
    assert work.calls == [[key] for key in KEYS]


@pytest.mark.parametrize("way", ["together", "one_by_one"])
async def test_an_outage_is_nobodys_fault_and_ends_the_work(skipping: Skipping[str], way: str) -> None:
    work = Work()
    do = work.on_all if way == "together" else work.on_one
    with pytest.raises(Outage):
        await getattr(skipping, way)(["k0", "away", "k1"], do)
    assert len(skipping) == 0
    assert "k1" not in work.done


async def test_the_pauses_grow_and_what_is_mended_is_forgotten(skipping: Skipping[str], clock: Clock) -> None:
    work, tried_at = Work("k0"), []
    while clock.seconds < 3600:
        if skipping.in_turn(["k0"]):
            tried_at.append(clock.seconds)
            await skipping.together(["k0"], work.on_all)
        clock.seconds += 10
    pauses = [later - earlier for earlier, later in pairwise(tried_at)]
    assert pauses[:4] == [
        FIRST_PAUSE_SECONDS,
        2 * FIRST_PAUSE_SECONDS,
        4 * FIRST_PAUSE_SECONDS,
        8 * FIRST_PAUSE_SECONDS,
    ]
    assert set(pauses[4:]) == {LONGEST_PAUSE_SECONDS}
    work.bad.clear()
    clock.seconds += LONGEST_PAUSE_SECONDS
    await skipping.together(["k0"], work.on_all)
    assert (len(skipping), work.done) == (0, ["k0"])


async def test_no_more_are_remembered_than_there_is_room_for(
    skipping: Skipping[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SKIPPED", 3)
    await skipping.one_by_one(KEYS, Work(*KEYS).on_one)
    assert len(skipping) == 3
    assert skipping.in_turn(KEYS) == KEYS[:5]
