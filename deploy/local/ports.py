"""TCP ports of this machine: which are free, and a plain message for one that is not."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

HOST = "127.0.0.1"

# Below the range that Linux (32768…) and macOS (49152…) hand out to outgoing connections, so that a port found free here
# is not taken by somebody's client a moment later.
_RANGE = range(20_000, 32_000)
_part = _RANGE


class PortInUseError(Exception):
    """Somebody listens already where one of our programs must listen."""


def is_free(port: int) -> bool:
    """Whether a program could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier run that linger in TIME_WAIT do not count as use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def keep_to_part(number: int, parts: int) -> None:
    """Has this process choose from one of several equal parts, so that it never takes a port that another has just found
    free: a broker listens seconds after its ports were chosen.
    """
    global _part  # noqa: PLW0603 - one choice for the whole process
    size = len(_RANGE) // parts
    _part = _RANGE[number * size : (number + 1) * size]


def free_ports(count: int) -> list[int]:
    """Different ports that are free now, for programs that are started at once."""
    order = random.sample(_part, len(_part))
    found = [port for port, _ in zip((port for port in order if is_free(port)), range(count), strict=False)]
    if len(found) < count:
        raise PortInUseError(f"only {len(found)} of the {count} ports needed are free between 20000 and 32000")
    return found


def accepts(port: int) -> bool:
    """Whether a program accepts connections on this port now."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def require_free(ports: Iterable[tuple[str, int]], *, advice: str) -> None:
    """Check all ports before anything is started.

    Args:
        ports: Pairs of what wants to listen, and where.
        advice: What the reader can do about it; the end of the message.

    Raises:
        PortInUseError: Names every port that is taken.
    """
    taken = [f"{port} (for {what})" for what, port in ports if not is_free(port)]
    if taken:
        noun, verb = ("port", "is") if len(taken) == 1 else ("ports", "are")
        raise PortInUseError(f"The {noun} {', '.join(taken)} of {HOST} {verb} in use by another program. {advice}")
