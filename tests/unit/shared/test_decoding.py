"""What of a message is looked at before it is read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.errors import Reject
from shared.messaging.broker import LONGEST_MESSAGE, decode


async def test_a_message_longer_than_any_of_ours_is_refused_unread() -> None:
    message: Any = SimpleNamespace(body=b"[" * (LONGEST_MESSAGE + 1))
    with pytest.raises(Reject, match="too long") as refused:
        await decode(message)
    assert refused.value.errors[0].expected == f"at most {LONGEST_MESSAGE} bytes"
