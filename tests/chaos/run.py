"""One run: start everything, publish and break things at the same time, heal, wait until all is done, and compare."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from deploy.local.folder import locked, sweep
from deploy.local.layout import SERVICES, load_or_make_secrets
from tests.chaos import evidence as end
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Fault, Mischief, draw
from tests.chaos.publishing import Publishing
from tests.chaos.tally import Tally
from tests.chaos.traffic import AUTHORITY, Traffic, make_traffic, school_today
from tests.chaos.verdict import Difference, compare
from tests.chaos.world import World, build_world, forget_data, running

RUNS = Path(__file__).parents[2] / "var" / "chaos" / "running"
KEPT = RUNS.parent
EVENTS_A_SECOND = 60
EVENTS_A_STUDENT = 64
"""What `traffic` makes in these days, corrections included."""
DAYS = 60
STUCK_SECONDS = {True: 210.0, False: 45.0}
"""By thoroughness: how long nothing may change before what is left counts as lost. The sweepers of ingest and scoring act
after 30 s and a minute, the ladder's second step takes one, and a mail that may be out is repeated after two."""
QUIET_SECONDS = 1.5
LOOK_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Options:
    """A run. `replicas`: of scoring; drawn when None. `thorough`: wait at the end also for sweepers and leases."""

    seed: int
    minutes: float
    faults: int
    replicas: int | None = None
    students: int | None = None
    thorough: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Students and school days, so that the traffic lasts about as long as the faults."""
        total = EVENTS_A_SECOND * 60 * self.minutes
        return self.students or max(12, round(total / EVENTS_A_STUDENT)), DAYS

    @property
    def replicas_by_service(self) -> dict[str, int]:
        """Two of each, of scoring as many as wanted."""
        drawn = random.Random(f"replicas {self.seed}").randint(2, 4)
        return {service: self.replicas or drawn if service == "scoring" else 2 for service in SERVICES}


@dataclass(slots=True)
class Result:
    """What became of a run. `kept`: where its logs and findings are, only when it failed."""

    options: Options
    differences: list[Difference]
    faults: Counter[tuple[Fault, str]]
    traffic: Traffic
    publishing: Publishing
    evidence: Evidence
    counted: dict[str, float]
    seconds: float
    kept: Path | None = None


@dataclass(slots=True)
class Progress:
    """What a run tells while it goes on."""

    say: Callable[[str], None]
    published: Callable[[int, int], None] = field(default=lambda _sent, _total: None)
    waiting: Callable[[str], None] = field(default=lambda _left: None)


async def run(options: Options, progress: Progress) -> Result:
    """A whole run in a folder of its own, which is kept only when something is not as it must be."""
    sweep(RUNS)
    folder = RUNS / f"{os.getpid()}"
    with locked(folder):
        secrets = load_or_make_secrets(folder / "secrets.json", [AUTHORITY])
        world = build_world(folder, secrets, options.replicas_by_service)
        kept = KEPT / f"seed-{options.seed}-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005 - for people here
        try:
            result = await _Run(world, options, progress).whole()
        except BaseException:
            _keep(folder, kept)
            progress.say(f"logs are kept in {kept}")
            raise
        if result.differences:
            _write_findings(result, folder)
            _keep(folder, kept)
            result.kept = kept
        shutil.rmtree(folder, ignore_errors=True)
        return result


@dataclass
class _Run:
    world: World
    options: Options
    progress: Progress

    async def whole(self) -> Result:
        began = time.monotonic()
        students, days = self.options.size
        traffic = await asyncio.to_thread(make_traffic, self.options.seed, students, days, school_today())
        publishing = Publishing(self.world, traffic, self.options.seed)
        tally = Tally(self.world)
        self.progress.say(
            f"starting broker, database and {len(self.world.replicas)} replicas; "
            f"{traffic.total} events about {students} students on {days} school days"
        )
        async with running(self.world):
            await end.place_witness(self.world)
            mischief = Mischief(self.world, self._noted(began))
            counting = asyncio.create_task(tally.keep_counting())
            try:
                await self._break_and_publish(mischief, publishing)
                await mischief.heal()
                left = await self._settle()
                self.progress.say("comparing with an independent fold of the published events")
                evidence = await end.gather(self.world, traffic.good)
            finally:
                counting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await counting
        evidence.left = [*left, *mischief.ended_by_themselves, *publishing.refusals]
        differences = await asyncio.to_thread(compare, traffic, evidence)
        return Result(
            self.options,
            differences,
            mischief.done,
            traffic,
            publishing,
            evidence,
            dict(tally.totals),
            time.monotonic() - began,
        )

    async def _break_and_publish(self, mischief: Mischief, publishing: Publishing) -> None:
        seconds = 60 * self.options.minutes
        names = {service: [one.name for one in self.world.of(service)] for service in SERVICES}
        plan = draw(self.options.seed, self.options.faults, seconds, names)

        def progressed() -> None:
            self.progress.published(publishing.sent, publishing.traffic.total)

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(publishing.publish_all(seconds, progressed))
                group.create_task(mischief.do_all(plan))
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors

    async def _settle(self) -> list[str]:
        """Waits until nothing is left to do; returns what is stuck."""
        said, changed_at = "", time.monotonic()
        quiet_since: float | None = None
        while True:
            left = await end.work_left(self.world, thorough=self.options.thorough)
            now = time.monotonic()
            quiet_since = None if left else quiet_since or now
            if quiet_since is not None and now - quiet_since >= QUIET_SECONDS:
                return []
            if (text := "; ".join(left)) != said:
                said, changed_at = text, now
                self.progress.waiting(text)
            elif now - changed_at > STUCK_SECONDS[self.options.thorough]:
                return left
            await asyncio.sleep(LOOK_SECONDS)

    def _noted(self, began: float) -> Callable[[str], None]:
        """Says it, and writes it down beside the logs with the second of the run."""
        diary = self.world.folder / "faults.log"

        def note(what: str) -> None:
            with diary.open("a") as file:
                file.write(f"{datetime.now().isoformat(timespec='milliseconds')} {what}\n")  # noqa: DTZ005
            self.progress.say(f"{time.monotonic() - began:6.1f} s  {what}")

        return note


def _first(error: BaseException) -> BaseException:
    """Of errors that came together, one that says what all of them would."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _write_findings(result: Result, folder: Path) -> None:
    """What a person needs to find the cause: differences, everything published, every message about levels."""
    (folder / "differences.txt").write_text("\n".join(map(str, result.differences)) + "\n")
    with (folder / "published.jsonl").open("wb") as file:
        file.writelines(orjson.dumps(event) + b"\n" for event in result.traffic.good)
    with (folder / "levels.jsonl").open("wb") as file:
        file.writelines(told.body + b"\n" for told in result.evidence.told)
    (folder / "pseudonyms.json").write_bytes(orjson.dumps(result.evidence.pseudonyms, option=orjson.OPT_INDENT_2))


def _keep(folder: Path, kept: Path) -> None:
    forget_data(folder)
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("secrets.json", "lock", "records"))
