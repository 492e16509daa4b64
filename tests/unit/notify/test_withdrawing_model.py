"""Level changes and withdrawals in any order, repeated, over two replicas that die between any two steps: who has been told
what is right in the end. The store is a model in memory, the decisions and the delivery are the real ones.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify import alerts
from services.notify.alert_documents import AlertEvent, new_document, read_alert
from services.notify.alert_store import Alerts, Standing
from services.notify.alerts import LEASE, OPEN, TOLD, Alert, AlertState
from services.notify.delivery import Delivery
from services.notify.letter import COLOURS, Letter
from services.notify.recipients import Recipient, StaffMember
from services.notify.replies import Reply, Step
from services.notify.smtp import Begin, Refused, Unanswered, Unreachable
from services.notify.wording import LANGUAGES
from shared.events import AlertWithdrawnEvent, Level, RiskLevelChangedEvent
from tests.unit.notify.builders import RECEIVED, STUDENT, change, member, stated, withdrawal

LEVELS = list(Level)
LEVEL_OF = {colour: level for level, colour in COLOURS.items()}
SWEDISH = LANGUAGES["sv"]
ANNA = member("staff:anna")
MOST_MAILS = 4
"""One, and three repetitions where nobody heard an answer."""


@pytest.fixture(scope="module", autouse=True)
def short_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alerts, "REPEAT_AFTER", tuple(timedelta(seconds=seconds) for seconds in (10, 20, 40)))
        yield


class Died(BaseException):
    """A replica that is no more: nothing behind this point happens."""


@dataclass
class World:
    """What outlives a replica: the database, the mails that are out, the clock; and what goes wrong."""

    chance: random.Random
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    mails: list[tuple[str, Letter, list[str]]] = field(default_factory=list)
    handed_over: list[str] = field(default_factory=list)
    now: datetime = RECEIVED
    troubled: bool = True
    reachable: bool = True
    silence: float = 0.1

    async def step(self) -> None:
        """Others may do something before the next step, or there is none."""
        for _ in range(self.chance.randrange(3)):
            await asyncio.sleep(0)
        if self.troubled and self.chance.random() < 0.02:
            raise Died

    def clock(self) -> datetime:
        return self.now


class AlertsInMemory(Alerts):
    """Obeys the contract of the store."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def add(self, event: AlertEvent, now: datetime) -> AlertState | None:
        standing = await self._known_of_all()
        document = new_document(event, now, newest=standing.newest, withdrawn=standing.withdrawn)
        await self._world.step()
        if document["_id"] in self._world.documents:
            return None
        self._world.documents[document["_id"]] = document
        return AlertState(document["state"])

    async def of(self, _student: str) -> list[Alert]:
        await self._world.step()
        return sorted(
            (read_alert(document) for document in self._world.documents.values()), key=lambda alert: alert.change.n
        )

    async def open(self, student: str) -> list[Alert]:
        return [alert for alert in await self.of(student) if alert.state in OPEN]

    async def _known_of_all(self) -> Standing:
        await self._world.step()
        found = Standing()
        for document in self._world.documents.values():
            found.newest = max(found.newest, document["n"])
            if "withdraws" in document:
                found.withdrawn.add(document["withdraws"])
        return found

    async def one(self, alert_id: str) -> Alert | None:
        await self._world.step()
        return read_alert(self._world.documents[alert_id])

    async def note(self, alert: Alert, fields: dict[str, Any], now: datetime) -> bool:
        await self._world.step()
        document = self._world.documents[alert.id]
        if document["rev"] != alert.rev:
            return False
        self._set(document, {**fields, "due_at": now + LEASE})
        self._world.handed_over.append(alert.id)
        return True

    async def change(self, alert: Alert, fields: dict[str, Any], *, lease: datetime | None = None) -> bool:
        await self._world.step()
        document = self._world.documents[alert.id]
        if document["rev"] != alert.rev or (lease is not None and document["due_at"] != lease):
            return False
        self._set(document, {**fields, "rev": alert.rev + 1})
        return True

    def _set(self, document: dict[str, Any], fields: dict[str, Any]) -> None:
        merged = {**document, **fields}
        self._world.documents[document["_id"]] = {name: value for name, value in merged.items() if value is not None}

    async def defer(self, _student: str, until: datetime) -> None:
        await self._world.step()
        for document in self._world.documents.values():
            if document["state"] in OPEN and document["due_at"] < until:
                document["due_at"] = until


class Neighbours:
    """People, names, composer and mail system of one replica."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def statements(self, _student: str) -> list[Any]:
        await self._world.step()
        return [stated()]

    async def member(self, _authority: str, _staff: str) -> StaffMember | None:
        return ANNA if self._world.reachable else None

    async def staff_for(self, _authority: str, _place: Any) -> list[StaffMember]:
        # The coach is known, but gone: nobody is left to be told.
        return [ANNA if self._world.reachable else member("staff:anna", active=False)]

    async def name(self, _pseudonym: str) -> None:
        return None

    def compose(self, alert: Alert, letter: Letter, _to: Recipient, _now: datetime, replies_to: list[str]) -> Any:
        return alert.id, letter, replies_to

    async def send(self, mail: Any, begin: Begin) -> None:
        await self._world.step()
        luck = self._world.chance.random() if self._world.troubled else 1.0
        if luck < 0.1:
            raise Unreachable("the mail system is away")
        await begin()
        await self._world.step()
        if luck < 0.15:
            raise Refused(Reply(Step.CONTENT, 554, "not now"))
        is_silent = self._world.troubled and self._world.chance.random() < self._world.silence
        if not is_silent or luck < 0.8:  # else it is lost on the way
            self._world.mails.append(mail)
            self._world.now += timedelta(milliseconds=1)  # no two mails leave in the same moment
        if is_silent:
            raise Unanswered("the answer is lost")
        await self._world.step()


def replica(world: World) -> Delivery:
    near: Any = Neighbours(world)
    return Delivery(
        near,
        AlertsInMemory(world),
        near,
        near,
        near,
        public_url="https://kvar.example",
        zone=RECEIVED.tzinfo,  # type: ignore[arg-type]
        clock=world.clock,
    )


def history(chance: random.Random) -> list[AlertEvent]:
    """What scoring could say of a student, in its order."""
    level, raised, events = Level.UNIVERSAL, list[tuple[int, Level]](), list[AlertEvent]()
    for n in range(1, chance.randint(2, 7)):
        before = level
        if raised and chance.random() < 0.5:
            named, _ = raised.pop()
            level = min(level, chance.choice(LEVELS), key=lambda item: item.rank)
            events.append(_event(AlertWithdrawnEvent, withdrawal(n, named, before, level), n))
        else:
            level = chance.choice([other for other in LEVELS if other is not before])
            if level.rank > before.rank:
                raised.append((n, level))
            events.append(_event(RiskLevelChangedEvent, change(n, before, level), n))
    return events


def _event(kind: type[AlertEvent], data: Any, n: int) -> AlertEvent:
    return kind(
        id=f"{STUDENT}:{n}", source="/kvar/scoring", subject=STUDENT, time=RECEIVED, authority="2480", data=data
    )


async def live(world: World, events: list[AlertEvent]) -> None:
    """Delivers all events, some twice and in a loose order, then lets everything come to its end."""
    async with asyncio.timeout(60):
        await _live(world, events)


async def _live(world: World, events: list[AlertEvent]) -> None:
    arriving = [*events, *world.chance.sample(events, world.chance.randint(0, len(events)))]
    loose = world.chance.choice([0, 1, 10])
    arriving = [
        event for _, event in sorted(enumerate(arriving), key=lambda pair: pair[0] + world.chance.random() * loose)
    ]
    waiting, there = list(arriving), world.chance.choice([0.15, 0.7])
    world.silence = world.chance.choice([0.1, 0.9])
    for _ in range(400):
        world.reachable = not world.troubled or world.chance.random() < there
        world.now += timedelta(seconds=world.chance.choice([1, 3, 8, 30]))
        batch, waiting = waiting[:2], waiting[2:]
        works = [_until_stored(world, event) for event in batch]
        works += [replica(world).deliver(STUDENT) for _ in range(2)]
        await asyncio.gather(*(_survived(work) for work in works))
        world.troubled = bool(waiting) or (world.troubled and world.chance.random() < 0.9)
        if not waiting and not any(item["state"] in OPEN for item in world.documents.values()):
            return
    pytest.fail(f"not settled: {[(item['_id'], item['state']) for item in world.documents.values()]}")


async def _until_stored(world: World, event: AlertEvent) -> None:
    """A message is delivered again until somebody has lived to acknowledge it."""
    while True:
        try:
            await AlertsInMemory(world).add(event, world.now)
        except Died:
            continue
        return


async def _survived(work: Any) -> None:
    try:
        await work
    except Died:
        return


def lost(world: World) -> set[str]:
    """Alerts that count as told, and none of whose mails has arrived."""
    out = {mail_id for mail_id, _, _ in world.mails}
    return {name for name, item in world.documents.items() if item["state"] == AlertState.UNCERTAIN} - out


def told_wrong(world: World) -> dict[str, list[int]]:
    """Positions of the mails that take an alert back."""
    found: dict[str, list[int]] = defaultdict(list)
    for position, (_, _, replies_to) in enumerate(world.mails):
        for alert_id in replies_to:
            found[alert_id].append(position)
    return found


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_the_right_is_told(seed: int) -> None:
    chance = random.Random(seed)
    world, events = World(chance), history(chance)
    asyncio.run(live(world, events))
    states = {name: AlertState(document["state"]) for name, document in world.documents.items()}
    assert states.keys() == {event.id for event in events}
    out = {mail_id for mail_id, _, _ in world.mails}
    assert {name for name, state in states.items() if state is AlertState.SENT} <= out
    begun = {name for name, document in world.documents.items() if document.get("handed_over")}
    assert {name for name in out if states[name] is not AlertState.SENT} <= begun
    assert {name for name, state in states.items() if state is AlertState.UNCERTAIN} <= begun
    assert all(sum(mail_id == name for mail_id, _, _ in world.mails) <= MOST_MAILS for name in out)
    taken_back = told_wrong(world)
    for event in events:
        if isinstance(event, AlertWithdrawnEvent):
            named = event.data.alert
            assert bool(taken_back[named]) or named not in out, (named, states)
            assert not taken_back[named] or states[named] in TOLD or named in begun, (named, states)
            if taken_back[named]:
                newest = max(position for position, mail in enumerate(world.mails) if mail[0] == named)
                assert newest < min(taken_back[named]), "an alert was mailed after it had been taken back"
    if lost(world):
        return
    believed = LEVEL_OF[world.mails[-1][1].colour] if world.mails else Level.UNIVERSAL
    assert believed is events[-1].data.to_level, (states, [mail[0] for mail in world.mails])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_every_mail_starts_from_what_was_told_last(seed: int) -> None:
    chance = random.Random(seed)
    world, events = World(chance), history(chance)
    asyncio.run(live(world, events))
    if lost(world):
        return
    told, seen = Level.UNIVERSAL, dict[str, str]()
    for name, letter, replies_to in world.mails:
        now = LEVEL_OF[letter.colour]
        if name in seen and not replies_to:
            assert letter.title == seen[name], "what may be out already is said in the same words again"
        elif not replies_to:
            document = world.documents[name]
            if world.handed_over.count(name) > 1 and document.get("telling"):
                # A replica died with this mail in its hands: whether it is out or not, it is said in the words of then.
                told = Level(document["telling"]["before"])
            between = [level for level in LEVELS if letter.title == SWEDISH.detour_title(level, now)]
            assert between or (letter.title == SWEDISH.title(told, now) and now is not told), (told, letter.title)
            assert (letter.lead == SWEDISH.fall) is (not between and now.rank < told.rank), letter.lead
            assert (letter.lead == SWEDISH.rise) is (not between and now.rank > told.rank), letter.lead
        seen[name], told = letter.title, now


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_a_rise_that_another_mail_tells_is_told_by_it(seed: int) -> None:
    chance = random.Random(seed)
    world, events = World(chance), history(chance)
    asyncio.run(live(world, events))
    if lost(world):
        return
    heard = told_by(world)
    withdrawn = {event.data.alert for event in events if isinstance(event, AlertWithdrawnEvent)}
    for event in events:
        document = world.documents[event.id]
        if document["state"] == AlertState.JOINED and isinstance(event, RiskLevelChangedEvent):
            leader = world.documents[document["joined"]]
            assert leader["state"] != AlertState.JOINED or leader["joined"] != event.id
            if event.id not in withdrawn and leader["state"] in {*TOLD, AlertState.NEEDLESS}:
                assert event.data.to_level.rank <= max(heard[leader["n"]]), (event.id, world.documents)
        named = (document.get("telling", {}).get("detour") or {}).get("alert")
        if named in withdrawn and document["state"] in TOLD:
            assert told_wrong(world)[event.id], "a rise was told by another's mail, and is not taken back"


def told_by(world: World) -> dict[int, set[int]]:
    """By the number of an alert, the ranks of all levels that mails up to its own have told of."""
    found, ranks = dict[int, set[int]](), {Level.UNIVERSAL.rank}
    for name, letter, _ in world.mails:
        now = LEVEL_OF[letter.colour]
        ranks |= {now.rank} | {level.rank for level in LEVELS if letter.title == SWEDISH.detour_title(level, now)}
        found[world.documents[name]["n"]] = set(ranks)
    return defaultdict(lambda: set(ranks), found)
