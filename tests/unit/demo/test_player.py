"""The player and its HTTP door against a pretended ingest. The AMQP door meets a real broker in tests/integration/demo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Any, Self

import httpx
import orjson
import pytest

from deploy.demo import player
from deploy.demo.doors import Answer, Door, DoorError, HttpDoor, open_door
from deploy.demo.events import DayOfEvents, Event
from deploy.demo.player import NotDrained, PlayResult, play, publish_day

Handler = Callable[[httpx.Request], httpx.Response]
TODAY = date(2026, 9, 7)


def day_of(count: int) -> DayOfEvents:
    return DayOfEvents(TODAY, [{"id": str(number)} for number in range(count)])


def ids_in(request: httpx.Request) -> list[str]:
    return [orjson.loads(line)["id"] for line in request.content.splitlines()]


def accept(request: httpx.Request) -> httpx.Response:
    return httpx.Response(202, json={"accepted": len(ids_in(request)), "duplicate": 0, "rejected": 0, "items": []})


def http_door(handler: Handler, patience_seconds: float = 5.0) -> HttpDoor:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return HttpDoor("http://ingest/", "a-token", patience_seconds=patience_seconds, client=client)


async def publish(handler: Handler, count: int = 1, patience_seconds: float = 5.0) -> PlayResult:
    result = PlayResult()
    async with http_door(handler, patience_seconds) as door:
        await publish_day(door, day_of(count), result, lambda: None)
    return result


async def test_events_go_as_lines_with_the_token() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return accept(request)

    await publish(handler, 3)
    [request] = seen
    assert request.url == "http://ingest/v1/events"
    assert request.headers["Authorization"] == "Bearer a-token"
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert ids_in(request) == ["0", "1", "2"]


async def test_a_day_goes_in_batches_each_event_once() -> None:
    batches: list[list[str]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        batches.append(ids_in(request))
        return accept(request)

    result = await publish(handler, 1201)
    assert sorted(len(batch) for batch in batches) == [201, 500, 500]
    assert len({event for batch in batches for event in batch}) == 1201 == result.sent == result.accepted


async def test_only_so_many_batches_are_in_flight() -> None:
    class Watched:
        now = most = 0

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def publish(self, events: list[Event]) -> Answer:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return Answer(accepted=len(events))

    door = Watched()
    await publish_day(door, day_of(20 * player.BATCH_SIZE), PlayResult(), lambda: None)
    assert door.most == player.BATCHES_IN_FLIGHT


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_ingest_is_asked_again(status: int) -> None:
    answers = iter([httpx.Response(status, headers={"Retry-After": "0"}), httpx.Response(status)])
    result = await publish(lambda request: next(answers, None) or accept(request), 2)
    assert result.accepted == 2


async def test_an_ingest_that_is_away_is_tried_again() -> None:
    failures = iter([httpx.ConnectError("away"), httpx.ReadError("killed")])

    def handler(request: httpx.Request) -> httpx.Response:
        if (failure := next(failures, None)) is not None:
            raise failure
        return accept(request)

    assert (await publish(handler)).accepted == 1


async def test_patience_ends_and_says_what_was_wrong() -> None:
    with pytest.raises(DoorError, match=r"tried for 0 s: http://ingest/v1/events answers 503"):
        await publish(lambda _: httpx.Response(503), 1, patience_seconds=0.3)


@pytest.mark.parametrize("status", [400, 401, 413, 415, 422, 500])
async def test_a_refusal_is_not_tried_again(status: int) -> None:
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, text="no such token")

    with pytest.raises(DoorError, match=f"{status} no such token"):
        await publish(handler)
    assert len(asked) == 1


async def test_an_answer_for_another_number_of_events_is_an_error() -> None:
    body = {"accepted": 1, "duplicate": 0, "rejected": 0, "items": []}
    with pytest.raises(DoorError, match="another number"):
        await publish(lambda _: httpx.Response(202, json=body), 2)


async def test_rejections_are_counted_all_and_kept_up_to_a_limit() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        items = [{"index": n, "id": i, "status": "rejected", "errors": []} for n, i in enumerate(ids_in(request))]
        return httpx.Response(207, json={"accepted": 0, "duplicate": 0, "rejected": len(items), "items": items})

    result = await publish(handler, 700)
    assert result.rejected == result.sent == 700
    assert len(result.rejections) == player.KEPT_REJECTIONS
    assert result.rejections[0]["status"] == "rejected"


@pytest.mark.parametrize(
    ("host", "through_the_proxy"), [("127.0.0.1", False), ("localhost", False), ("kvar.example", True)]
)
async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, host: str, *, through_the_proxy: bool
) -> None:
    asked: list[str] = []

    async def proxy(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(host)
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with HttpDoor(f"http://{host}:1", "a-token", patience_seconds=0.0) as door:
            with pytest.raises(DoorError, match="does not answer"):
                await door.publish([{"id": "1"}])
    assert bool(asked) == through_the_proxy


def test_an_unknown_kind_of_address_is_refused() -> None:
    with pytest.raises(DoorError, match="http:// or amqp://"):
        open_door("ftp://ingest", "t", patience_seconds=1)


class Played:
    """`play` against an HTTP door that accepts all, with what happened in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, drained_after: int) -> None:
        self.happened: list[Any] = []
        self.waits = drained_after

        def pretended(*_: object, **__: object) -> Door:
            return http_door(self._handle)

        monkeypatch.setattr(player, "open_door", pretended)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.happened.append(("sent", len(ids_in(request))))
        return accept(request)

    async def drained(self) -> bool:
        self.happened.append("drained?")
        return len([what for what in self.happened if what == "drained?"]) % self.waits == 0

    async def play(self, *days: DayOfEvents, drain_seconds: float = 5.0) -> PlayResult:
        return await play(
            days,
            total_events=99,
            ingest_url="http://ingest",
            token="a-token",
            on_progress=lambda sent, total: self.happened.append((sent, total)),
            drained=self.drained,
            drain_seconds=drain_seconds,
        )


async def test_a_day_begins_when_the_one_before_is_worked_off(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, drained_after=2)
    result = await played.play(day_of(3), day_of(4))
    assert played.happened == [
        ("sent", 3), (3, 99), "drained?", "drained?", ("sent", 4), (7, 99), "drained?", "drained?",
    ]  # fmt: skip
    assert (result.sent, result.accepted) == (7, 7)
    assert result.seconds > 0


async def test_a_day_that_is_never_worked_off_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, drained_after=10**9)
    with pytest.raises(NotDrained, match=f"3 events of {TODAY}"):
        await played.play(day_of(3), drain_seconds=0.1)


async def test_an_empty_day_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, drained_after=1)
    await played.play(day_of(0))
    assert played.happened == ["drained?"]
