"""The broker of local runs is set as the one in containers is."""

from __future__ import annotations

from pathlib import Path

import deploy
from deploy.local.broker import MOST_BYTES_A_MESSAGE


def test_messages_are_as_long_at_most() -> None:
    configuration = Path(deploy.__file__).parent / "rabbitmq" / "rabbitmq.conf"
    assert f"max_message_size = {MOST_BYTES_A_MESSAGE}\n" in configuration.read_text()
