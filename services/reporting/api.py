"""The JSON interface, `/v1/…`: school units and students. HTTP Basic; errors are `application/problem+json`."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from services.reporting.access import Guard
from services.reporting.models import PSEUDONYM, Student, Students
from services.reporting.reading import LEVELS, Reader
from services.reporting.unit_models import UnitDetails, Units
from shared.events import Level
from shared.events.places import Presence
from shared.events.values import Authority, Code, Pseudonym
from shared.problems import told

MAX_LIMIT = 500

LevelName = Literal["universal", "targeted", "individual", "without_data"]
OfAuthority = Annotated[
    Authority | None, Query(description="code of the authority; needed only where several use the same code of a unit")
]
UnitCode = Annotated[Code, Path(description="code of the school unit, as the source writes it")]
OfUnit = Annotated[Code | None, Query(description="only students of this unit; protected ones are in no unit's list")]
OfStudent = Annotated[Pseudonym, Path(examples=[PSEUDONYM])]
After = Annotated[
    str | None, Query(pattern=r"^[0-9]{4}p_[a-z2-7]{26}$", max_length=32, description="`next` of the page before")
]

COMMON = told(
    {
        HTTPStatus.UNAUTHORIZED: "no or wrong credentials",
        HTTPStatus.SERVICE_UNAVAILABLE: "the database is away: try again",
    }
)
NO_UNIT = told({HTTPStatus.NOT_FOUND: "no such unit", HTTPStatus.CONFLICT: "several authorities use the code"})


def api_router(reader: Reader, guard: Guard) -> APIRouter:
    """Routes that show what `reader` knows to those whom `guard` lets in."""
    router = APIRouter(prefix="/v1", tags=["views"], dependencies=[Depends(guard)], responses=COMMON)

    @router.get("/units", summary="All school units")
    async def units() -> Units:
        """Every school unit with students: counts by level, students without data, freshness.

        Numbers follow the events within seconds: `counted_at` tells when, `recount_due` whether more is on its way.
        """
        recount_due = await reader.recount_due()
        return Units(units=await reader.units(), recount_due=recount_due)

    @router.get(
        "/units/{code:path}",
        summary="One school unit",
        responses=NO_UNIT,
    )
    async def unit(code: UnitCode, authority: OfAuthority = None) -> UnitDetails:
        """Counts, freshness, the newest climate of the unit and of the groups of its active students, and what worsens for a
        whole group or the whole unit.
        """
        return await reader.unit(code, authority)

    @router.get(
        "/students",
        summary="Students, most at risk first",
        responses=NO_UNIT,
    )
    async def students(
        *,
        school_unit: OfUnit = None,
        authority: OfAuthority = None,
        level: Annotated[LevelName | None, Query(description="only this level")] = None,
        status: Annotated[
            Presence, Query(description="of the enrolment today, at the unit where one is given")
        ] = Presence.ACTIVE,
        stale: Annotated[
            bool,
            Query(
                description="only those of whom nothing has been registered for as many school days of the school unit as the "
                "authority's rules name"
            ),
        ] = False,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="students on a page")] = 50,
        after: After = None,
    ) -> Students:
        """A page of students in the order of need: level, then score; those without data come last.

        Go on with `after` = `next` until that is null. A student whose score changes meanwhile may show up twice or move
        past the cursor: read again from the start for a complete picture.
        """
        unit = await reader.unit_key(school_unit, authority) if school_unit is not None else None
        page = await reader.students(
            unit=unit, levels=level_choice(level), stale=stale, presence=status, limit=limit, after=after
        )
        return Students(students=page.students, next=page.next)

    @router.get(
        "/students/{pseudonym}", summary="One student", responses=told({HTTPStatus.NOT_FOUND: "no such student"})
    )
    async def student(pseudonym: OfStudent) -> Student:
        """Level, score, every reason with its numbers and dates, freshness and enrolments."""
        return await reader.student(pseudonym)

    return router


def level_choice(name: LevelName | None) -> tuple[Level | None, ...]:
    """Levels that a choice stands for; all when nothing was chosen."""
    if name is None:
        return LEVELS
    return (None,) if name == "without_data" else (Level(name),)
