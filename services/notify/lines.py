"""Text from elsewhere as part of one line: fit for a header, a letter, a terminal. Pure.

The contracts let nothing of this in. What writes to people and to other systems does not rely on that.
"""

from __future__ import annotations

import re

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]+"
)
"""Control and format characters (but the joiners that names are written with), separators of lines, halves of surrogate pairs."""

CUT = "…"


def one_line(text: str, longest: int | None = None) -> str:
    """The text with a blank in place of what would end the line, steer a terminal or cannot be written; `longest`: characters."""
    line = _UNFIT.sub(" ", text)
    if longest is not None and len(line) > longest:
        line = line[: longest - len(CUT)] + CUT
    return line


def header(text: str, longest: int) -> str:
    """The text as the value of a header: single blanks, and nothing that a reader would take for an encoded word (RFC 2047)."""
    words = filter(None, one_line(text).split(" "))
    return one_line(" ".join(words).replace("=?", "= ?"), longest)
