"""Three plain pages for people: all units, one unit, one student. Rendered here, no scripts, nothing from other hosts."""

from __future__ import annotations

import hashlib
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.reporting import words
from services.reporting.api import After, LevelName, OfAuthority, OfStudent, UnitCode, level_choice
from services.reporting.texts import TEXTS
from shared.events import Level
from shared.events.places import Presence
from shared.wording import WORDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.reporting.access import Guard
    from services.reporting.clock import Clock
    from services.reporting.reading import Reader
    from services.reporting.texts import Language
    from services.reporting.unit_models import Unit

FOLDER = Path(__file__).parent
PAGE_SIZE = 50
STYLE_CACHE = "public, max-age=31536000, immutable"
"""The address of the style sheet holds a digest of its content, so that a copy never grows old."""
LEVELS = (Level.INDIVIDUAL, Level.TARGETED, Level.UNIVERSAL)


class Pages:
    """Renders templates in the language of the reader."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.style = (FOLDER / "static" / "kvar.css").read_bytes()
        self._style_address = f"/static/kvar.css?v={hashlib.sha256(self.style).hexdigest()[:12]}"
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(
        self, request: Request, template: str, content: dict[str, Any], status: int = HTTPStatus.OK
    ) -> HTMLResponse:
        """A page. In templates: `text`, `words`, `wording` (of risks), `link(path, **query)`, and `content`."""
        language = language_of(request)
        page = self._environment.get_template(template).render(
            language=language,
            # Without a path: the page itself, whatever its address begins with.
            other_language="?" + urlencode({**request.query_params, "lang": _OTHER[language]}),
            text=TEXTS[language],
            words=words,
            wording=WORDINGS[language],
            number=partial(WORDINGS[language].numbers.number, decimals=1),
            link=partial(_link, request.query_params.get("lang")),
            style=self._style_address,
            levels=LEVELS,
            local=self.clock.local,
            bar_of=bar_of,
            **content,
        )
        headers = {"Content-Language": language, "Vary": "Accept-Language, Authorization"}
        return HTMLResponse(page, status, headers)

    def problem(self, request: Request, status: int, detail: str) -> Response:
        """An error as a page."""
        return self.render(request, "problem.html", {"status": status, "detail": detail}, status)


_OTHER: dict[Language, Language] = {"sv": "en", "en": "sv"}


def language_of(request: Request) -> Language:
    """The language a request asks for."""
    return words.choose_language(request.query_params.get("lang"), request.headers.get("accept-language", ""))


def _link(language: str | None, path: Iterable[str], **query: object) -> str:
    """Address of a page. `path`: its parts, each quoted; a language chosen by hand goes along."""
    address = "/" + "/".join(quote(part, safe="") for part in path)
    given = {name: value for name, value in {**query, "lang": language}.items() if value is not None}
    return f"{address}?{urlencode(given)}" if given else address


def bar_of(unit: Unit) -> list[tuple[str, float, float]]:
    """Parts of a unit's bar: level, start and width in percent of the active students; those without data come last."""
    parts = [(str(level), unit.levels[level].students) for level in LEVELS] + [("without_data", unit.without_data)]
    bar, start = [], 0.0
    for name, students in parts:
        width = 100 * students / unit.active if unit.active else 0.0
        bar.append((name, round(start, 2), round(width, 2)))
        start += width
    return [part for part in bar if part[2]]


def pages_router(reader: Reader, guard: Guard, pages: Pages) -> APIRouter:
    """Routes of the pages; they stand apart from the interface's documentation."""
    router = APIRouter(include_in_schema=False)
    closed = [Depends(guard)]

    @router.get("/static/kvar.css")
    async def style() -> Response:
        return Response(pages.style, media_type="text/css", headers={"Cache-Control": STYLE_CACHE})

    @router.get("/", dependencies=closed)
    async def start(request: Request) -> Response:
        units = await reader.units()
        today = pages.clock.today
        newest = max((min(unit.fresh_until, today) for unit in units if unit.fresh_until), default=None)
        head = words.newest_text(newest, today, language_of(request))
        return pages.render(request, "start.html", {"units": units, "newest": head})

    @router.get("/units/{code:path}", dependencies=closed)
    async def unit(
        request: Request,
        code: UnitCode,
        *,
        authority: OfAuthority = None,
        level: LevelName | None = None,
        status: Presence = Presence.ACTIVE,
        stale: bool = False,
        after: After = None,
    ) -> Response:
        found = await reader.unit(code, authority)
        key = await reader.unit_key(code, found.authority)
        page = await reader.students(
            unit=key, levels=level_choice(level), stale=stale, presence=status, limit=PAGE_SIZE, after=after
        )
        chosen = {"authority": authority, "level": level, "status": status, "stale": stale, "after": after}
        content: dict[str, Any] = {"unit": found, "page": page, **chosen}
        return pages.render(request, "unit.html", content)

    @router.get("/students/{pseudonym}", dependencies=closed)
    async def student(request: Request, pseudonym: OfStudent) -> Response:
        return pages.render(request, "student.html", {"student": await reader.student(pseudonym)})

    return router
