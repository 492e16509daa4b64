"""Who the students of published events are behind the door: asked of a running ingest, as an operator does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx

from deploy.demo.events import Event

ASKED_AT_ONCE = 8
STUDENT_PREFIXES = ("id:", "civic:", "ss12000:")


async def pseudonyms(ingest_url: str, service_token: str, events: Iterable[Event]) -> dict[str, str]:
    """Reference to pseudonym, of all references that ingest knows among the subjects of events from one source."""
    asked = {event["subject"]: event for event in events if event["subject"].startswith(STUDENT_PREFIXES)}
    slots, found = asyncio.Semaphore(ASKED_AT_ONCE), {}
    headers = {"Authorization": f"Bearer {service_token}"}
    async with httpx.AsyncClient(base_url=ingest_url, headers=headers, timeout=20.0, trust_env=False) as client:

        async def ask(reference: str, event: Event) -> None:
            query = {"authority": event["authority"], "source": event["source"], "reference": reference}
            async with slots:
                answer = await client.get("/internal/students", params=query)
            if answer.status_code != 404:
                found[reference] = answer.raise_for_status().json()["pseudonym"]

        await asyncio.gather(*(ask(reference, event) for reference, event in asked.items()))
    return found
