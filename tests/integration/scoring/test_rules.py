"""An authority's rules, and what is kept how long, on the real database: a change scores every student anew, and says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from services.scoring.documents import lessons_part
from services.scoring.records import Basis
from services.scoring.rescoring import Rescoring
from services.scoring.retention import kept_from
from services.scoring.rule_store import RuleStore
from services.scoring.rules import Levels, Rules
from shared.messaging import topology
from tests.builders import AUTHORITY, MONDAY, attendance, grade, pseudonym, school_days
from tests.integration.scoring.kvar import Kvar
from tests.integration.scoring.stage import CrashError, Publisher, Stage, batch, until

pytestmark = pytest.mark.integration

STUDENTS = [pseudonym(f"elev {n}") for n in range(7)]
DAYS = school_days(MONDAY, 12)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
MILD = Rules(levels=Levels(targeted=60, individual=90))


def rescoring(stage: Stage, publisher: Publisher, now: datetime = NOW) -> Rescoring:
    return stage.rescoring(publisher, lambda: now)


async def class_of_absentees(stage: Stage) -> None:
    events = [attendance(student, day, unexcused=60) for student in STUDENTS for day in DAYS]
    await rescoring(stage, Publisher()).process(batch(events))


def levels(publisher: Publisher) -> dict[str, str]:
    """The last level said of each student."""
    return {
        body["subject"]: body["data"]["level"] for key, _, body in publisher.published if key == topology.SCORED_KEY
    }


async def test_new_rules_score_every_student_anew_and_say_so(stage: Stage) -> None:
    await class_of_absentees(stage)
    publisher = Publisher()
    worker = rescoring(stage, publisher)
    assert await worker.refresh(100) == 0
    await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
    assert [await worker.refresh(5) for _ in range(3)] == [5, 2, 0]
    assert levels(publisher) == dict.fromkeys(STUDENTS, "universal")
    withdrawn = [body for key, _, body in publisher.published if key == topology.ALERT_WITHDRAWN_KEY]
    assert {body["data"]["alert"] for body in withdrawn} == {f"{student}:1" for student in STUDENTS}
    assert {body["data"]["cause"] for body in withdrawn} == {"rules"}
    assert {body["data"]["model_version"] for _, _, body in publisher.published} == {"points-3+1"}


async def test_rules_of_one_authority_leave_the_others_alone(stage: Stage) -> None:
    await class_of_absentees(stage)
    worker = rescoring(stage, Publisher())
    await RuleStore(stage.database()).add("0180", MILD, NOW)
    assert await worker.refresh(100) == 0


async def test_a_replica_that_has_not_seen_the_new_rules_looks_before_it_scores(stage: Stage) -> None:
    await class_of_absentees(stage)
    old, late = Publisher(), Publisher()
    behind = rescoring(stage, late)
    await behind.process(batch([attendance(STUDENTS[0], DAYS[-1], lesson="2")]))
    await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
    await rescoring(stage, old).refresh(100)
    await behind.process(batch([attendance(STUDENTS[0], DAYS[-1], lesson="3", unexcused=60)]))
    assert late.published[-1][2]["data"]["model_version"] == "points-3+1"


@pytest.mark.parametrize("dies_at", [0, 1])
async def test_a_crash_while_rules_change_leaves_nothing_unsaid(stage: Stage, dies_at: int) -> None:
    await class_of_absentees(stage)
    await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
    with pytest.raises(CrashError):
        await rescoring(stage, Publisher(dies_at)).refresh(100)
    swept = Publisher()
    later = rescoring(stage, swept, NOW + timedelta(minutes=5))
    assert [await later.refresh(100) for _ in range(2)] == [len(STUDENTS), 0]
    assert await later.sweep(timedelta(minutes=1), 100) == 0
    assert levels(swept) == dict.fromkeys(STUDENTS, "universal")
    assert len(swept.level_changes()) == 0
    assert sum(key == topology.ALERT_WITHDRAWN_KEY for key, _, _ in swept.published) == len(STUDENTS)


async def test_a_state_of_an_older_format_is_made_anew_from_the_facts(stage: Stage) -> None:
    await class_of_absentees(stage)
    students = stage.database()["scoring_students"]
    document = await students.find_one({"_id": STUDENTS[0]})
    assert document is not None
    state = orjson.loads(document["state"])
    state["basis"][1] -= 1
    state["days"], state["trail"] = "as an older Kvar wrote it", None
    older = f"{AUTHORITY}|{Basis(*state['basis']).text()}"
    await students.update_one({"_id": STUDENTS[0]}, {"$set": {"state": orjson.dumps(state).decode()}})
    await stage.database()["scoring_listings"].update_one({"_id": STUDENTS[0]}, {"$set": {"basis": older}})
    publisher = Publisher()
    worker = rescoring(stage, publisher)
    assert await worker.refresh(100) == 1
    await worker.process(batch([attendance(STUDENTS[0], DAYS[-1], lesson="2", unexcused=60)]))
    assert publisher.level_changes() == []
    document = await students.find_one({"_id": STUDENTS[0]})
    assert document is not None
    assert len(orjson.loads(document["state"])["days"]) == len(DAYS)


async def test_lessons_of_the_year_before_last_are_forgotten_and_marks_are_not(stage: Stage) -> None:
    student = STUDENTS[0]
    old, new = school_days(date(2025, 3, 3), 12), school_days(date(2025, 9, 1), 12)
    events = [attendance(student, day, unexcused=60) for day in [*old, *new]]
    await rescoring(stage, Publisher(), datetime(2026, 6, 30, tzinfo=UTC)).process(
        batch([*events, grade(student, old[0], points=300)])
    )
    publisher = Publisher()
    next_year = rescoring(stage, publisher, datetime(2026, 7, 2, tzinfo=UTC))
    assert await next_year.refresh(100) == 1
    facts = stage.database()["scoring_facts"]
    assert await facts.count_documents({}) == len(new) + 1
    assert await facts.count_documents({"part": lessons_part(student, new[0].toordinal())}) == 1
    await next_year.process(batch([events[-1]]))
    [reason] = [r for r in publisher.published[-1][2]["data"]["reasons"] if r["indicator"] == "credit_margin"]
    assert reason["numbers"] == {"failed_credits": 300}
    await next_year.process(batch([attendance(student, old[0], revision=2)]))
    assert await facts.count_documents({}) == len(new) + 1, "what is older than what is kept is not taken"


def test_a_school_year_begins_in_july() -> None:
    years = [(date(2026, 6, 30), 2), (date(2026, 7, 1), 2), (date(2026, 7, 1), 1)]
    assert [date.fromordinal(kept_from(today, count)) for today, count in years] == [
        date(2024, 7, 1),
        date(2025, 7, 1),
        date(2026, 7, 1),
    ]


async def test_rules_are_set_shown_and_listed_by_command(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kvar, file = Kvar(stage, monkeypatch), tmp_path / "regler.toml"
    assert "has set no rules" in await kvar("rules", "history", AUTHORITY)
    file.write_text("[levels]\ntargeted = 60\nindividual = 50\n")
    assert "individual begins above targeted" in await kvar("rules", "set", AUTHORITY, str(file), status=1)
    file.write_text("[total_absence]\nsteps = [[10, 4], [5, 10]]\nwindow = 3\n")
    refused = await kvar("rules", "set", AUTHORITY, str(file), status=1)
    assert "$.total_absence.steps" in refused
    assert "$.total_absence.window" in refused
    file.write_text("[levels]\ntargeted = 60\nindividual = 90\n")
    assert "can be used" in await kvar("rules", "set", AUTHORITY, str(file), "--check")
    assert "has set no rules" in await kvar("rules", "history", AUTHORITY)
    assert "points-3+1" in await kvar("rules", "set", AUTHORITY, str(file))
    assert "targeted = 60  *" in await kvar("rules", "show", AUTHORITY)
    assert '{"levels":{"targeted":60,"individual":90}}' in await kvar("rules", "history", AUTHORITY)


async def test_a_running_service_takes_up_new_rules_by_itself(stage: Stage) -> None:
    await class_of_absentees(stage)
    async with stage.running():
        await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
        seen: dict[str, str] = {}

        async def all_universal() -> bool:
            for message in await stage.take("reporting.risk"):
                body = orjson.loads(message.body)
                seen[body["subject"]] = body["data"]["level"]
            return seen == dict.fromkeys(STUDENTS, "universal")

        await until(all_universal, "every student scored by the new rules")


async def test_explain_tells_what_was_known_at_a_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    kvar, student = Kvar(stage, monkeypatch), STUDENTS[0]
    publisher, times = Publisher(), [NOW + timedelta(hours=n) for n in range(14)]
    events = [attendance(student, day, unexcused=60, received=times[n]) for n, day in enumerate(DAYS)]
    events.append(attendance(student, DAYS[3], revision=2, received=times[12]))
    clock = iter(range(10**6))
    worker = stage.rescoring(publisher, lambda: now + timedelta(seconds=next(clock)))
    levels_then: list[str] = []
    for n, event in enumerate(events):
        now = times[n]
        await worker.process(batch([event]))
        changes = [body["data"]["to"] for key, _, body in publisher.published if key != topology.SCORED_KEY]
        levels_then.append(changes[-1] if changes else "universal")
    assert set(levels_then) == {"universal", "targeted"} or "individual" in levels_then
    for n in (0, 7, 9, 12):
        told = orjson.loads(
            await kvar("explain", student, "--json", "--at", (times[n] + timedelta(minutes=50)).isoformat())
        )
        assert (told["level"], told["agrees"], told["facts_known"]) == (levels_then[n], True, n + 1)
    assert "Reasons" in await kvar("explain", student)
    assert "Nothing was known" in await kvar("explain", student, "--at", "2026-10-01")
    assert "knows no student" in await kvar("explain", pseudonym("okänd"), status=1)
    assert "no pseudonym" in await kvar("explain", "Åsa", status=1)
    assert "is no time" in await kvar("explain", student, "--at", "i går", status=1)
