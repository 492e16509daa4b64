"""What schemathesis is told of Kvar: days and times near today, and for what alone the door may refuse a schema-true event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, Response

from tests.extremes import BEYOND_SCHEMAS

NOW = datetime.now(UTC).replace(microsecond=0)
LATELY = timedelta(days=30)

schemathesis.openapi.format("date", st.dates((NOW - LATELY).date(), NOW.date()).map(str))
schemathesis.openapi.format(
    "date-time",
    st.timedeltas(-LATELY, timedelta()).map(lambda ago: (NOW + ago).isoformat(timespec="seconds")),
)


@schemathesis.check
def an_event_that_obeys_its_schema_is_accepted(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Unless it is refused for what no schema can say."""
    if case.path != "/v1/events" or case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if "json" not in response.headers.get("content-type", [""])[0] or case.media_type == "application/x-ndjson":
        return
    faults = [error for item in response.json().get("items", ()) for error in item.get("errors", ())]
    wrong = [fault for fault in faults if not BEYOND_SCHEMAS.fullmatch(fault["path"])]
    assert not wrong, f"the schema allows what the door refuses: {wrong}"
