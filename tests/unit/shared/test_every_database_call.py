"""Every call of the database's driver in the services stands where its errors become ours."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[3] / "services"
CALLS = frozenset(
    {
        "aggregate",
        "bulk_write",
        "count_documents",
        "create_index",
        "create_indexes",
        "delete_many",
        "delete_one",
        "distinct",
        "drop",
        "estimated_document_count",
        "find_one",
        "find_one_and_delete",
        "find_one_and_replace",
        "find_one_and_update",
        "insert_many",
        "insert_one",
        "replace_one",
        "to_list",
        "update_many",
        "update_one",
    }
)
"""What goes to the database; `find` does not before its cursor is read."""
OURS = {"mongo", "shared"}
"""`mongo.bulk_write` is the one of `shared.mongo`."""


def uncovered(tree: ast.AST, *, covered: bool = False) -> Iterator[int]:
    """Lines with a call of the driver, or a cursor being read, outside of `with outages():`."""
    for node in ast.iter_child_nodes(tree):
        inside = covered or (isinstance(node, ast.With) and any(_is_outages(item.context_expr) for item in node.items))
        if not inside and (_is_call(node) or _reads_a_cursor(node)):
            yield _line(node)
        # What a function does is done where it is called.
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from uncovered(node, covered=inside and not is_function)


def _is_outages(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"outages", "mongo.outages"}


def _is_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in CALLS:
        return False
    return not (isinstance(node.func.value, ast.Name) and node.func.value.id in OURS)


def _line(node: ast.AST) -> int:
    place = node.iter if isinstance(node, ast.comprehension) else node
    return place.lineno if isinstance(place, ast.expr | ast.stmt) else 0


def _reads_a_cursor(node: ast.AST) -> bool:
    is_async = isinstance(node, ast.AsyncFor) or (isinstance(node, ast.comprehension) and bool(node.is_async))
    # Under any other name it may be a generator of ours.
    return is_async and any(cursor in ast.unparse(node) for cursor in (".find(", ".aggregate(", "cursor"))


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("async def f():\n    await things.find_one({})", [2]),
        ("async def f():\n    with outages():\n        await things.find_one({})", []),
        ("async def f():\n    with mongo.outages():\n        found = things.find()\n    await found.to_list()", [4]),
        ("async def f():\n    async for one in things.find():\n        pass", [2]),
        ("async def f():\n    return [one async for one in things.find()]", [2]),
        ("async def f():\n    await mongo.bulk_write(things, [])\n    await things.bulk_write([])", [3]),
        ("with outages():\n    async def f():\n        await things.drop()", [3]),
    ],
)
def test_what_is_found(source: str, lines: list[int]) -> None:
    assert list(uncovered(ast.parse(source))) == lines


def test_every_call_of_the_services() -> None:
    found = [
        f"{path.relative_to(SERVICES.parent)}:{line}"
        for path in sorted(SERVICES.rglob("*.py"))
        for line in uncovered(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
