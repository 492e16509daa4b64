"""One publisher cannot take the HTTP door: what is slow, silent or too much ends by itself, and others come through meanwhile."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from services.ingest import bodies
from services.ingest.app import build
from services.ingest.door import MEBIBYTE, DoorLimits
from services.ingest.refusals import KEPT_OF_A_REQUEST
from services.ingest.rejected import LONGEST_CONTENT, PAGE_LENGTH, Rejected, RejectedItems
from shared.errors import FieldError
from shared.settings import Settings
from tests.http_server import Client, Served, serving
from tests.integration.ingest.stage import PSEUDONYM_KEY, SERVICE_TOKEN, TOKENS, new_id, now, publish, statuses, until
from tests.unit.ingest.builders import attendance

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration

SLOW, OTHER = "2480", "1480"
PATIENT = DoorLimits(requests_each=2, pause_seconds=0.01, body_seconds=60.0, body_rate=MEBIBYTE)
HEAD = (
    "POST /v1/events HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nContent-Type: application/x-ndjson\r\n"
    "Content-Length: {length}\r\n{more}\r\n"
)


def lesson(authority: str = SLOW, **changes: Any) -> dict[str, Any]:
    return attendance(now=now(), id=new_id(), authority=authority, **changes)


@dataclass(frozen=True, slots=True)
class House:
    """An ingest with limits of its own."""

    served: Served
    http: httpx.AsyncClient

    async def upload(self, length: int = 1000, body: bytes = b"", authority: str = SLOW, more: str = "") -> Client:
        """The beginning of a request. `more`: further headers."""
        head = HEAD.format(token=TOKENS[authority], length=length, more=more)
        return await self.served.open(head.encode() + body)

    async def admitted(self, length: int = 1000, body: bytes = b"", authority: str = SLOW) -> Client:
        """The same when it has its place: the door asks for the body."""
        client = await self.upload(length, body, authority, more="Expect: 100-continue\r\n")
        assert await client.line() == b"HTTP/1.1 100 Continue\r\n"
        return client

    async def event_of(self, authority: str) -> int:
        """The status of a single event."""
        return (await publish(self.http, [lesson(authority)], token=TOKENS[authority])).status_code

    async def answers(self, authority: str, status: int) -> bool:
        return await self.event_of(authority) == status


@pytest.fixture(scope="module")
def settings(module_amqp_url: str, mongo_url: str) -> Settings:
    return Settings.model_validate(
        {
            "amqp_url": module_amqp_url,
            "mongo_url": mongo_url,
            "mongo_database": f"door_{secrets.token_hex(6)}",
            "publishers": TOKENS,
            "pseudonym_key": PSEUDONYM_KEY,
            "service_token": SERVICE_TOKEN,
        }
    )


@pytest.fixture
def house(settings: Settings) -> Callable[[DoorLimits], Any]:
    @asynccontextmanager
    async def opened(limits: DoorLimits) -> AsyncIterator[House]:
        async with serving(build(settings, limits=limits)) as served:
            client = httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60)
            async with client as http:

                async def is_ready() -> bool:
                    return (await http.get("/health/ready")).is_success

                await until("ingest to be ready", is_ready)
                yield House(served, http)

    return opened


async def test_slow_uploads_end_and_give_their_places_back(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with house(replace(PATIENT, body_seconds=0.5)) as door:
        silent, trickling = await door.upload(), await door.upload(body=b"\n")
        async with trickling.trickling(b"\n", 0.05):
            for slow in (silent, trickling):
                answer = await slow.rest()
                assert answer.startswith(b"HTTP/1.1 408 ")
                assert b"application/problem+json" in answer
                assert b"too slowly" in answer
        assert await door.event_of(SLOW) == 202
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_who_has_no_place_left_is_told_and_others_come_through(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(PATIENT) as door:
        uploads = [await door.admitted(), await door.admitted(body=b"{")]
        refused = await publish(door.http, [lesson()])
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["content-type"] == "application/problem+json"
        assert await door.event_of(OTHER) == 202
        assert (await door.http.get("/health/live")).status_code == 200
        for upload in uploads:
            upload.close()
        await until("the places of who has hung up", lambda: door.answers(SLOW, 202))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_an_upload_that_keeps_coming_is_taken(house: Any) -> None:
    async with house(replace(PATIENT, body_seconds=1.0, body_rate=100)) as door:
        line = orjson.dumps(lesson()) + b"\n"
        client = await door.upload(length=len(line) + 4000, body=line)
        for _ in range(40):
            client.writer.write(b"\n" * 100)
            await asyncio.sleep(0.04)
        assert (await client.line()).split()[1] == b"202"
        client.close()


async def test_room_is_counted_by_what_uploads_announce(house: Any) -> None:
    async with house(replace(PATIENT, requests_each=8, room=3 * MEBIBYTE, room_each=2 * MEBIBYTE)) as door:
        too_large = await door.upload(length=bodies.MOST_BYTES + 1)
        assert (await too_large.line()).split()[1] == b"413"
        large = await door.admitted(length=2 * MEBIBYTE - 100)
        assert await door.event_of(SLOW) == 429
        assert await door.event_of(OTHER) == 202
        other = await door.admitted(length=MEBIBYTE, authority=OTHER)
        assert await door.event_of(OTHER) == 503
        for upload in (too_large, large, other):
            upload.close()
        await until("room again", lambda: door.answers(OTHER, 202))


async def test_ten_thousand_refused_items_are_each_answered_and_summed_up(house: Any, settings: Settings) -> None:
    async with house(DoorLimits()) as door:
        items = [lesson(data={"minutes": 0}) for _ in range(bodies.MOST_ITEMS)]
        first = await publish(door.http, items, items="rejected")
        await publish(door.http, items)
        kept = await _rejected(door.http)
    receipt = first.json()
    assert first.status_code == 207
    assert (receipt["rejected"], receipt["not_kept"]) == (10_000, 10_000 - KEPT_OF_A_REQUEST)
    assert [item["id"] for item in receipt["items"]] == [item["id"] for item in items]
    assert all(item["errors"][0]["path"] == "$.data.minutes" for item in receipt["items"])
    ids = {item["id"] for item in items}
    mine = [each for each in kept if each["content"] and orjson.loads(each["content"])["id"] in ids]
    assert len(mine) == KEPT_OF_A_REQUEST
    [rest] = [each for each in kept if each["items"] == 10_000 - KEPT_OF_A_REQUEST]
    assert {each["count"] for each in (*mine, rest)} == {2}
    assert rest["content"] is None
    assert rest["errors"] == [
        {"path": "$.data.minutes", "found": "9900 items", "expected": mine[0]["errors"][0]["expected"]}
    ]


async def _rejected(http: httpx.AsyncClient, authority: str = SLOW) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 1000}
    while params.get("after", "") is not None:
        answer = await http.get("/v1/rejected", params=params, headers={"Authorization": f"Bearer {TOKENS[authority]}"})
        page = answer.raise_for_status().json()
        found += page["items"]
        params["after"] = page["next"]
    return found


async def test_an_item_that_is_too_long_or_too_full_stays_alone(http: httpx.AsyncClient) -> None:
    good = lesson()
    long = lesson(data={"pad": "x" * bodies.LONGEST_ITEM})
    full = lesson(data={"pad": [[]] * bodies.MOST_VALUES})
    answer = await publish(http, [long, good, full])
    assert statuses(answer) == ["rejected", "accepted", "rejected"]
    told = [item["errors"][0] for item in answer.json()["items"] if item["status"] == "rejected"]
    assert [error["path"] for error in told] == ["$", "$"]
    assert [error["expected"] for error in told] == ["at most 262144 bytes", "at most 10000 values"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (bodies.LINES, b"zz\n" * (bodies.MOST_BYTES // 3)),
        (bodies.BATCH, b"[" + b"[]," * (bodies.MOST_BYTES // 3 - 1) + b"0]"),
        (bodies.BATCH, b"[[" + b"0," * (bodies.MOST_BYTES // 2 - 2) + b"0]]"),
    ],
    ids=["lines", "empty lists", "numbers"],
)
async def test_sixteen_mebibytes_of_junk_are_not_read(http: httpx.AsyncClient, kind: str, body: bytes) -> None:
    answer = await publish(http, body, kind)
    assert answer.status_code == 413
    assert "at most" in answer.json()["detail"]


def refused(number: int, content: str = "{}", authority: str = SLOW) -> Rejected:
    at = now().replace(microsecond=0) + timedelta(milliseconds=number)
    return Rejected(f"{number:032x}", authority, "http", at, at, content, "bad", (FieldError("$", "1", "2"),))


@pytest.fixture
async def own_items(database: Database) -> AsyncIterator[Database]:
    own = database.client[f"items_{secrets.token_hex(6)}"]
    yield own
    await database.client.drop_database(own.name)


async def test_each_authority_has_room_for_so_many_and_the_oldest_make_room(own_items: Database) -> None:
    items = RejectedItems(own_items, most_kept=50)
    await items.prepare()
    await items.keep([refused(1000, authority=OTHER)])
    for number in range(0, 300, 5):
        await items.keep([refused(each) for each in range(number, number + 5)])
    left = (await items.page(SLOW, limit=1000, after=None)).items
    assert 45 <= len(left) <= 60
    assert left[-1].id == refused(299).id
    assert len((await items.page(OTHER, limit=1000, after=None)).items) == 1


async def test_a_page_of_long_items_is_cut(own_items: Database) -> None:
    items = RejectedItems(own_items)
    count = PAGE_LENGTH // LONGEST_CONTENT + 10
    await items.keep([refused(number, "x" * LONGEST_CONTENT) for number in range(count)])
    page = await items.page(SLOW, limit=1000, after=None)
    assert page.is_cut
    assert len(page.items) == count - 10
