"""The stage that scoring's tests play on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.integration.scoring.stage import Stage


@pytest.fixture
def stage(new_vhost: Callable[[], str], mongo_url: str) -> Iterator[Stage]:
    """A virtual host and a database of the test's own."""
    made = Stage.of(new_vhost(), mongo_url)
    yield made
    made.close()


@pytest.fixture
def signals_at_once(stage: Stage) -> None:
    """Units are computed as soon as they are asked."""
    stage.settings = stage.settings.model_copy(update={"signal_minutes": 0.001})
