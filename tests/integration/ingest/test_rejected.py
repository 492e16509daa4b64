"""What was refused is kept for its publisher: listed by page, shown, replayed, over HTTP and the command line."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from services.ingest import bodies
from tests.integration.ingest.stage import (
    TOKENS,
    Outgoing,
    Stage,
    kvar,
    new_id,
    now,
    publish,
    statuses,
    until,
)
from tests.unit.ingest.builders import attendance

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration


def lesson(**changes: Any) -> dict[str, Any]:
    return attendance(now=now(), id=new_id(), **changes)


def as_publisher(authority: str = "2480") -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[authority]}"}


async def listed(http: httpx.AsyncClient, authority: str = "2480", limit: int = 1000) -> list[dict[str, Any]]:
    """All rejected items of an authority, page by page."""
    items: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        params = {"limit": limit} | ({"after": after} if after else {})
        response = await http.get("/v1/rejected", params=params, headers=as_publisher(authority))
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["items"]
        after = page["next"]
        if after is None:
            return items


async def find(http: httpx.AsyncClient, event_id: str, authority: str = "2480") -> list[dict[str, Any]]:
    return [item for item in await listed(http, authority) if event_id in (item["content"] or "")]


async def test_a_rejected_item_is_kept_without_forbidden_fields(http: httpx.AsyncClient) -> None:
    item = lesson(data={"minutes": 0, "reason": "migraine"})
    await publish(http, [item])
    [kept] = await find(http, item["id"])
    assert (kept["authority"], kept["door"], kept["status"], kept["count"]) == ("2480", "http", "open", 1)
    assert kept["errors"][0]["path"] == "$.data.minutes"
    assert "migraine" not in kept["content"]
    shown = await http.get(f"/v1/rejected/{kept['id']}", headers=as_publisher())
    assert shown.json() == kept


async def test_the_same_item_again_is_counted_and_not_kept_twice(http: httpx.AsyncClient) -> None:
    item = lesson(data={"minutes": 0})
    for _ in range(3):
        await publish(http, [item, item])
    [kept] = await find(http, item["id"])
    assert kept["count"] == 6


async def test_a_line_that_is_no_json_is_kept_as_text(http: httpx.AsyncClient) -> None:
    line = f'{{"id": "{new_id()}", '
    await publish(http, line.encode(), bodies.LINES)
    [kept] = await find(http, line)
    assert kept["content"] == line


async def test_pages_hold_every_item_once(http: httpx.AsyncClient) -> None:
    made = {new_id("page") for _ in range(7)}
    items = [lesson(authority="1480", data={"minutes": 0}) | {"id": each} for each in sorted(made)]
    await publish(http, items[:4], token=TOKENS["1480"])
    await publish(http, items[4:], token=TOKENS["1480"])
    found = [item["id"] for item in await listed(http, "1480", limit=3)]
    assert len(found) == len(set(found))
    contents = " ".join(item["content"] or "" for item in await listed(http, "1480", limit=3))
    assert all(each in contents for each in made)


async def test_another_authoritys_items_do_not_exist(http: httpx.AsyncClient) -> None:
    item = lesson(data={"minutes": 0})
    await publish(http, [item])
    [kept] = await find(http, item["id"])
    assert not await find(http, item["id"], "1480")
    for method, path in (("GET", f"/v1/rejected/{kept['id']}"), ("POST", f"/v1/rejected/{kept['id']}/replay")):
        assert (await http.request(method, path, headers=as_publisher("1480"))).status_code == 404
        assert (await http.request(method, path)).status_code == 401
    assert (await http.get("/internal/rejected", headers=as_publisher())).status_code == 401


async def test_a_wrong_cursor_is_a_problem(http: httpx.AsyncClient) -> None:
    extreme = base64.urlsafe_b64encode(b'["0001-01-01T00:00:00+14:00","a"]').decode()
    for after in (
        "x",
        "W10=",
        extreme,
        f"{10**13}-{'0' * 32}",
        f"-1-{'0' * 32}",
        f"1-{'g' * 32}",
        f"٢-{'0' * 32}",
        "x" * 201,
    ):
        response = await http.get("/v1/rejected", params={"after": after}, headers=as_publisher())
        assert response.status_code == 422, after
    for after in (f"0-{'0' * 32}", f"{10**13 - 1}-{'f' * 32}"):
        response = await http.get("/v1/rejected", params={"after": after}, headers=as_publisher())
        assert response.status_code == 200, after


async def test_a_replay_of_what_is_still_bad_is_refused_again(http: httpx.AsyncClient) -> None:
    item = lesson(data={"minutes": 0})
    await publish(http, [item])
    [kept] = await find(http, item["id"])
    response = await http.post(f"/v1/rejected/{kept['id']}/replay", headers=as_publisher())
    assert response.status_code == 422
    [kept] = await find(http, item["id"])
    assert (kept["count"], kept["status"]) == (2, "open")


async def test_a_replay_that_succeeds_goes_out_and_forgets_the_content(
    http: httpx.AsyncClient, outgoing: Outgoing, database: Database
) -> None:
    item = lesson()
    kept = await kept_as_if_the_contract_was_narrower(http, database, item)
    response = await http.post(f"/v1/rejected/{kept}/replay", headers=as_publisher())
    assert response.status_code == 202
    assert statuses(response) == ["accepted"]
    await outgoing.wait_for(item["id"])
    shown = (await http.get(f"/v1/rejected/{kept}", headers=as_publisher())).json()
    assert (shown["status"], shown["content"]) == ("replayed", None)
    assert (await http.post(f"/v1/rejected/{kept}/replay", headers=as_publisher())).status_code == 409


async def kept_as_if_the_contract_was_narrower(
    http: httpx.AsyncClient, database: Database, item: dict[str, Any]
) -> str:
    """Has a bad item rejected and puts a good one in its place: what an older release would have refused."""
    bad = item | {"data": item["data"] | {"minutes": 1000}}
    await publish(http, [bad])
    [kept] = await find(http, item["id"])
    content = kept["content"].replace('"minutes":1000', '"minutes":60')
    await database["rejected"].update_one({"_id": kept["id"]}, {"$set": {"content": content}})
    item_id: str = kept["id"]
    return item_id


async def test_the_command_lists_shows_and_replays(
    stage: Stage, http: httpx.AsyncClient, database: Database, outgoing: Outgoing
) -> None:
    item = lesson()
    kept = await kept_as_if_the_contract_was_narrower(http, database, item)
    await database["rejected"].delete_many({"_id": {"$ne": kept}})  # more than a page of other tests' items
    found = await kvar(stage, "rejected", "list", "--limit", "1000")
    assert found.returncode == 0, found.stderr
    assert kept in found.stdout
    assert item["subject"] not in found.stdout
    narrow = await kvar(stage, "rejected", "list", "--limit", "1000", columns=80)
    assert kept in narrow.stdout, "an id is never cut off"
    assert item["id"] in (await kvar(stage, "rejected", "show", kept)).stdout
    replayed = await kvar(stage, "rejected", "replay", kept)
    assert replayed.stdout.strip() == "accepted"
    await outgoing.wait_for(item["id"])
    again = await kvar(stage, "rejected", "replay", kept)
    assert again.returncode == 1
    assert "not kept" in again.stderr


async def test_the_command_says_when_there_is_nobody_to_ask(stage: Stage) -> None:
    nobody = Stage("http://127.0.0.1:9", stage.amqp_url, stage.mongo_url, stage.database, stage.log)
    answer = await kvar(nobody, "rejected", "list")
    assert answer.returncode == 1
    assert "does not answer" in answer.stderr


async def test_items_expire(database: Database) -> None:
    async def index() -> Any:
        indexes = await database["rejected"].index_information()
        return [each for each in indexes.values() if each.get("expireAfterSeconds") == 90 * 86400]

    assert await until("the index that lets items expire", index)
