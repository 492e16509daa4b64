"""Starting, ending and finding programs again, with small programs of our own; no server is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import processes
from deploy.local.folder import FolderInUseError, locked, sweep
from deploy.local.processes import MARK, Child, Program, StartError, end_leftovers, kill_marked
from deploy.local.supervisor import Supervisor

SLEEP = "import time; time.sleep(600)"
# A program that starts another one in a session of its own, as Erlang does, and says so by a file.
PARENT = f"""
import pathlib, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
pathlib.Path("other").write_text(str(other.pid))
time.sleep(600)
"""


def program(code: str, folder: Path, name: str = "sleeper", **options: object) -> Program:
    return Program(name, [sys.executable, "-c", code], dict(os.environ), folder=folder, **options)  # type: ignore[arg-type]


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[Program], Child]]:
    children: list[Child] = []

    def start(what: Program) -> Child:
        children.append(processes.start(what, tmp_path))
        return children[-1]

    yield start
    for child in children:
        child.stop(at_once=True)


def test_stopping_ends_also_what_the_program_started(tmp_path: Path, started: Callable[[Program], Child]) -> None:
    child = started(program(PARENT, tmp_path))
    wait_for(lambda: (tmp_path / "other").exists() and bool((tmp_path / "other").read_text()), "the other program")
    other = int((tmp_path / "other").read_text())
    child.stop()
    assert not is_alive(child.process.pid)
    assert not is_alive(other)
    assert list((tmp_path / "records").iterdir()) == []


def test_stopping_touches_nobody_else(tmp_path: Path, started: Callable[[Program], Child]) -> None:
    stranger = started(program(SLEEP, tmp_path, "stranger"))
    started(program(SLEEP, tmp_path)).stop()
    assert stranger.is_running()


def test_a_program_that_does_not_listen_to_sigterm_is_killed(
    tmp_path: Path, started: Callable[[Program], Child]
) -> None:
    deaf = (
        "import pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); pathlib.Path('deaf').touch();" + SLEEP
    )
    child = started(program(deaf, tmp_path, stop_seconds=0.2))
    wait_for((tmp_path / "deaf").exists, "the program to be deaf")
    child.stop()
    assert child.process.returncode == -signal.SIGKILL


def test_what_a_killed_run_left_behind_is_found_and_ended(tmp_path: Path, started: Callable[[Program], Child]) -> None:
    leftover = started(program(PARENT, tmp_path))
    wait_for(lambda: (tmp_path / "other").exists() and bool((tmp_path / "other").read_text()), "the other program")
    other = int((tmp_path / "other").read_text())
    leftover.process.kill()  # only the first process: what it started is an orphan now
    leftover.process.wait()
    with locked(tmp_path) as ended:
        assert ended == ["sleeper"]
    assert not is_alive(other)
    assert end_leftovers(tmp_path) == []


def test_a_stranger_with_the_recorded_name_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP], env={**os.environ, MARK: "sleeper-other"}) as stranger:
        try:
            (tmp_path / "records").mkdir()
            record = {"name": "sleeper", "mark": "sleeper-mine", "pid": stranger.pid}
            (tmp_path / "records" / "sleeper.json").write_text(json.dumps(record))
            assert end_leftovers(tmp_path) == []
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_record_cut_short_by_a_crash_is_removed(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "sleeper.json").write_text('{"name": "slee')
    assert end_leftovers(tmp_path) == []
    assert list((tmp_path / "records").iterdir()) == []


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderInUseError, match=str(os.getpid())), locked(tmp_path):
        pytest.fail("entered twice")


def test_sweeping_removes_finished_runs_and_keeps_live_ones(tmp_path: Path) -> None:
    (tmp_path / "over").mkdir()
    with locked(tmp_path / "alive"):
        sweep(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["alive"]


def test_a_program_that_ends_before_it_is_ready_is_reported_with_the_end_of_its_log(
    tmp_path: Path, started: Callable[[Program], Child]
) -> None:
    child = started(program("print('no such port'); raise SystemExit(3)", tmp_path, missing=lambda: "its port"))
    with pytest.raises(StartError, match=r"(?s)sleeper ended before it was ready, with exit status 3\..*no such port"):
        child.wait_ready()


def test_a_program_that_does_not_become_ready_is_reported_with_what_is_missing(
    tmp_path: Path, started: Callable[[Program], Child]
) -> None:
    child = started(program(SLEEP, tmp_path, missing=lambda: "no database", ready_seconds=0.2))
    with pytest.raises(StartError, match="is not ready after 0 s: no database"):
        child.wait_ready()


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="sleeper cannot be started"):
        processes.start(Program("sleeper", [str(tmp_path / "nothing")], {}), tmp_path)


def test_a_killed_program_is_started_again(tmp_path: Path, started: Callable[[Program], Child]) -> None:
    first = started(program(SLEEP, tmp_path))
    children, said = [first], list[str]()
    with Supervisor(children, tmp_path, said.append) as supervisor:
        os.kill(first.process.pid, signal.SIGKILL)
        wait_for(lambda: len(said) == 2, "the supervisor to say that it is ready again")
        assert supervisor.restarts == {"sleeper": 1}
    assert children[0].process.pid != first.process.pid
    assert children[0].is_running()
    children[0].stop(at_once=True)
    assert said[0].startswith("sleeper was ended by signal 9; starting it again in 0.5 s")
    assert said[1] == "sleeper is ready again"


def test_a_program_that_keeps_ending_is_started_again_ever_more_rarely(
    tmp_path: Path, started: Callable[[Program], Child]
) -> None:
    children, said = [started(program("raise SystemExit(1)", tmp_path))], list[str]()
    with Supervisor(children, tmp_path, said.append):
        wait_for(lambda: sum("starting it again" in sentence for sentence in said) == 2, "two restarts")
    children[0].stop(at_once=True)
    announced = [sentence for sentence in said if "starting it again" in sentence]
    assert "exit status 1; starting it again in 0.5 s" in announced[0]
    assert "exit status 1; starting it again in 1 s" in announced[1]


def test_killing_an_unknown_mark_kills_nothing() -> None:
    assert kill_marked("no-such-mark") == 0
