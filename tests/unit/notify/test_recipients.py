"""Who is told: the table of DOMAIN's ladder, coaches → coordinator → principal."""

from __future__ import annotations

import pytest

from services.notify.places import Situation
from services.notify.recipients import Address, StaffMember, choose, coach_may_follow
from shared.events import StaffRole
from tests.unit.notify.builders import about, member

COACH = member("staff:anna")
SECOND = member("staff:adam")
COORDINATOR = member("staff:bo", StaffRole.COORDINATOR)
PRINCIPAL = member("staff:cilla", StaffRole.PRINCIPAL)
ALL = [PRINCIPAL, COORDINATOR, COACH]
GONE = member("staff:anna", active=False)
REFUSED = ("staff:anna", "anna@skola.example")
NOBODY = about(coaches=())
TWO = about(coaches=("staff:anna", "staff:adam"))


@pytest.mark.parametrize(
    ("where", "staff", "refused", "expected"),
    [
        pytest.param(about(), ALL, (), ("staff:anna", "coach"), id="the coach first"),
        pytest.param(NOBODY, ALL, (), ("staff:bo", "coordinator"), id="no coach: the coordinator"),
        pytest.param(
            about(), [PRINCIPAL, COORDINATOR, GONE], (), ("staff:bo", "coordinator"), id="inactive coach: the coordinator"
        ),
        pytest.param(TWO, [SECOND, *ALL], (), ("staff:anna", "coach"), id="two mentors: the one named first"),
        pytest.param(TWO, [SECOND, COORDINATOR, GONE], (), ("staff:adam", "coach"), id="the first one has left: the second"),
        pytest.param(
            TWO, [SECOND, COORDINATOR, COACH], [REFUSED], ("staff:adam", "coach"), id="the first one is refused: the second"
        ),
        pytest.param(TWO, [SECOND, COORDINATOR], (), ("staff:adam", "coach"), id="the first one is unknown: the second"),
        pytest.param(NOBODY, [PRINCIPAL], (), ("staff:cilla", "principal"), id="no coordinator: the principal"),
        pytest.param(
            NOBODY, [member("staff:bo", StaffRole.COORDINATOR, active=False), PRINCIPAL], (),
            ("staff:cilla", "principal"), id="inactive coordinator: the principal",
        ),
        pytest.param(
            NOBODY, [member("staff:bo", StaffRole.COORDINATOR, scope=frozenset({"Lindskolan"}))], (), None,
            id="a coordinator elsewhere is not told",
        ),
        pytest.param(NOBODY, [member("staff:dan", StaffRole.ANALYST)], (), None, id="an analyst is never told"),
        pytest.param(NOBODY, [member("staff:dan")], (), None, id="somebody else's coach is not told"),
        pytest.param(about(), [], (), None, id="nobody known"),
        pytest.param(about(coaches=(), school_unit=None), ALL, (), None, id="neither coach nor unit known"),
        pytest.param(about(), ALL, [REFUSED], ("staff:bo", "coordinator"), id="refused: the next in line"),
        pytest.param(
            about(), ALL, [("staff:anna", "old@skola.example")], ("staff:anna", "coach"), id="a new address counts afresh"
        ),
        pytest.param(
            NOBODY, [member("staff:z", StaffRole.COORDINATOR), COORDINATOR], (), ("staff:bo", "coordinator"),
            id="of several always the same one",
        ),
    ],
)  # fmt: skip
def test_the_ladder(
    where: Situation, staff: list[StaffMember], refused: list[Address], expected: tuple[str, str] | None
) -> None:
    chosen = choose(where, staff, refused)
    assert (chosen and (chosen.member.staff, chosen.role.value)) == expected


@pytest.mark.parametrize(
    ("where", "staff", "refused", "expected"),
    [
        pytest.param(about(known=False), [], (), True, id="no enrolment yet"),
        pytest.param(about(), [PRINCIPAL], (), True, id="coach named, staff data not here yet"),
        pytest.param(about(), [GONE], (), False, id="coach known to be inactive"),
        pytest.param(NOBODY, [], (), False, id="known to have no coach"),
        pytest.param(TWO, [SECOND], (), True, id="the first of two is not here yet"),
        pytest.param(TWO, [COACH], (), False, id="the first of two is here"),
        pytest.param(TWO, [GONE], (), True, id="the first has left, the second is not here yet"),
        pytest.param(TWO, [COACH], [REFUSED], True, id="the first is refused, the second is not here yet"),
    ],
)
def test_whether_a_coach_may_still_become_known(
    where: Situation, staff: list[StaffMember], refused: list[Address], expected: bool
) -> None:
    assert coach_may_follow(where, staff, refused) is expected
