"""The kinds of rows: each measures with its baselines, shows its progress and returns figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import uvloop
from rich.progress import Progress

from tests.bench import corrections, fold, latency, memory, throughput
from tests.bench.figures import Figure, ratio_to
from tests.bench.load import LESSONS_A_DAY
from tests.bench.stage import Servers

FOLD_ROUNDS = 3_000
HALF = 0.5


class Kind(StrEnum):
    """What can be measured."""

    THROUGHPUT = "throughput"
    FOLD = "fold"
    CORRECTIONS = "corrections"
    LATENCY = "latency"
    MEMORY = "memory"


DEFAULT = (Kind.FOLD, Kind.THROUGHPUT, Kind.CORRECTIONS, Kind.LATENCY)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    total: int = 20_000
    students: int = 2_000
    replicas: tuple[int, ...] = (1, 2, 4)
    baselines: tuple[str, ...] = ("naive", "floor")
    latency_seconds: float = 15.0
    rate: float | None = None
    passing_students: int = 300_000
    memory_minutes: float = 20.0


@dataclass(slots=True)
class Run:
    """A run under way. `per_second` holds the throughputs measured so far, by name."""

    plan: Plan
    servers: Servers
    bar: Progress
    per_second: dict[str, float] = field(default_factory=dict)

    def progress(self, name: str, total: int) -> Callable[[int], None]:
        """A bar for one row."""
        task = self.bar.add_task(name, total=total)
        return lambda done: self.bar.update(task, completed=done)

    def throughput(self) -> list[Figure]:
        """Baselines, then scoring with each number of replicas."""
        plan, figures = self.plan, list[Figure]()
        for name in plan.baselines:
            total = plan.total // 4 if name == "naive" else plan.total
            bar = self.progress(name, total)
            self.per_second[name] = uvloop.run(
                throughput.measure_baseline(name, self.servers, plan.students, total, bar)
            )
            figures.append(Figure("throughput", name, self.per_second[name], "events/s"))
        for number in plan.replicas:
            name = f"scoring x{number}"
            bar = self.progress(name, plan.total)
            measured = throughput.measure_scoring(self.servers, plan.students, plan.total, number, bar)
            value = self.per_second[name] = uvloop.run(measured)
            known = {"naive": self.per_second.get("naive"), "floor": self.per_second.get("floor")}
            if number > 1:
                known["one replica"] = self.per_second.get("scoring x1")
            figures.append(Figure("throughput", name, value, "events/s", ratio_to(value, **known)))
        return figures

    def fold(self) -> list[Figure]:
        """The pure part."""
        timings = fold.measure(FOLD_ROUNDS, self.progress("fold", FOLD_ROUNDS))
        base = timings["reference loop"]
        figures = []
        for name, timing in timings.items():
            for which, value, reference in (
                ("median", timing.median, base.median),
                ("best", timing.best, base.best),
            ):
                ratios = {} if timing is base else ratio_to(value, reference=reference)
                figures.append(Figure("fold", f"{name}, {which}", value, "µs", ratios))
        return figures

    def latency(self) -> list[Figure]:
        """Event to alert at half load; the load is that of one replica in the same run."""
        plan = self.plan
        if plan.rate is None and "scoring x1" not in self.per_second:
            bar = self.progress("scoring x1", plan.total)
            measured = throughput.measure_scoring(self.servers, plan.students, plan.total, 1, bar)
            self.per_second["scoring x1"] = uvloop.run(measured)
        rate = plan.rate or HALF * self.per_second["scoring x1"]
        offer = latency.Offer(rate, plan.latency_seconds, plan.students)
        bare = uvloop.run(latency.measure_bare(self.servers, offer, self.progress("bare message", offer.total)))
        alert = uvloop.run(latency.measure_alerts(self.servers, offer, self.progress("event to alert", offer.total)))
        figures = []
        for name, found in (("bare message", bare), ("event to alert", alert)):
            note = f"{found.measured} measured at {found.offered:,.0f} events/s"
            for which, value, baseline in (("p50", found.p50, bare.p50), ("p99", found.p99, bare.p99)):
                ratios = {} if found is bare else ratio_to(value, bare=baseline)
                figures.append(Figure("latency", f"{name} {which}", value, "ms", ratios, note))
        return figures

    def corrections(self) -> list[Figure]:
        """Corrections from last week beside registers of today."""
        each = corrections.STUDENTS * LESSONS_A_DAY
        rounds = max(1, self.plan.total // each // corrections.TURNS)
        waves = 2 * corrections.TURNS
        bar = self.progress("late corrections", each * (len(corrections.DAYS) - 1 + waves * rounds))
        found = uvloop.run(corrections.measure(self.servers, rounds, bar))
        note = f"median of {corrections.TURNS} x {each * rounds:,}, of {corrections.STUDENTS} students"
        return [
            Figure("corrections", "today", found.today, "events/s", note=note),
            Figure("corrections", "late corrections", found.late, "events/s", ratio_to(found.late, today=found.today)),
        ]

    def memory(self) -> list[Figure]:
        """Resident memory of scoring while students pass."""
        plan = self.plan
        bar = self.progress("memory", plan.passing_students)
        grown = uvloop.run(memory.measure(self.servers, plan.passing_students, 60 * plan.memory_minutes, bar))
        note = f"{grown.done:.0%} of {plan.passing_students:,} students in {plan.memory_minutes:g} minutes at most"
        return [
            Figure("memory", "after the first tenth", grown.after_a_tenth, "MB", note=note),
            Figure(
                "memory", "at the end", grown.at_the_end, "MB", ratio_to(grown.at_the_end, tenth=grown.after_a_tenth)
            ),
        ]

    def measure(self, kind: Kind) -> list[Figure]:
        """One kind of row."""
        match kind:
            case Kind.THROUGHPUT:
                return self.throughput()
            case Kind.FOLD:
                return self.fold()
            case Kind.CORRECTIONS:
                return self.corrections()
            case Kind.LATENCY:
                return self.latency()
            case Kind.MEMORY:
                return self.memory()
