"""The database of one machine: `mongod` where there is one on the PATH, else the embedded SecantusDB.

Both speak MongoDB's wire protocol on 127.0.0.1 and keep their files in a folder of ours. SecantusDB runs with `--standalone`
and clients with `retryWrites=false`: otherwise it slows down as writes add up.

Killed with -9, SecantusDB loses what it has acknowledged last, unless it syncs on commit: 96 of 7,237 inserts in eight kills,
against none of 6,277. MongoDB journals majority writes by itself.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.ports import HOST
from deploy.local.processes import Program, StartError

_READY_SECONDS = 60.0
_PING_MILLISECONDS = 1000


def database_program(folder: Path, port: int, *, is_durable: bool = False) -> Program:
    """The database server with its files in `folder`. `is_durable`: what it has acknowledged survives being killed.

    Raises:
        StartError: There is neither mongod on the PATH nor SecantusDB in this Python environment.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": str(folder)}
    return Program(
        "database",
        _command(data, port, is_durable=is_durable),
        environment,
        lambda: _missing(port),
        _READY_SECONDS,
        folder=folder,
    )


def mongo_url(port: int) -> str:
    """Address for clients."""
    return f"mongodb://{HOST}:{port}/?retryWrites=false"


def _command(data: Path, port: int, *, is_durable: bool) -> list[str]:
    if mongod := shutil.which("mongod"):
        listen = ["--bind_ip", HOST, "--port", str(port), "--nounixsocket"]
        return [mongod, "--dbpath", str(data), *listen, "--wiredTigerCacheSizeGB", "0.5", "--quiet"]
    embedded = Path(sys.executable).parent / "secantusd-py"
    if not embedded.exists():
        raise StartError(
            "There is no database: neither mongod on the PATH nor SecantusDB in this Python environment. "
            "`make demo` and `make test` install the latter; by hand: pip install 'kvar[local]'."
        )
    flags = ["--standalone", "--log-level", "WARNING", "--cache-size", "512M"]
    flags += ["--sync-on-commit"] if is_durable else []
    return [str(embedded), "--host", HOST, "--port", str(port), "--storage-path", str(data), *flags]


def _missing(port: int) -> str | None:
    try:
        with MongoClient[dict[str, object]](mongo_url(port), serverSelectionTimeoutMS=_PING_MILLISECONDS) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        return f"it does not answer a ping ({type(error).__name__})"
    return None
