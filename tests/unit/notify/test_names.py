"""A student's name in a mail."""

from __future__ import annotations

import pytest

from services.notify.letter import Name


@pytest.mark.parametrize(
    ("given", "family", "expected"),
    [("Märta", "Sjöström", "Märta Sjöström"), ("Zahra", None, "Zahra"), (None, "Zahra", "Zahra"), (None, None, "")],
)
def test_one_name_is_a_name(given: str | None, family: str | None, expected: str) -> None:
    assert Name(given, family).full == expected
