"""One rule document that nobody can read: the authority's last good version holds, and nobody else notices."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from services.scoring.rule_store import RuleStore
from services.scoring.rules import Levels, Rules
from shared import metrics
from tests.builders import AUTHORITY, attendance, pseudonym
from tests.integration.scoring.kvar import Kvar
from tests.integration.scoring.stage import Publisher, Stage, batch
from tests.integration.scoring.test_rules import DAYS, MILD, NOW, STUDENTS, class_of_absentees, levels, rescoring

pytestmark = pytest.mark.integration

STRICT = Rules(levels=Levels(targeted=10, individual=20))
GOOD: dict[str, Any] = {"authority": AUTHORITY, "since": NOW}
UNREADABLE: dict[str, dict[str, Any]] = {
    "values out of order": {**GOOD, "rules": {"levels": {"targeted": 60, "individual": 50}}},
    "unknown name": {**GOOD, "rules": {"colour": {"red": 1}}},
    "no rules": GOOD,
    "rules of another shape": {**GOOD, "rules": ["levels"]},
    "no time": {"authority": AUTHORITY, "rules": {}},
    "a time as text": {**GOOD, "since": "yesterday", "rules": {}},
}


async def spoil(stage: Stage, version: int, fields: dict[str, Any]) -> None:
    document = {"_id": f"{AUTHORITY}:{version}", "version": version, **fields}
    await stage.database()["scoring_rules"].insert_one(document)


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_the_last_good_version_holds(stage: Stage, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    await class_of_absentees(stage)
    await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
    await RuleStore(stage.database()).add("0180", STRICT, NOW)
    await spoil(stage, 2, UNREADABLE[fault])
    publisher = Publisher()
    worker = rescoring(stage, publisher)
    with caplog.at_level(logging.ERROR):
        assert [await worker.refresh(100) for _ in range(2)] == [len(STUDENTS), 0]
        await worker.process(batch([attendance(STUDENTS[0], DAYS[-1], lesson="2", unexcused=60)]))
    assert levels(publisher) == dict.fromkeys(STUDENTS, "universal")
    assert {body["data"]["model_version"] for _, _, body in publisher.published} == {"points-3+1"}
    lines = [record for record in caplog.records if "rules cannot be read" in record.message]
    assert [line.__dict__["rules"] for line in lines] == [f"{AUTHORITY}:2"], "told once"
    assert metrics.UNREADABLE_RULES._value.get() == 1

    other = [attendance(STUDENTS[0], day, unexcused=60).model_copy(update={"authority": "0180"}) for day in DAYS]
    stranger = pseudonym("någon annan")
    await worker.process(batch(event.model_copy(update={"subject": stranger}) for event in other))
    assert levels(publisher)[stranger] == "individual", "by the strict rules of another authority"


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_where_it_is_the_only_one_the_defaults_hold(stage: Stage, fault: str) -> None:
    await class_of_absentees(stage)
    await spoil(stage, 1, UNREADABLE[fault])
    publisher = Publisher()
    worker = rescoring(stage, publisher)
    assert await worker.refresh(100) == 0
    await worker.process(batch([attendance(STUDENTS[0], DAYS[-1], lesson="2", unexcused=60)]))
    assert publisher.published[-1][2]["data"]["model_version"] == "points-3"


async def test_a_document_without_anything_but_its_key_stops_nobody(stage: Stage) -> None:
    await class_of_absentees(stage)
    await stage.database()["scoring_rules"].insert_one({"_id": f"{AUTHORITY}:1"})
    assert await rescoring(stage, Publisher()).refresh(100) == 0
    added = await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
    assert added.version == 2


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_its_number_is_not_given_again_and_the_commands_work(
    stage: Stage, fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kvar, file = Kvar(stage, monkeypatch), tmp_path / "regler.toml"
    await RuleStore(stage.database()).add(AUTHORITY, MILD, NOW)
    await spoil(stage, 2, UNREADABLE[fault])
    assert "version 1" in await kvar("rules", "show", AUTHORITY)
    assert '{"levels":{"targeted":60,"individual":90}}' in await kvar("rules", "history", AUTHORITY)
    file.write_text("[levels]\ntargeted = 10\nindividual = 20\n")
    assert "points-3+3" in await kvar("rules", "set", AUTHORITY, str(file))
    assert "version 3" in await kvar("rules", "show", AUTHORITY)
    history = await kvar("rules", "history", AUTHORITY)
    assert [line.split()[0] for line in history.splitlines()] == ["1", "3", "This"]
    assert f"cannot read: {AUTHORITY}:2." in history
    publisher = Publisher()
    await rescoring(stage, publisher).process(batch([attendance(STUDENTS[0], DAYS[0])]))
    assert publisher.published[-1][2]["data"]["model_version"] == "points-3+3"
