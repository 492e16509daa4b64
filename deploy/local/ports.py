"""TCP ports of this machine: which are free, and a plain message for one that is not."""

from __future__ import annotations

import atexit
import random
import socket
from collections.abc import Iterable
from functools import cache

HOST = "127.0.0.1"

# Below the range that Linux (32768…) and macOS (49152…) hand out to outgoing connections, so that a port found free here
# is not taken by somebody's client a moment later.
_RANGE = range(20_000, 32_000)
PARTS = 24


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


@cache
def _own_part() -> range:
    """The part of the range that this process chooses from: it listens at the part's first port for as long as it lives, so that
    no two processes choose from one part. A broker listens seconds after its ports were found free.
    """
    size = len(_RANGE) // PARTS
    for number in random.sample(range(PARTS), PARTS):
        part = _RANGE[number * size : (number + 1) * size]
        guard = socket.socket()
        try:
            guard.bind((HOST, part[0]))
            guard.listen()
        except OSError:
            guard.close()
            continue
        atexit.register(guard.close)
        return part[1:]
    raise PortInUseError(f"{PARTS} programs that choose ports between 20000 and 32000 are running already")


def free_ports(count: int) -> list[int]:
    """Different ports that are free now, for programs that are started at once; no other process is given the same.

    Raises:
        PortInUseError: there are not so many.
    """
    part = _own_part()
    order = random.sample(part, len(part))
    found = [port for port, _ in zip((port for port in order if is_free(port)), range(count), strict=False)]
    if len(found) < count:
        raise PortInUseError(f"only {len(found)} of the {count} ports needed are free between {part[0]} and {part[-1]}")
    return found


def free_row(count: int) -> int:
    """The port before so many ports in a row that are free now; no other process is given the same.

    Raises:
        PortInUseError: there are none.
    """
    part = _own_part()
    bases = part[: len(part) - count]
    for base in random.sample(bases, len(bases)):
        if all(is_free(port) for port in range(base + 1, base + count + 1)):
            return base
    raise PortInUseError(f"no {count} ports in a row are free between {part[0]} and {part[-1]}")


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
