"""A mail server that delivers nowhere: every mail becomes a file, and can be read in a browser.

    python -m deploy.local.mailsink --folder DIR

Each option can also be given by environment: `MAILSINK_FOLDER`, `MAILSINK_HOST`, `MAILSINK_SMTP_PORT`, `MAILSINK_HTTP_PORT`.
For trying and for tests: it asks for no password, so let it listen where only you can reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn
from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from deploy.local import mails

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiosmtpd.smtp import Envelope, Session
    from starlette.requests import Request

MAX_MAIL_BYTES = 1_048_576
MAX_MAILS_KEPT = 20_000
"""Older ones are removed, so that a sink that is forgotten does not fill the disk."""
MAILS_LISTED = 200

_SAFE_PAGE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}th,td{{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #999}}
pre{{white-space:pre-wrap;border:1px solid #999;padding:1rem}}</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""


class MailSink:
    """Keeps what arrives by SMTP in a folder that only its owner can look into: mails hold names."""

    def __init__(self, folder: Path, max_mails_kept: int = MAX_MAILS_KEPT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._folder = folder
        self._max_mails_kept = max_mails_kept
        self._numbers = itertools.count(1)
        self._kept = mails.file_names(folder)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep a mail; called by the SMTP server, which answers what this returns."""
        self.keep(envelope.original_content or b"", datetime.now(UTC))
        return "250 2.0.0 kept"

    def keep(self, content: bytes, arrived: datetime) -> str:
        """Write a mail to its file, whole or not at all; returns its name."""
        name = f"{arrived:%Y%m%dT%H%M%S.%f}-{next(self._numbers):06}"
        unfinished = self._folder / f"{name}.part"
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(mails.stamped(content, arrived))
        unfinished.rename(self._folder / f"{name}{mails.SUFFIX}")
        self._kept.append(name)
        while len(self._kept) > self._max_mails_kept:
            (self._folder / f"{self._kept.pop(0)}{mails.SUFFIX}").unlink(missing_ok=True)
        return name


def build_app(folder: Path, host: str, smtp_port: int) -> Starlette:
    """Pages over the kept mails; the SMTP server runs as long as they do."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sink = MailSink(folder)
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(sink, data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True, ident="Kvar mail sink"),
            host,
            smtp_port,
        )
        async with server:
            yield

    def listing(_: Request) -> Response:
        return HTMLResponse(listing_page(folder), headers=_SAFE_PAGE)

    def one(request: Request) -> Response:
        return HTMLResponse(mail_page(_read(folder, request)), headers=_SAFE_PAGE)

    def text(request: Request) -> Response:
        return PlainTextResponse(as_text(_read(folder, request)))

    def source(request: Request) -> Response:
        mail = _read(folder, request)
        return Response((folder / f"{mail.name}{mails.SUFFIX}").read_bytes(), media_type="message/rfc822")

    routes = [
        Route("/", listing),
        Route("/mails/{name}.txt", text),
        Route("/mails/{name}.eml", source),
        Route("/mails/{name}", one),
        Route("/health/ready", lambda _: PlainTextResponse("ready")),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def listing_page(folder: Path) -> str:
    """HTML: the newest mails, newest first."""
    names = mails.file_names(folder)
    rows = "".join(
        f"<tr><td>{mail.arrived:%Y-%m-%d %H:%M:%S}</td><td>{html.escape(mail.recipient)}</td>"
        f'<td><a href="/mails/{mail.name}">{html.escape(mail.subject) or "(no subject)"}</a></td></tr>'
        for mail in (mails.read(folder, name) for name in reversed(names[-MAILS_LISTED:]))
    )
    shown = f"the newest {MAILS_LISTED} of {len(names)}" if len(names) > MAILS_LISTED else str(len(names))
    head = '<tr><th scope="col">Arrived (UTC)</th><th scope="col">To</th><th scope="col">Subject</th></tr>'
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if names else ""
    return _PAGE.format(title="Mails", body=f"<p>Mails here: {shown}. None was delivered to anybody.</p>{table}")


def mail_page(mail: mails.Mail) -> str:
    """HTML: one mail."""
    links = f'<p><a href="/">All mails</a> · <a href="/mails/{mail.name}.eml">as received</a></p>'
    heading = html.escape(mail.subject) or "(no subject)"
    return _PAGE.format(title=heading, body=f"{links}<pre>{html.escape(as_text(mail))}</pre>")


def as_text(mail: mails.Mail) -> str:
    """A mail for reading in a terminal."""
    return (
        f"From: {mail.sender}\nTo: {mail.recipient}\nDate: {mail.arrived.isoformat(timespec='seconds')}\n"
        f"Subject: {mail.subject}\n\n{mail.text}\n"
    )


def _read(folder: Path, request: Request) -> mails.Mail:
    name = request.path_params["name"]
    if name not in mails.file_names(folder):
        raise HTTPException(404, "There is no such mail.")
    return mails.read(folder, name)


def main(
    folder: Annotated[Path, typer.Option(envvar="MAILSINK_FOLDER", help="Where the mails are kept.")],
    host: Annotated[str, typer.Option(envvar="MAILSINK_HOST")] = "127.0.0.1",
    smtp_port: Annotated[int, typer.Option(envvar="MAILSINK_SMTP_PORT")] = 1025,
    http_port: Annotated[int, typer.Option(envvar="MAILSINK_HTTP_PORT", help="Where mails can be read.")] = 8025,
) -> None:
    """Take every mail, deliver none, and show them."""
    uvicorn.run(build_app(folder, host, smtp_port), host=host, port=http_port, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
