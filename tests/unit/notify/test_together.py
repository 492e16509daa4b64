"""Questions that go together: each gets its own answer, errors reach everybody concerned, nobody waits for company."""

from __future__ import annotations

import asyncio

import pytest

from services.notify import together
from services.notify.together import Together
from shared.errors import Outage


class Doubling:
    """Answers with the double, and remembers what was asked together. Waits until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go_on = asyncio.Event()

    async def __call__(self, asks: list[int]) -> list[int]:
        self.calls.append(asks)
        await self.go_on.wait()
        if 13 in asks:
            raise Outage("the database")
        if -1 in asks:
            raise KeyError("a document that cannot be read")
        return [2 * ask for ask in asks]


async def test_what_is_asked_during_an_answer_goes_together() -> None:
    answer = Doubling()
    double = Together(answer)
    first = asyncio.create_task(double(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(double(ask)) for ask in (2, 3, 2)]
    await asyncio.sleep(0)
    answer.go_on.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6, 4]
    assert answer.calls == [[1], [2, 3, 2]]


async def test_no_call_is_larger_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MAX_SIZE", 2)
    answer = Doubling()
    answer.go_on.set()
    double = Together(answer)
    assert await asyncio.gather(*(double(ask) for ask in range(5))) == [0, 2, 4, 6, 8]
    assert max(map(len, answer.calls)) == 2


async def test_an_outage_reaches_all_of_its_call_and_the_next_call_works() -> None:
    answer = Doubling()
    answer.go_on.set()
    double = Together(answer)
    failed = await asyncio.gather(double(1), double(13), return_exceptions=True)
    assert [type(outcome) for outcome in failed] == [Outage, Outage]
    assert await double(4) == 8


@pytest.mark.parametrize("asks", [[-1], [-1, 1], [1, 2, -1, 3, 4], [1, -1, 2, -1, 3]], ids=str)
async def test_a_question_that_cannot_be_answered_hears_it_alone(asks: list[int]) -> None:
    answer = Doubling()
    double = Together(answer)
    asked = [asyncio.create_task(double(ask)) for ask in asks]
    await asyncio.sleep(0)
    answer.go_on.set()
    heard = await asyncio.gather(*asked, return_exceptions=True)
    assert [KeyError if ask == -1 else 2 * ask for ask in asks] == [
        type(each) if isinstance(each, KeyError) else each for each in heard
    ]


async def test_somebody_who_gives_up_does_not_disturb_the_others() -> None:
    answer = Doubling()
    double = Together(answer)
    tasks = [asyncio.create_task(double(ask)) for ask in (1, 2)]
    while not answer.calls:  # noqa: ASYNC110 - a list has no event
        await asyncio.sleep(0)
    tasks[0].cancel()
    answer.go_on.set()
    assert await tasks[1] == 4
