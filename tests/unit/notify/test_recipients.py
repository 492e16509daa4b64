"""Who is told: the table of DOMAIN's ladder, coach → coordinator → principal."""

from __future__ import annotations

import pytest

from services.notify.places import Place
from services.notify.recipients import Address, StaffMember, choose, coach_may_follow
from shared.events import StaffRole
from tests.unit.notify.builders import member, place

COACH = member("staff:anna")
COORDINATOR = member("staff:bo", StaffRole.COORDINATOR)
PRINCIPAL = member("staff:cilla", StaffRole.PRINCIPAL)
ALL = [PRINCIPAL, COORDINATOR, COACH]


@pytest.mark.parametrize(
    ("where", "staff", "refused", "expected"),
    [
        pytest.param(place(), ALL, (), ("staff:anna", "coach"), id="the coach first"),
        pytest.param(place(coach=None), ALL, (), ("staff:bo", "coordinator"), id="no coach: the coordinator"),
        pytest.param(
            place(), [PRINCIPAL, COORDINATOR, member("staff:anna", active=False)], (), ("staff:bo", "coordinator"),
            id="inactive coach: the coordinator",
        ),
        pytest.param(place(coach=None), [PRINCIPAL], (), ("staff:cilla", "principal"), id="no coordinator: the principal"),
        pytest.param(
            place(coach=None), [member("staff:bo", StaffRole.COORDINATOR, active=False), PRINCIPAL], (),
            ("staff:cilla", "principal"), id="inactive coordinator: the principal",
        ),
        pytest.param(
            place(coach=None), [member("staff:bo", StaffRole.COORDINATOR, scope=frozenset({"Lindskolan"}))], (), None,
            id="a coordinator elsewhere is not told",
        ),
        pytest.param(place(coach=None), [member("staff:dan", StaffRole.ANALYST)], (), None, id="an analyst is never told"),
        pytest.param(place(coach=None), [member("staff:dan")], (), None, id="somebody else's coach is not told"),
        pytest.param(place(), [], (), None, id="nobody known"),
        pytest.param(place(coach=None, school_unit=None), ALL, (), None, id="neither coach nor unit known"),
        pytest.param(
            place(), ALL, [("staff:anna", "anna@skola.example")], ("staff:bo", "coordinator"), id="refused: the next in line"
        ),
        pytest.param(
            place(), ALL, [("staff:anna", "old@skola.example")], ("staff:anna", "coach"), id="a new address counts afresh"
        ),
        pytest.param(
            place(coach=None), [member("staff:z", StaffRole.COORDINATOR), COORDINATOR], (), ("staff:bo", "coordinator"),
            id="of several always the same one",
        ),
    ],
)  # fmt: skip
def test_the_ladder(
    where: Place, staff: list[StaffMember], refused: list[Address], expected: tuple[str, str] | None
) -> None:
    chosen = choose(where, staff, refused)
    assert (chosen and (chosen.member.staff, chosen.role.value)) == expected


@pytest.mark.parametrize(
    ("where", "staff", "expected"),
    [
        pytest.param(place(known=False), [], True, id="no enrolment yet"),
        pytest.param(place(), [PRINCIPAL], True, id="coach named, staff data not here yet"),
        pytest.param(place(), [member("staff:anna", active=False)], False, id="coach known to be inactive"),
        pytest.param(place(coach=None), [], False, id="known to have no coach"),
    ],
)
def test_whether_the_coach_may_still_become_known(where: Place, staff: list[StaffMember], expected: bool) -> None:
    assert coach_may_follow(where, staff) is expected
