"""Cases that schools have met, through the real rescoring, with the values that are right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.events import AnyEvent, AttendanceState
from shared.messaging import topology
from tests.builders import MONDAY, UNIT, attendance, enrolment, grade, pseudonym, school_days
from tests.integration.scoring.stage import Publisher, Stage, batch, expected, last_scores

pytestmark = pytest.mark.integration

STUDENT = pseudonym("åsa")
DAYS = school_days(MONDAY, 40)
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
AUTUMN = date(2026, 8, 17)
LAST_AUTUMN = date(2025, 8, 18)


class Kvar:
    """Scoring, told some events at a time."""

    def __init__(self, stage: Stage) -> None:
        self.publisher = Publisher()
        self.rescoring = stage.rescoring(self.publisher, lambda: NOW)
        self.events: list[AnyEvent] = []

    async def hears(self, *events: AnyEvent) -> dict[str, Any]:
        """What is said of the student after these; always what brute force says, too."""
        self.events += events
        await self.rescoring.process(batch(events))
        scores = [body for key, _, body in self.publisher.published if key == topology.SCORED_KEY]
        assert last_scores(scores) == expected(self.events)
        newest: dict[str, Any] = max(scores, key=lambda body: int(body["data"]["revision"]))["data"]
        return newest

    def told(self) -> list[dict[str, Any]]:
        keys = (topology.LEVEL_CHANGED_KEY, topology.ALERT_WITHDRAWN_KEY)
        return [body["data"] for key, _, body in self.publisher.published if key in keys]


@pytest.fixture
def kvar(stage: Stage) -> Kvar:
    return Kvar(stage)


def lessons(days: Sequence[date], count: int = 3, **said: Any) -> list[AnyEvent]:
    """An hour each."""
    return [attendance(STUDENT, day, lesson=str(n + 1), **said) for day in days for n in range(count)]


def points(said: dict[str, Any]) -> dict[str, int]:
    return {reason["indicator"]: reason["points"] for reason in said["reasons"]}


async def test_without_an_enrolment_the_unit_of_the_registers_is_told(kvar: Kvar) -> None:
    said = await kvar.hears(*lessons(DAYS[:12], unexcused=60))
    assert (said["level"], said["school_unit"], said["groups"]) == ("targeted", UNIT, [])
    assert {data["school_unit"] for data in kvar.told()} == {UNIT}
    said = await kvar.hears(*lessons(DAYS[12:13], unit="gy-björk"))
    assert said["school_unit"] == "gy-björk", "where the newest register is from"


async def test_registers_before_the_first_day_do_not_count(kvar: Kvar) -> None:
    """Filled in by the system as absence; the enrolment was there first."""
    said = await kvar.hears(enrolment(STUDENT, DAYS[20]), *lessons(DAYS[:20], unexcused=60), *lessons(DAYS[20:28]))
    assert (said["score"], kvar.told()) == (0, [])
    assert said["as_of"] == DAYS[27].isoformat()


async def test_registers_after_the_student_has_left_do_not_count(kvar: Kvar) -> None:
    left = enrolment(STUDENT, LAST_AUTUMN, ends_on=DAYS[20])
    said = await kvar.hears(left, *lessons(DAYS[:21]), *lessons(DAYS[21:34], unexcused=60))
    assert (said["score"], kvar.told()) == (0, [])
    assert (said["as_of"], said["school_unit"]) == (DAYS[20].isoformat(), UNIT)


@pytest.mark.parametrize("absent_days", [12, 40], ids=["all at hand", "before the base"])
async def test_an_enrolment_that_comes_late_takes_registers_before_its_first_day_out(
    kvar: Kvar, absent_days: int
) -> None:
    for day in DAYS[:absent_days]:
        await kvar.hears(*lessons([day], unexcused=60))
    assert kvar.told()[-1]["to"] == "targeted"
    begins = DAYS[absent_days - 1] + timedelta(days=1)
    said = await kvar.hears(enrolment(STUDENT, begins))
    assert (said["score"], said["level"], said.get("as_of")) == (0, "universal", None)
    withdrawn = [data["alert"] for data in kvar.told() if "alert" in data]
    raised = [f"{STUDENT}:{data['n']}" for data in kvar.told() if "alert" not in data]
    assert sorted(withdrawn) == sorted(raised)
    said = await kvar.hears(enrolment(STUDENT, begins, state="retracted", revision=2))
    assert said["level"] == "targeted", "taken back: no place at the unit is known, and they count again"


async def test_days_ill_in_june_and_in_august_are_no_streak(kvar: Kvar) -> None:
    june, august = school_days(date(2026, 5, 4), 25), [date(2026, 8, 19), date(2026, 8, 20)]
    events = lessons(june, 1, minutes=300)
    ill = lessons([*school_days(date(2026, 6, 8), 3), *august], 1, minutes=300, excused=300)
    said = await kvar.hears(enrolment(STUDENT, LAST_AUTUMN), *events, *ill)
    assert (said["score"], kvar.told()) == (0, [])


async def test_days_on_which_one_register_of_six_was_taken_are_no_streak(kvar: Kvar) -> None:
    silent = [
        attendance(STUDENT, day, lesson=str(n), state=AttendanceState.UNREGISTERED)
        for day in DAYS[12:17]
        for n in range(2, 7)
    ]
    said = await kvar.hears(
        enrolment(STUDENT, AUTUMN), *lessons(DAYS[:12], 6), *lessons(DAYS[12:17], 1, unexcused=60), *silent
    )
    # 300 of 4,620 minutes are 6.5 %, all of them unexcused.
    assert points(said) == {"unexcused_absence": 10, "total_absence": 4}
    assert said["level"] == "universal"


async def test_five_days_half_of_whose_minutes_have_a_register_are_a_streak(kvar: Kvar) -> None:
    silent = [
        attendance(STUDENT, day, lesson=str(n), state=AttendanceState.UNREGISTERED)
        for day in DAYS[12:17]
        for n in range(4, 7)
    ]
    said = await kvar.hears(
        enrolment(STUDENT, AUTUMN), *lessons(DAYS[:12], 6), *lessons(DAYS[12:17], 3, excused=60), *silent
    )
    assert points(said)["absence_streak"] == 12


async def test_who_is_present_on_an_excursion_is_not_absent_from_the_lessons_of_its_hours(kvar: Kvar) -> None:
    trip = [attendance(STUDENT, day, lesson="trip", hour=8, minutes=360) for day in DAYS[12:17]]
    said = await kvar.hears(
        enrolment(STUDENT, AUTUMN), *lessons(DAYS[:12], 6), *lessons(DAYS[12:17], 6, excused=60), *trip
    )
    assert (said["score"], said["reasons"]) == (0, [])


async def test_an_f_that_is_exported_again_after_an_e_changes_nothing(kvar: Kvar) -> None:
    june, august = date(2026, 6, 5), date(2026, 8, 10)
    await kvar.hears(enrolment(STUDENT, LAST_AUTUMN), *lessons(DAYS[:12]), grade(STUDENT, june, required=True))
    said = await kvar.hears(grade(STUDENT, august, value="E", required=True, revision=2))
    assert said["score"] == 0
    told = kvar.told()
    said = await kvar.hears(grade(STUDENT, june, required=True, revision=3))
    assert (said["score"], kvar.told()) == (0, told)


async def test_a_level_of_gy25_makes_up_for_a_course_of_gy11_that_it_names(kvar: Kvar) -> None:
    failed = grade(STUDENT, date(2026, 1, 20), course="SVESVE01", curriculum="gy11", required=True)
    said = await kvar.hears(enrolment(STUDENT, LAST_AUTUMN), *lessons(DAYS[:12]), failed)
    assert points(said) == {"credit_margin": 10, "diploma_critical": 8}
    passed = DAYS[5]
    unnamed = grade(STUDENT, passed, course="SVEN1000X", value="E", subject="SVEN", required=True)
    assert (await kvar.hears(unnamed))["score"] == 18
    naming = grade(
        STUDENT,
        passed,
        course="SVEN1000X",
        value="E",
        subject="SVEN",
        required=True,
        replaces=("SVESVE01",),
        revision=2,
    )
    assert (await kvar.hears(naming))["score"] == 0
    taken_back = grade(STUDENT, passed, course="SVEN1000X", value="E", subject="SVEN", state="retracted", revision=3)
    assert (await kvar.hears(taken_back))["score"] == 18


async def test_a_course_at_another_school_does_not_take_the_student_over(kvar: Kvar) -> None:
    course = enrolment(STUDENT, DAYS[10], unit="gy-björk", groups=("KIN1",), main=False)
    said = await kvar.hears(enrolment(STUDENT, LAST_AUTUMN), course, *lessons(DAYS[:12], unexcused=60))
    assert (said["school_unit"], said["groups"]) == (UNIT, ["NA25a"])
    said = await kvar.hears(*lessons(DAYS[:10], 1, unit="gy-björk", hour=18, unexcused=60))
    before = points(said)
    assert before == points(await kvar.hears(enrolment(STUDENT, LAST_AUTUMN, revision=2, groups=("NA25a",))))
