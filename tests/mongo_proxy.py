"""A proxy before a MongoDB that answers chosen commands by itself, as a server in trouble would; all others pass.

It understands as much of the wire protocol as that takes: the length of a message, and the body of an OP_MSG.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import bson

from tests.proxy import Proxy, Side

EVERYTHING = frozenset({"aggregate", "count", "createIndexes", "delete", "find", "getMore", "insert", "update"})
WRITES = frozenset({"createIndexes", "delete", "insert", "update"})
PLANTED = "Åsa Öberg 200801032388"
"""Stands in each answer's text, as a document would in a real one: it must be found nowhere."""

_HEADER = struct.Struct("<iiii")  # length, request, response to, operation
_OP_MSG = 2013
_FLAGS_AND_KIND = struct.Struct("<IB")
_BODY, _SEQUENCE = 0, 1


@dataclass(frozen=True, slots=True)
class Fault:
    """What is answered to some commands. `collection`: only of this one. `is_done`: the server does it all the same."""

    answer: dict[str, Any]
    commands: frozenset[str] = EVERYTHING
    collection: str | None = None
    is_done: bool = False

    def meets(self, command: dict[str, Any]) -> bool:
        name, value = next(iter(command.items()))
        collection = command.get("collection") if name == "getMore" else value
        return name in self.commands and self.collection in (None, collection)


def failed(code: int, labels: Sequence[str] = ()) -> dict[str, Any]:
    """The command as a whole has failed."""
    answer = {"ok": 0.0, "errmsg": PLANTED, "code": code, "codeName": "Planted"}
    return answer | ({"errorLabels": list(labels)} if labels else {})


def write_failed(code: int) -> dict[str, Any]:
    """The command's first write has failed."""
    return {"ok": 1.0, "n": 0, "nModified": 0, "writeErrors": [{"index": 0, "code": code, "errmsg": PLANTED}]}


def concern_failed(code: int) -> dict[str, Any]:
    """The command is done, but nobody knows whether it will last."""
    return {"ok": 1.0, "n": 1, "nModified": 1, "writeConcernError": {"code": code, "errmsg": PLANTED}}


@dataclass
class MongoProxy(Proxy):
    """`faults`: what is answered, the first that meets a command. `answered`: how many commands were."""

    faults: list[Fault] = field(default_factory=list)
    answered: int = 0

    def url(self, beyond: str) -> str:
        """The address of the proxy, for that of the server. A driver that is told that the primary has gone asks the server,
        which knows nothing of it and would answer after ten seconds: so it must not wait for news, but poll.
        """
        address = urlsplit(beyond)
        query = "&".join([*filter(None, [address.query]), "serverMonitoringMode=poll"])
        user, at, _ = address.netloc.rpartition("@")
        return address._replace(netloc=f"{user}{at}127.0.0.1:{self.port}", query=query).geturl()

    def _both_ways(self, client: Side, server: Side) -> tuple[Coroutine[None, None, None], Coroutine[None, None, None]]:
        replaced: dict[int, dict[str, Any]] = {}
        return self._requests(client[0], server[1], client[1], replaced), self._answers(server[0], client[1], replaced)

    async def _requests(
        self,
        source: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
        replaced: dict[int, dict[str, Any]],
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request, _, operation, message = await _read(source)
                fault = self._fault(message) if operation == _OP_MSG and self.faults else None
                self.answered += fault is not None
                if fault is not None and not fault.is_done:
                    await self._write(client, _message(fault.answer, request))
                    continue
                if fault is not None:
                    replaced[request] = fault.answer
                await self._write(server, message)
        server.close()
        self.writers.discard(server)

    async def _answers(
        self, source: asyncio.StreamReader, client: asyncio.StreamWriter, replaced: dict[int, dict[str, Any]]
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                _, response_to, _, message = await _read(source)
                answer = replaced.pop(response_to, None)
                await self._write(client, message if answer is None else _message(answer, response_to))
        client.close()
        self.writers.discard(client)

    async def _write(self, target: asyncio.StreamWriter, message: bytes) -> None:
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        target.write(message)
        await target.drain()

    def _fault(self, message: bytes) -> Fault | None:
        command = _body(message)
        return next((fault for fault in self.faults if fault.meets(command)), None)


async def _read(source: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    """Request, response to, operation, and the whole message."""
    header = await source.readexactly(_HEADER.size)
    length, request, response_to, operation = _HEADER.unpack(header)
    return request, response_to, operation, header + await source.readexactly(length - _HEADER.size)


def _body(message: bytes) -> dict[str, Any]:
    position = _HEADER.size + 4
    while message[position] == _SEQUENCE:
        position += 1 + int.from_bytes(message[position + 1 : position + 5], "little")
    length = int.from_bytes(message[position + 1 : position + 5], "little")
    return bson.decode(message[position + 1 : position + 1 + length])


def _message(answer: dict[str, Any], response_to: int) -> bytes:
    body = _FLAGS_AND_KIND.pack(0, _BODY) + bson.encode(answer)
    return _HEADER.pack(_HEADER.size + len(body), 0, response_to, _OP_MSG) + body
