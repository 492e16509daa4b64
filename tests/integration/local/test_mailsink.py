"""The mail sink as a program: mail in by SMTP, out by HTTP. Its files and pages are in tests/unit/local."""

from __future__ import annotations

from email.message import EmailMessage
from typing import TYPE_CHECKING

import aiosmtplib
import httpx
import pytest

from deploy.local import mails, processes
from deploy.local.layout import Ports
from deploy.local.ports import HOST, free_ports
from deploy.local.stack import mail_sink_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def ports() -> Ports:
    return Ports(free_ports(1)[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[Path]:
    run = tmp_path_factory.mktemp("mailsink")
    child = processes.start(mail_sink_program(run / "mail", ports), run)
    try:
        child.wait_ready()
        yield run / "mail"
    finally:
        child.stop()


async def send(ports: Ports, subject: str, text: str) -> None:
    message = EmailMessage()
    message["From"] = "kvar@localhost"
    message["To"] = "coach@example.org"
    message["Subject"] = subject
    message.set_content(text)
    await aiosmtplib.send(message, hostname=HOST, port=ports.smtp)


async def test_a_sent_mail_is_a_file_before_the_sender_has_its_answer(folder: Path, ports: Ports) -> None:
    await send(ports, "Nivå 2", "Hej på dig\n")
    mail = mails.read_all(folder)[-1]
    assert (mail.recipient, mail.subject, mail.text) == ("coach@example.org", "Nivå 2", "Hej på dig")


async def test_mails_can_be_read_over_http(folder: Path, ports: Ports) -> None:
    await send(ports, "Att läsa", "Innehållet\n")
    name = mails.file_names(folder)[-1]
    async with httpx.AsyncClient(base_url=ports.url(ports.mail_pages), trust_env=False) as client:
        listing, page, text, source = [
            await client.get(path) for path in ("/", f"/mails/{name}", f"/mails/{name}.txt", f"/mails/{name}.eml")
        ]
    assert f'href="/mails/{name}"' in listing.text
    assert "Att läsa" in listing.text
    assert "Innehållet" in page.text
    assert "Innehållet" in text.text
    assert source.content == (folder / f"{name}.eml").read_bytes()


@pytest.mark.parametrize("path", ["/mails/nothing", "/mails/..%2f..%2fsecrets", "/mails/%2e%2e.eml"])
async def test_only_mails_are_served(folder: Path, ports: Ports, path: str) -> None:
    async with httpx.AsyncClient(base_url=ports.url(ports.mail_pages), trust_env=False) as client:
        assert (await client.get(path)).status_code == 404


async def test_a_mail_that_is_too_large_is_refused(folder: Path, ports: Ports) -> None:
    with pytest.raises(aiosmtplib.SMTPResponseException) as raised:
        await send(ports, "Stor", "x" * 70 + "\n" + ("y" * 70 + "\n") * 16_000)
    assert raised.value.code == 552
    assert all(mail.subject != "Stor" for mail in mails.read_all(folder))
