"""An explanation for people to read, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.scoring.bounds import MOST_COURSES
from services.scoring.days import Day
from services.scoring.explain import Beyond, Evidence, Explanation, Step
from services.scoring.facts import Fact, LessonFact, MarkFact
from shared.events import Reason
from shared.events.places import NO_END
from shared.wording import ENGLISH

SHOWN_FACTS = 12
"""Of each reason; JSON has them all."""
SHOWN_BEYOND = 3
"""Of what is unusable: enough to see how they are named."""


def show(explanation: Explanation, signals: Sequence[Reason], zone: tzinfo, console: Console) -> None:
    """Prints it. Times are in the authority's time zone."""
    known = explanation.assessment
    console.print(
        f"[bold]{explanation.student}[/bold], as known at {explanation.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
    )
    if not explanation.facts_known:
        console.print("Nothing was known of this student then.")
        return
    as_of, fresh = (date.fromordinal(day).isoformat() if day else "never" for day in (known.as_of, known.fresh_until))
    console.print(
        f"Score [bold]{known.score}[/bold], level [bold]{known.level}[/bold], by {explanation.model.version}; "
        f"newest day {as_of}, newest register {fresh}; school unit {explanation.school_unit or 'unknown'}, "
        f"groups {', '.join(explanation.groups) or 'none'}; {explanation.facts_known} facts"
    )
    for place in explanation.places:
        console.print(Text(f"     {_fact(place)}", style="dim"))
    console.print("\n[bold]Reasons[/bold]" if known.reasons else "\nNo indicator brings points.")
    for found in known.reasons:
        sentence = ENGLISH.sentence(found.indicator.name, found.numbers)
        console.print(
            f"{found.points:3}  {sentence}  ({found.indicator.name}, from {date.fromordinal(found.first_day)})"
        )
        evidence = explanation.evidence[found.indicator.name]
        for line in [*_evidence(evidence, zone), *_told_twice(evidence, explanation.told_twice)]:
            console.print(Text(f"     {line}", style="dim"))
    for signal in signals:
        console.print(f"  0  The whole group {signal.group}: {signal.indicator}, {dict(signal.numbers)}")
    if explanation.beyond:
        console.print(
            "\n[bold]Not usable[/bold]: more than any school has; it counts as if nothing were known of it, and stays so"
        )
        for beyond in explanation.beyond:
            console.print(Text(f"     {_beyond(beyond)}", style="dim"))
    if explanation.outside:
        console.print("\n[bold]Not counted[/bold]: outside every place that the student has at the school unit")
        for line in _evidence(explanation.outside, zone):
            console.print(Text(f"     {line}", style="dim"))
    _show_steps(explanation.steps, zone, console)
    _show_announcements(explanation, zone, console)


def _beyond(beyond: Beyond) -> str:
    known = [each.fact for each in beyond.known[:SHOWN_BEYOND]]
    if beyond.day is not None:
        told = f"{beyond.day}: more than {beyond.most} lessons are known"
        names = [fact.lesson for fact in known if isinstance(fact, LessonFact)]
    else:
        told = f"{beyond.course}: more than {beyond.most}" if beyond.course else f"all courses: more than {beyond.most}"
        told += " dates of marks and warnings are known" + (
            "" if beyond.course else f", or more than {MOST_COURSES} courses"
        )
        names = [f"{fact.course} {date.fromordinal(fact.recorded_on)}" for fact in known if isinstance(fact, MarkFact)]
    return f"{told}, such as {', '.join(names)}" if names else told


def _evidence(evidence: Sequence[Evidence], zone: tzinfo) -> list[str]:
    lines = [f"{_fact(each.fact)}{_received(each, zone)}" for each in evidence[-SHOWN_FACTS:]]
    earlier = len(evidence) - SHOWN_FACTS
    return [f"… {earlier} earlier, see --json", *lines] if earlier > 0 else lines


def _told_twice(evidence: Sequence[Evidence], days: Mapping[int, Day]) -> list[str]:
    lessons = sorted({each.fact.day for each in evidence if isinstance(each.fact, LessonFact)} & set(days))
    return [
        f"{date.fromordinal(day)}: registers tell of the same minutes, each counts once: {days[day].excused} excused and "
        f"{days[day].unexcused} unexcused of {days[day].scheduled} minutes"
        for day in lessons
    ]


def _received(each: Evidence, zone: tzinfo) -> str:
    corrected = f", version {each.earlier + 1} of it" if each.earlier else ""
    outdated = f"; {each.outdated} received later, older than known" if each.outdated else ""
    return f"; received {each.received_at.astimezone(zone):%Y-%m-%d %H:%M}{corrected}{outdated}"


def _fact(fact: Fact) -> str:
    if isinstance(fact, LessonFact):
        lesson = fact.version
        late = ", late" if lesson.late else ""
        absent = f"{lesson.excused} excused and {lesson.unexcused} unexcused of {lesson.minutes} minutes{late}"
        told = absent if lesson.state == "registered" else lesson.state
        return f"{date.fromordinal(fact.day)} lesson {fact.lesson}: {told}"
    if isinstance(fact, MarkFact):
        told = fact.version.value or "retracted"
        return (
            f"{date.fromordinal(fact.recorded_on)} {fact.course}, {fact.kind}: {told} ({fact.version.credits} credits)"
        )
    place = fact.version
    last = f"to {date.fromordinal(place.ends_on)}" if place.ends_on < NO_END else "without end"
    told = "retracted" if not place.is_recorded else f"{last}{', paused' if place.is_paused else ''}"
    return f"{date.fromordinal(place.starts_on)} place at {place.school_unit}: {told}"


def _show_steps(steps: Sequence[Step], zone: tzinfo, console: Console) -> None:
    console.print("\n[bold]How it came about[/bold]: what was received when, and changed the score")
    table = Table("received", "score", "level", "what", box=None, padding=(0, 1))
    for step in steps:
        level = f"{step.level_before} → {step.level}" if step.level is not step.level_before else str(step.level)
        table.add_row(
            f"{step.at.astimezone(zone):%Y-%m-%d %H:%M:%S}", f"{step.score_before} → {step.score}", level, _told(step)
        )
    console.print(table, soft_wrap=False)


def _told(step: Step) -> str:
    if not step.facts:
        return f"new rules: {step.model_version}"
    more = f" and {len(step.facts) - 1} more" if len(step.facts) > 1 else ""
    return _fact(step.facts[0]) + more


def _show_announcements(explanation: Explanation, zone: tzinfo, console: Console) -> None:
    console.print(
        "\n[bold]Published until then[/bold]" if explanation.announcements else "\nNothing was published until then."
    )
    for message in explanation.announcements:
        data = message["data"]
        what = f"withdrew {data['alert']}: " if "alert" in data else ""
        at = datetime.fromisoformat(message["time"]).astimezone(zone)
        change = f"{data['from']} → {data['to']}, score {data['score']}"
        console.print(f"  {message['id']}  {at:%Y-%m-%d %H:%M:%S}  {what}{change}")
    if not explanation.agrees:
        console.print(
            f"The facts say {explanation.assessment.level}, what was published {explanation.announced}: "
            "facts had been received and were still in work."
        )


def as_json(explanation: Explanation, signals: Sequence[Reason]) -> dict[str, Any]:
    """Everything, with every fact."""
    known = explanation.assessment
    return {
        "student": explanation.student,
        "at": explanation.at.isoformat(),
        "facts_known": explanation.facts_known,
        "score": known.score,
        "level": known.level,
        "model_version": explanation.model.version,
        "as_of": _iso(known.as_of),
        "fresh_until": _iso(known.fresh_until),
        "school_unit": explanation.school_unit,
        "groups": list(explanation.groups),
        "reasons": [
            {
                "indicator": found.indicator.name,
                "points": found.points,
                "numbers": dict(found.numbers),
                "from": _iso(found.first_day),
                "to": _iso(known.as_of),
                "facts": [_evidence_json(each) for each in explanation.evidence[found.indicator.name]],
            }
            for found in known.reasons
        ],
        "places": [place.version._asdict() for place in explanation.places],
        "told_twice": [{**day._asdict(), "day": _iso(day.day)} for day in explanation.told_twice.values()],
        "unusable": [
            {
                "day": beyond.day.isoformat() if beyond.day else None,
                "course": beyond.course,
                "more_than": beyond.most,
                "facts": [_evidence_json(each) for each in beyond.known[:SHOWN_FACTS]],
            }
            for beyond in explanation.beyond
        ],
        "outside": [_evidence_json(each) for each in explanation.outside],
        "signals": [signal.model_dump(mode="json", by_alias=True) for signal in signals],
        "steps": [
            {
                "at": step.at.isoformat(),
                "score": [step.score_before, step.score],
                "level": [step.level_before, step.level],
                "model_version": step.model_version,
                "facts": [_fact(fact) for fact in step.facts],
            }
            for step in explanation.steps
        ],
        "announcements": list(explanation.announcements),
        "announced": explanation.announced,
        "agrees": explanation.agrees,
    }


def _evidence_json(each: Evidence) -> dict[str, Any]:
    fact = each.fact
    key = {"lesson": fact.lesson} if isinstance(fact, LessonFact) else {"course": fact.course, "kind": fact.kind}
    return {
        "day": each.day.isoformat(),
        **key,
        **fact.version._asdict(),
        "received_at": each.received_at.isoformat(),
        "earlier": each.earlier,
        "outdated": each.outdated,
    }


def _iso(day: int | None) -> str | None:
    return date.fromordinal(day).isoformat() if day else None
