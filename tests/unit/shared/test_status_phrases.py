"""The words of HTTP statuses do not depend on the version of Python."""

from __future__ import annotations

import http
import sys

import pytest

from shared.status_phrases import phrase


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "Not Found"), (413, "Content Too Large"), (422, "Unprocessable Content"), (503, "Service Unavailable")],
)
def test_a_status_is_worded_as_in_rfc_9110(status: int, words: str) -> None:
    assert phrase(status) == words


def test_an_unknown_status_is_an_error() -> None:
    with pytest.raises(ValueError, match="799"):
        phrase(799)


def test_only_old_words_of_older_versions_of_python_are_replaced() -> None:
    replaced = {status.value for status in http.HTTPStatus if phrase(status) != status.phrase}
    assert replaced == (set() if sys.version_info >= (3, 13) else {413, 414, 416, 422})
