"""A class among the others of its unit, and scoring with its signals but without its queues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.scoring.records import Unit
from services.scoring.rescoring import Rescoring
from services.scoring.rule_store import RuleBook, RuleStore
from services.scoring.signal_store import SignalStore
from services.scoring.signalling import Signalling
from services.scoring.store import ScoringStore
from shared.clock import utc_now
from shared.events import AnyEvent, ClimateReported, ClimateReportedEvent
from shared.messaging import topology
from tests.builders import AUTHORITY, MONDAY, STOCKHOLM, at, attendance, enrolment, pseudonym, school_days
from tests.integration.scoring.stage import CrashError, Publisher, Stage, batch

DAYS = school_days(MONDAY, 60)
CLASS = [pseudonym(f"na{n}") for n in range(12)]
OTHERS = [pseudonym(f"te{n}") for n in range(18)]
EVERY = timedelta(minutes=1)


def enrolments(groups: Iterable[tuple[str, Sequence[str]]] = (("NA25a", CLASS), ("TE25b", OTHERS))) -> list[AnyEvent]:
    return [enrolment(student, groups=(code,)) for code, students in groups for student in students]


def registers(students: Iterable[str], days: Iterable[date], *, absent: int = 0, revision: int = 1) -> list[AnyEvent]:
    """An hour's lesson a day; absence is excused."""
    days = list(days)
    return [attendance(student, day, excused=absent, revision=revision) for student in students for day in days]


def climate(
    subject: str, period: str, mean: float, *, revision: int = 1, state: str = "recorded", answers: int = 12
) -> ClimateReportedEvent:
    return ClimateReportedEvent(
        id=f"{subject}-{period}-{revision}",
        source=f"/authorities/{AUTHORITY}/systems/test",
        subject=subject,
        time=at(MONDAY),
        authority=AUTHORITY,
        recordedtime=at(MONDAY).astimezone(UTC),
        data=ClimateReported.model_validate(
            {
                "period": period,
                "answers": answers,
                "safety": mean,
                "inclusion": mean,
                "relations": mean,
                "revision": revision,
                "state": state,
            }
        ),
    )


class Scene:
    """Scoring without its queues, with a clock that can be set."""

    def __init__(self, stage: Stage, holder: str = "a", publisher: Publisher | None = None) -> None:
        database = stage.database()
        self.database = database
        self.publisher = publisher or Publisher()
        self.store, self.scoring = SignalStore(database), ScoringStore(database)
        self.late = timedelta(0)
        book = RuleBook(RuleStore(database))
        self.rescoring = Rescoring(self.scoring, self.publisher, self.now, book, zone=STOCKHOLM)
        self.signalling = Signalling(
            self.store,
            self.scoring,
            self.rescoring,
            book,
            publish=self.publisher,
            clock=self.now,
            zone=STOCKHOLM,
            every=EVERY,
            holder=holder,
        )

    def now(self) -> datetime:
        return utc_now() + self.late

    async def take_in(self, events: Sequence[AnyEvent]) -> None:
        for start in range(0, len(events), 500):
            await self.rescoring.process(batch(events[start : start + 500]))

    async def computed(self) -> None:
        """Rounds until nothing waits, each a little later than units wait."""
        for _ in range(4):
            self.late += 2 * EVERY
            if not await self.signalling.round():
                return
        raise AssertionError("four rounds did not settle what there was to look at")

    async def due(self) -> set[Unit]:
        """Units that have been asked and have not answered."""
        asked = await self.scoring.asked()
        heads = await self.store.heads(asked)
        return {unit for unit, times in asked.items() if times != (heads[unit].answered if unit in heads else 0)}

    def signals(self) -> list[tuple[str, str, str, str]]:
        """Subject, id, indicator and state of each message about a group, as published."""
        return [
            (body["subject"], body["id"], body["data"]["indicator"], body["data"]["state"])
            for key, _, body in self.publisher.published
            if key == topology.GROUP_SIGNAL_KEY
        ]

    def newest_scores(self) -> dict[str, dict[str, Any]]:
        newest: dict[str, dict[str, Any]] = {}
        for key, _, body in self.publisher.published:
            if (
                key == topology.SCORED_KEY
                and body["data"]["revision"] >= newest.get(body["subject"], body["data"])["revision"]
            ):
                newest[body["subject"]] = body["data"]
        return newest

    def noted(self) -> set[str]:
        """Students whose newest score bears a reason of a group."""
        return {
            student
            for student, data in self.newest_scores().items()
            if any(reason.get("group") for reason in data["reasons"])
        }


async def prepared(stage: Stage, **options: Any) -> Scene:
    scene = Scene(stage, **options)
    await scene.scoring.prepare()
    await scene.store.prepare()
    return scene


WORSE = ("group:NA25a", "group:NA25a:1", "absence", "worse")
USUAL = ("group:NA25a", "group:NA25a:2", "absence", "usual")


async def few_worse(scene: Scene) -> None:
    """Six of 24 students have been away for two days, after thirty usual ones; nothing is computed yet."""
    few, others = CLASS[:6], OTHERS
    await scene.take_in(enrolments((("NA25a", few), ("TE25b", others))))
    await scene.take_in([*registers([*few, *others], DAYS[:30]), *registers(few, DAYS[30:32], absent=60)])
    await scene.take_in(registers(others, DAYS[30:32]))


def die_at(owner: Any, name: str, *, is_done: bool) -> None:
    step = getattr(owner, name)

    async def dying(*arguments: Any, **options: Any) -> None:
        if is_done:
            await step(*arguments, **options)
        raise CrashError

    setattr(owner, name, dying)
