"""Fixtures of the tests of what services share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import BrokerServer
from tests.integration.shared.small import Small


@pytest.fixture
async def small(new_vhost: Callable[[], str], mongo_url: str, broker_server: BrokerServer) -> AsyncIterator[Small]:
    """The surroundings of a small service; both proxies are up. An outage is sat out after one second."""
    made = Small.of(new_vhost(), mongo_url, broker_server.metrics_url, outage_patience_seconds=1.0, parking_budget=5)
    await made.up()
    yield made
    await made.close()
