"""Reading many documents by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.mongo import outages

if TYPE_CHECKING:
    from shared.mongo import Collection

FIND_TOGETHER = 500


async def find_by_id(collection: Collection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The documents that exist, in no order.

    Raises:
        Outage: the database is away.
    """
    found: list[dict[str, Any]] = []
    with outages():
        for start in range(0, len(ids), FIND_TOGETHER):
            some = list(ids[start : start + FIND_TOGETHER])
            found += await collection.find({"_id": {"$in": some}}).to_list(len(some))
    return found
