"""HTTP: who a reference is, for services and operators."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.ingest.access import Access
from services.ingest.problems import Problem
from services.ingest.spaces import system_of
from services.ingest.students import Students
from shared import problems
from shared.events.door import SOURCE, SPACE
from shared.events.values import Authority, Spelt, StudentReference

OfAuthority = Annotated[Authority, Query(description="code of the authority")]
Source = Annotated[
    str,
    Spelt(
        255,
        f"^({SOURCE}|{SPACE})$",
        "the name of a system, or /authorities/AUTHORITY/systems/NAME",
    ),
    Query(description="name of the system, or the whole `source` of its events"),
]
Reference = Annotated[StudentReference, Query(description="as the system sends it")]


class StudentAnswer(BaseModel):
    """Who a reference is. A protected person has no names here.

    `space`: where the reference lives, null when it is the authority's. `under`: its keyed hash, as facts bear it. `since`:
    when it was first met. `other_references`: how many more are linked to the same student.
    """

    pseudonym: str
    authority: str
    space: str | None
    under: str
    since: datetime
    other_references: int
    protected: bool
    given_name: str | None = None
    family_name: str | None = None
    turns_18_on: date | None = None


def router(students: Students, access: Access) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get(
        "/internal/students",
        tags=["internal"],
        dependencies=[Depends(access.service)],
        responses=problems.responses(
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    )
    async def student(authority: OfAuthority, source: Source, reference: Reference) -> StudentAnswer:
        """Who a publisher's reference is, for a service or an operator that may know it."""
        system = system_of(
            authority, source if source.startswith("/") else f"/authorities/{authority}/systems/{source}"
        )
        if system is None:
            expected = f"source: the name of a system, or /authorities/{authority}/systems/NAME"
            raise Problem(HTTPStatus.NOT_FOUND, expected)
        found = await students.find(authority, system, reference)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "nobody is known under this reference of this system")
        person = found.person
        answer = StudentAnswer(
            pseudonym=found.pseudonym,
            authority=authority,
            space=found.space,
            under=found.under,
            since=found.since,
            other_references=found.other_references,
            protected=person.protected,
        )
        if person.protected:
            return answer
        names = {"given_name": person.given_name, "family_name": person.family_name}
        return answer.model_copy(update={**names, "turns_18_on": person.turns_18_on})

    return routes
