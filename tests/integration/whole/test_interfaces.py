"""The services' HTTP interfaces do what their OpenAPI documents say: schemathesis finds nothing. In the long: `make attack`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.whole.conftest import PASSWORD, SERVICE_TOKEN, SERVICES, TOKEN, Whole
from tests.interfaces import Fuzzed, credentials, fuzz

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

EXAMPLES = 10
SECONDS = 240.0
"""A quarter of a minute, where nobody else needs the machine."""


async def test_schemathesis_finds_nothing_on_any_service(whole: Whole, tmp_path: Path) -> None:
    known = credentials(publisher=TOKEN, service=SERVICE_TOKEN, password=PASSWORD)
    slots = asyncio.Semaphore(2)

    async def of(service: str) -> Fuzzed:
        # Beside the loop, which others have connections on that must not fall silent.
        async with slots:
            return await asyncio.to_thread(
                fuzz, whole.url(service), tmp_path / service, known, examples=EXAMPLES, seconds=SECONDS, is_short=True
            )

    found = await asyncio.gather(*map(of, SERVICES))
    told = "\n".join(one.report for one in found if one.mismatches)
    assert not told, told
    assert all(one.cases >= 20 for one in found)
    assert whole.complaints.told == []
