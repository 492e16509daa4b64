"""`kvar parking` on the real broker: what an operator sees and does, and that nothing is lost or shuffled meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import orjson
import pytest
from typer.testing import CliRunner

from shared.messaging import topology
from shared.messaging.parking import operating
from shared.messaging.parking_cli import app
from tests.builders import MONDAY, attendance, pseudonym, school_days
from tests.integration.shared.waiting import until

pytestmark = pytest.mark.integration

KEY = "s00.attendance.recorded"
EVENT = attendance(pseudonym("åsa"), MONDAY)
SHARDS = 1


@dataclass
class Place:
    """A virtual host with the topology, and what tests do with it."""

    url: str

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        connection = await aio_pika.connect(self.url)
        async with connection, connection.channel() as channel:
            yield channel

    async def prepare(self) -> None:
        async with self.channel() as channel:
            await topology.declare(channel, SHARDS)

    async def park(
        self, *ids: str | None, body: bytes = EVENT.encode(), service: str = "scoring", key: str = KEY
    ) -> None:
        headers = {
            "x-kvar-attempt": 2,
            "x-kvar-error": "Reject: no good",
            "x-kvar-traceback": "Traceback\n  here",
            "x-kvar-routing-key": key,
            "x-kvar-parked-at": "2026-02-02T08:00:00+00:00",
        }
        await self._lay(topology.parking_queue(service), ids, body, headers)

    async def hold(self, *ids: str, authority: str = EVENT.authority) -> None:
        body = EVENT.model_copy(update={"authority": authority}).encode()
        headers = {"x-kvar-error": f"Held: messages of {authority}", "x-kvar-routing-key": KEY}
        await self._lay(topology.held_queue("scoring"), ids, body, headers)

    async def _lay(self, queue: str, ids: Sequence[str | None], body: bytes, headers: dict[str, Any]) -> None:
        async with self.channel() as channel:
            for name in ids:
                message = aio_pika.Message(body, message_id=name, headers=headers, delivery_mode=2)
                await channel.default_exchange.publish(message, queue)

    async def left(self, queue_name: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
        """Takes everything that lies in a queue, in order."""
        found = []
        async with self.channel() as channel:
            queue = await channel.get_queue(queue_name)
            while message := await queue.get(no_ack=True, fail=False):
                found.append(message)
        return found

    async def held_ids(self) -> list[str]:
        return [message.message_id or "" for message in await self.left(topology.held_queue("scoring"))]

    async def parked_ids(self, service: str = "scoring") -> list[str]:
        return [message.message_id or "" for message in await self.left(topology.parking_queue(service))]

    async def kvar(self, *arguments: str, answer: str = "") -> tuple[int, str]:
        """Runs `kvar parking`, in a thread: it has an event loop of its own."""
        environment = only_this_broker(self.url) | {"COLUMNS": "250"}
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, input=answer, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output


@pytest.fixture
async def place(new_vhost: Callable[[], str]) -> Place:
    made = Place(new_vhost())
    await made.prepare()
    return made


def only_this_broker(url: str) -> dict[str, str | None]:
    return {**{name: None for name in os.environ if name.startswith("KVAR_")}, "KVAR_AMQP_URL": url}


def numbered(count: int) -> list[str]:
    return [f"m{n:04}" for n in range(count)]


def test_a_broker_that_is_away_is_one_line() -> None:
    result = CliRunner().invoke(app, ["list"], env=only_this_broker("amqp://guest:guest@127.0.0.1:1/"))
    assert result.exit_code == 1
    assert result.output.startswith("The broker does not answer")
    assert len(result.output.splitlines()) == 1


async def test_a_broker_without_the_queues_is_told(new_vhost: Callable[[], str]) -> None:
    code, said = await Place(new_vhost()).kvar("list")
    assert code == 1
    assert "no such parking queue" in said


async def test_an_empty_place_says_so(place: Place) -> None:
    assert await place.kvar("list") == (0, "Nothing is parked.\n")


async def test_list_says_what_why_and_how_many(place: Place) -> None:
    await place.park("one", "two")
    code, said = await place.kvar("list", "scoring")
    assert code == 0
    for word in ("one", EVENT.type, EVENT.subject, KEY, "Reject: no good", "2026-02-02T08:00:00", "scoring: 2 parked"):
        assert word in said
    assert await place.parked_ids() == ["one", "two"]


async def test_list_as_json_has_one_object_a_message_without_content(place: Place) -> None:
    await place.park("one")
    _, said = await place.kvar("list", "--json")
    assert orjson.loads(said) == {
        "service": "scoring",
        "id": "one",
        "authority": EVENT.authority,
        "type": EVENT.type,
        "subject": EVENT.subject,
        "routing_key": KEY,
        "attempts": "2",
        "parked_at": "2026-02-02T08:00:00+00:00",
        "error": "Reject: no good",
    }


async def test_a_limited_list_takes_no_more_than_it_shows(place: Place) -> None:
    await place.park(*numbered(300))
    code, said = await place.kvar("list", "scoring", "--limit", "20")
    assert code == 0
    assert "m0019" in said
    assert "m0020" not in said
    assert "scoring: 300 parked, 20 shown" in said
    found = await place.left("scoring.parking")
    assert sum(bool(message.redelivered) for message in found) == 20
    assert [message.message_id for message in found] == numbered(300)


LOOKS: Sequence[tuple[str, ...]] = (
    ("list", "scoring", "--limit", "7"),
    ("show", "m0250"),
    ("list", "scoring", "--limit", "40"),
    ("show", "m0005"),
    ("list", "scoring", "--limit", "1000"),
    ("drop", "m0001"),
)


async def test_looking_in_any_depth_keeps_the_order(place: Place) -> None:
    await place.park(*numbered(300))
    for look in LOOKS:
        code, said = await place.kvar(*look, answer="n\n")
        assert code == 0, said
    assert await place.parked_ids() == numbered(300)


async def test_looking_more_often_than_any_delivery_limit_loses_nothing(place: Place) -> None:
    await place.park("one", "two", "three")
    for _ in range(topology.DELIVERY_LIMIT + 5):
        async with operating(place.url) as desk, desk.round("scoring") as walk:
            assert len(await walk.take(10)) == 3
    assert await place.parked_ids() == ["one", "two", "three"]


async def test_a_crash_in_the_middle_gives_everything_back(place: Place) -> None:
    await place.park(*numbered(50))
    program = (
        "import asyncio\n"
        "from shared.messaging.parking import operating\n"
        "async def main():\n"
        f"    async with operating({place.url!r}) as desk, desk.round('scoring') as walk:\n"
        "        print(len(await walk.take(50)), flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"50\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()

    async def is_free() -> bool:  # the lock lives as long as the broker sees the connection
        return (await place.kvar("list"))[0] == 0

    await until(is_free, "the lock of the dead to be gone")
    assert await place.parked_ids() == numbered(50)


async def test_only_one_operator_works_at_a_time(place: Place) -> None:
    async with operating(place.url):
        code, said = await place.kvar("list")
    assert code == 1
    assert "another `kvar parking` is at work" in said
    assert (await place.kvar("list"))[0] == 0


async def test_show_tells_everything(place: Place) -> None:
    await place.park("one")
    code, said = await place.kvar("show", "one")
    assert code == 0
    assert "Traceback" in said
    assert '"minutes": 60' in said
    assert "attempts: 2" in said


async def test_the_content_that_ingest_parks_is_shown_on_demand_only(place: Place) -> None:
    await place.park("one", body=b'{"subject": "20090101-1234", "name": "Astrid"}', service="ingest", key="any")
    for look in (("list",), ("list", "--json"), ("show", "one")):
        code, said = await place.kvar(*look)
        assert code == 0
        assert "Astrid" not in said
        assert "20090101-1234" not in said
        assert "no good" not in said
    assert "Astrid" in (await place.kvar("show", "one", "--body"))[1]


async def test_what_a_stranger_wrote_does_not_reach_the_terminal(place: Place) -> None:
    await place.park("\x1b[2Jid[red]", body=b'{"subject": "\\u001b[31mred", "x": "\x9b"}')
    for look in (("list",), ("show", "\x1b[2Jid[red]")):
        code, said = await place.kvar(*look)
        assert code == 0, said
        assert "\x1b" not in said
        assert "id[red]" in said


async def test_content_that_is_no_json_is_shown_as_it_is(place: Place) -> None:
    await place.park("odd", body=b"not json \xff")
    assert "odd" in (await place.kvar("list"))[1]
    assert "not json \\xff" in (await place.kvar("show", "odd"))[1]


async def taken_and_put_back(queue: aio_pika.abc.AbstractQueue) -> bool:
    message = await queue.get(fail=False)
    if message is not None:
        await message.nack(requeue=True)
    return message is not None


async def test_what_the_broker_parked_itself_shows_where_it_came_from(place: Place) -> None:
    async with place.channel() as channel:
        exchange = await channel.get_exchange(topology.EVENTS)
        await exchange.publish(aio_pika.Message(EVENT.encode(), message_id="crash", delivery_mode=2), KEY)
        queue = await channel.get_queue("scoring.s00")
        for _ in range(topology.DELIVERY_LIMIT + 1):
            await until(lambda: taken_and_put_back(queue), "the message to be delivered again")

    async def is_parked() -> bool:
        return "crash" in (await place.kvar("list"))[1]

    await until(is_parked, "the broker to park it")
    _, said = await place.kvar("list")
    assert KEY in said
    assert "scoring.s00: it may crash its reader" in said
    assert (await place.kvar("replay", "crash"))[0] == 0
    [again] = await place.left("scoring.s00")
    assert "x-death" not in again.headers
    assert again.routing_key == KEY


async def test_replay_sends_to_the_service_alone_with_a_new_count_of_attempts(place: Place) -> None:
    climate = "climate.reported"
    async with place.channel() as channel:
        headers = {"x-kvar-attempt": 3, "x-kvar-error": "x", "x-kvar-routing-key": climate, "traceparent": "keep"}
        message = aio_pika.Message(b"{}", message_id="one", headers=headers, delivery_mode=2)  # type: ignore[arg-type]
        await channel.default_exchange.publish(message, "reporting.parking")
    await place.park("two")
    assert await place.kvar("replay", "one") == (0, "1 sent again, 0 stayed.\n")
    [again] = await place.left("reporting.events")
    assert again.routing_key == climate
    assert {name: value for name, value in again.headers.items() if name != "x-delivery-count"} == {
        "traceparent": "keep",
        "x-kvar-replayed": True,
    }
    assert again.message_id == "one"
    assert await place.left("scoring.climate") == []
    assert await place.parked_ids() == ["two"]


async def test_replay_of_all_sends_each_once_in_order(place: Place) -> None:
    await place.park(*numbered(450))
    assert (await place.kvar("replay", "--all", "--service", "scoring")) == (0, "scoring: 450 sent again.\n")
    assert [message.message_id for message in await place.left("scoring.s00")] == numbered(450)
    assert await place.parked_ids() == []


async def test_what_was_removed_is_gone_however_much_it_is(place: Place) -> None:
    """The broker forgets acknowledgements that it holds back when their channel closes at once."""
    for _ in range(4):
        await place.park(*numbered(450))
        async with operating(place.url) as desk, desk.round("scoring") as walk:
            for message in (await walk.take(450))[:-2]:
                await walk.remove(message)
        assert await place.parked_ids() == ["m0448", "m0449"]


async def test_what_no_queue_takes_stays_parked(place: Place) -> None:
    await place.park("gone", "gone", "also", key="s77.attendance.recorded")
    await place.park("good")
    code, said = await place.kvar("replay", "--all")
    assert code == 1
    assert "gone stays parked: no queue is bound" in said
    assert "scoring: 1 sent again" in said
    assert "3 stayed parked" in said
    assert await place.parked_ids() == ["gone", "gone", "also"]


async def test_an_unknown_id_is_said_and_changes_nothing(place: Place) -> None:
    await place.park("one")
    for command in (("show", "other"), ("replay", "other"), ("drop", "other", "--yes")):
        code, said = await place.kvar(*command)
        assert code == 1
        assert "Nothing parked has the id other." in said
    assert await place.parked_ids() == ["one"]


async def test_drop_asks_keeps_a_copy_and_says_what_it_dropped(place: Place, tmp_path: Path) -> None:
    await place.park("one", "two", "three")
    copy = tmp_path / "kept.ndjson"
    code, said = await place.kvar("drop", "two", "--to", str(copy), answer="y\n")
    assert code == 0
    assert "scoring: 1 dropped: two" in said
    kept = orjson.loads(copy.read_bytes())
    assert (kept["id"], kept["body"]) == ("two", EVENT.encode().decode())
    assert copy.stat().st_mode & 0o077 == 0
    assert await place.parked_ids() == ["one", "three"]


async def test_drop_without_consent_drops_nothing(place: Place, tmp_path: Path) -> None:
    await place.park("one")
    copy = tmp_path / "kept.ndjson"
    assert (await place.kvar("drop", "one", "--to", str(copy), answer="n\n"))[0] == 0
    assert not copy.exists()
    assert await place.parked_ids() == ["one"]


async def test_drop_that_cannot_keep_its_copy_drops_nothing(place: Place, tmp_path: Path) -> None:
    await place.park("one")
    code, said = await place.kvar("drop", "one", "--yes", "--to", str(tmp_path / "absent" / "kept"))
    assert code == 1
    assert "absent" in said
    assert await place.parked_ids() == ["one"]


async def test_replay_takes_ids_or_all_not_neither(place: Place) -> None:
    for wrong in (("replay",), ("replay", "one", "--all")):
        assert (await place.kvar(*wrong))[0] == 2


async def test_replay_of_some_leaves_the_others_in_order(place: Place) -> None:
    days = school_days(MONDAY, 30)
    for day in days:
        await place.park(day.isoformat(), body=attendance(pseudonym("åsa"), day).encode())
    assert (await place.kvar("replay", *(day.isoformat() for day in days[10:20])))[0] == 0
    assert {message.message_id for message in await place.left("scoring.s00")} == {
        day.isoformat() for day in days[10:20]
    }
    assert await place.parked_ids() == [day.isoformat() for day in [*days[:10], *days[20:]]]


async def test_what_is_held_is_listed_apart_with_its_authority(place: Place) -> None:
    await place.park("one")
    await place.hold("two", "three", authority="0180")
    _, said = await place.kvar("list")
    assert "scoring: 1 parked" in said
    assert "scoring: 2 held, see --held" in said
    code, said = await place.kvar("list", "--held", "--json")
    assert code == 0
    assert [(each["id"], each["authority"]) for each in map(orjson.loads, said.splitlines())] == [
        ("two", "0180"),
        ("three", "0180"),
    ]
    assert "Held: messages of 0180" in (await place.kvar("show", "two", "--held"))[1]
    assert (await place.kvar("show", "two"))[0] == 1
    assert (await place.kvar("list", "ingest", "--held")) == (0, "Nothing is held.\n")
    assert await place.held_ids() == ["two", "three"]


async def test_replay_and_drop_of_one_authority_leave_the_others_in_order(place: Place, tmp_path: Path) -> None:
    names = numbered(60)
    for start in range(0, 60, 10):
        await place.hold(*names[start : start + 10], authority="0180" if start % 20 else "2480")
    ours = [name for number, name in enumerate(names) if number // 10 % 2 == 0]
    theirs = [name for name in names if name not in ours]
    code, said = await place.kvar("replay", "--held", "--all", "--authority", "2480", "--service", "scoring")
    assert (code, said) == (0, "scoring: 30 sent again.\n")
    assert [message.message_id for message in await place.left("scoring.s00")] == ours
    await place.hold("ours again")
    copy = tmp_path / "kept.ndjson"
    drop = ("drop", "--held", "--all", "--authority", "0180", "--to", str(copy))
    assert (await place.kvar(*drop, answer="n\n"))[0] == 0
    assert not copy.exists()
    code, said = await place.kvar(*drop, answer="y\n")
    assert code == 0
    assert "Drop all that is held in scoring of authority 0180 (31 in all)" in said
    assert "scoring: 30 dropped." in said
    assert [orjson.loads(line)["id"] for line in copy.read_bytes().splitlines()] == theirs
    assert await place.held_ids() == ["ours again"]


async def test_an_authority_is_named_with_all_only(place: Place) -> None:
    for wrong in (("replay", "one", "--authority", "0180"), ("drop", "one", "--authority", "0180"), ("drop",)):
        assert (await place.kvar(*wrong))[0] == 2
