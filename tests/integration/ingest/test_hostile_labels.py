"""What publishers name as they like makes no series: routing keys, authorities, types, units, fields."""

from __future__ import annotations

import asyncio
from typing import Any

import aio_pika
import httpx
import orjson
import pytest

from services.ingest import bodies
from tests.integration.ingest.stage import Stage, new_id, now, publish, until
from tests.unit.ingest.builders import attendance

pytestmark = pytest.mark.integration

MANY = 60
MOST_NEW_SERIES = 30
"""The first of each outcome, with the time of its creation beside it."""
REFUSED = "hostile-{}"


def hostile(number: int) -> dict[str, Any]:
    """Every name in it is new."""
    event = attendance(
        f"id:{REFUSED.format(number)}",
        now=now(),
        id=new_id(),
        authority=REFUSED.format(number),
        source=f"/authorities/{REFUSED.format(number)}/systems/sis",
        type=f"kvar.{REFUSED.format(number)}.v1",
    )
    event["data"] |= {"school_unit": REFUSED.format(number), f"field_{number}": 1, "r" + "_" * number + "eason": "x"}
    return event


async def series(http: httpx.AsyncClient) -> set[str]:
    text = (await http.get("/metrics")).raise_for_status().text
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


async def taken(http: httpx.AsyncClient) -> float:
    text = (await http.get("/metrics")).text
    start = 'kvar_messages_total{outcome="handled",queue="ingest.sis"}'
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(start))


async def test_names_of_publishers_make_no_series(stage: Stage, http: httpx.AsyncClient) -> None:
    before, handled = await series(http), await taken(http)
    async with await aio_pika.connect(stage.amqp_url) as connection:
        exchange = await (await connection.channel()).get_exchange("sis.events")
        await asyncio.gather(
            *(
                exchange.publish(aio_pika.Message(orjson.dumps(hostile(number))), f"key.{number}.{new_id()}")
                for number in range(MANY)
            )
        )
    refused = await publish(http, [hostile(number) for number in range(MANY)], bodies.BATCH)
    assert refused.json()["rejected"] == MANY

    async def all_taken() -> bool:
        return await taken(http) >= handled + MANY

    await until("all messages to be taken", all_taken)
    new = await series(http) - before
    assert len(new) <= MOST_NEW_SERIES, sorted(new)[:10]
    assert not any("hostile" in one or "key." in one for one in new)
