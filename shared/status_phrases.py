"""HTTP statuses in words."""

from __future__ import annotations

from http import HTTPStatus

# Python 3.13 has taken over the words of RFC 9110; earlier versions have those of RFC 7231 and 4918.
_RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def phrase(status: int) -> str:
    """The status as RFC 9110 words it, in every version of Python: `404` → `Not Found`.

    Raises:
        ValueError: there is no such status.
    """
    return _RENAMED.get(status) or HTTPStatus(status).phrase
