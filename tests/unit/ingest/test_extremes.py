"""The door and its published schemas agree about every extreme value of every field, but for what no schema can say."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.ingest import checks
from services.ingest.spaces import Spaces
from shared.errors import Reject
from shared.events import DOOR_TYPES
from tests.extremes import BEYOND_SCHEMAS, Contract, Event, bases

BASES = bases()


def refusals(event: Event) -> list[str]:
    """The paths that the door finds fault with."""
    try:
        checks.check(
            orjson.loads(orjson.dumps(event)), {"2480"}, datetime.now(UTC), ZoneInfo("Europe/Stockholm"), Spaces()
        )
    except Reject as refusal:
        return [error.path for error in refusal.errors if error.expected]
    return []


@pytest.mark.parametrize("kind", DOOR_TYPES)
def test_the_door_takes_what_the_schema_allows_and_names_what_it_refuses(kind: str) -> None:
    contract = Contract(DOOR_TYPES[kind].model_json_schema(), BASES[kind])
    assert refusals(contract.base) == []
    allowed = 0
    for extreme in contract.extremes():
        found = refusals(extreme.put(contract.base))
        where = f"{extreme.json_path}: {extreme.value!r}"[:200]
        if extreme.is_allowed:
            assert all(BEYOND_SCHEMAS.fullmatch(path) for path in found), f"{where} is allowed by the schema: {found}"
        else:
            assert found, f"{where} is forbidden by the schema"
        if found and extreme.path != ("data", "kind"):  # a mark that does not fit its kind is named, not the kind
            near = [path for path in found if path.startswith(extreme.json_path) or extreme.json_path.startswith(path)]
            assert near, f"{where} is refused for {found}"
        allowed += not found
    assert allowed > 50


def test_a_field_without_a_bound_is_tried_and_found() -> None:
    """As somebody may add one: what the schema does not forbid, the door must take."""
    schema = DOOR_TYPES["kvar.climate.reported.v1"].model_json_schema()
    del schema["$defs"]["ClimateReported"]["properties"]["answers"]["maximum"]
    with pytest.raises(KeyError, match="maximum"):
        list(Contract(schema, BASES["kvar.climate.reported.v1"]).extremes())
