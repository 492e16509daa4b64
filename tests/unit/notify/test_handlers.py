"""A message of a type that a queue should not bring is refused at once, by either handler."""

from __future__ import annotations

from typing import Any

import pytest

from services.notify.handlers import people_handler, risk_handler
from shared.errors import Reject
from shared.events import BEHIND_TYPES

NOTHING: Any = None  # neither store nor dispatcher is reached
HANDLERS: dict[str, Any] = {
    "notify.events": people_handler(NOTHING, NOTHING, NOTHING, NOTHING),
    "notify.risk": risk_handler(NOTHING, NOTHING, NOTHING),
}
MODELS: dict[str, Any] = {**BEHIND_TYPES}
READ = {
    "notify.events": {"kvar.staff.changed.v1", "kvar.enrolment.changed.v1"},
    "notify.risk": {"kvar.risk.level_changed.v1", "kvar.risk.alert_withdrawn.v1"},
}


@pytest.mark.parametrize(
    ("queue", "kind"), [(queue, kind) for queue, read in READ.items() for kind in sorted(set(BEHIND_TYPES) - read)]
)
async def test_an_unexpected_type_is_refused(queue: str, kind: str) -> None:
    with pytest.raises(Reject, match=f"{queue} takes .* only, not {kind}"):
        await HANDLERS[queue](MODELS[kind].model_construct())
