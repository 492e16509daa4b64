"""The services' HTTP interfaces do what their OpenAPI documents say: schemathesis finds nothing. In the long: `make attack`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.whole.conftest import PASSWORD, SERVICE_TOKEN, SERVICES, TOKEN, Whole
from tests.interfaces import Fuzzed, credentials, fuzz

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

EXAMPLES = 10
SECONDS = 240.0
"""A quarter of a minute, where nobody else needs the machine."""


def test_schemathesis_finds_nothing_on_any_service(whole: Whole, tmp_path: Path) -> None:
    known = credentials(publisher=TOKEN, service=SERVICE_TOKEN, password=PASSWORD)

    def of(service: str) -> Fuzzed:
        return fuzz(whole.url(service), tmp_path / service, known, examples=EXAMPLES, seconds=SECONDS, is_short=True)

    with ThreadPoolExecutor(max_workers=2) as pool:
        found = dict(zip(SERVICES, pool.map(of, SERVICES), strict=True))
    told = "\n".join(one.report for one in found.values() if one.mismatches)
    assert not told, told
    assert all(one.cases >= 20 for one in found.values())
    assert whole.complaints.told == []
