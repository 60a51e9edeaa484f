"""The process runner alone: how its children live, die, are replaced, and leave nothing."""

from __future__ import annotations

import asyncio
import os
import queue
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from conftest import client_of
from pieces import (
    Deaf,
    Pages,
    cannot_prepare,
    chatter,
    dies_in_preparation,
    raises_fussy,
    unpicklable_result,
    who,
)
from test_runners import ignore, in_a_thread, stop_in

from labserver import priority
from labserver.errors import ProcessDied, Stopped
from labserver.jobs.stop import StopToken
from labserver.runners import nursery
from labserver.runners.process import ProcessRunner
from labserver.server.lab import Lab
from labserver.settings import Settings

posix = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")


@pytest.fixture
def runner() -> Iterator[ProcessRunner]:
    before = psutil.Process().children(recursive=True)
    with ProcessRunner(1) as runner:
        yield runner
    assert psutil.Process().children(recursive=True) == before


def pid_of_child(runner: ProcessRunner) -> int:
    return int(runner.run(who, stop_in(), ignore).text)


@contextmanager
def deaf_work(
    runner: ProcessRunner, stop: StopToken, folder: Path
) -> Iterator[tuple[psutil.Process, psutil.Process, Callable[[], list[Exception]]]]:
    """Work that hears no stop, under way: its process, the one that it started, and its end."""
    pages: queue.SimpleQueue[int] = queue.SimpleQueue()
    thread, raised = in_a_thread(lambda: runner.run(Deaf(folder), stop, pages.put))

    def end() -> list[Exception]:
        thread.join(10)
        assert not thread.is_alive()
        return raised

    started, child = (psutil.Process(pages.get(timeout=10)) for _ in range(2))
    yield child, started, end


def wait_for_end(pid: int) -> None:
    file = os.pidfd_open(pid)
    ended, _, _ = select.select([file], [], [], 10)
    os.close(file)
    assert ended


def gone(*processes: psutil.Process) -> bool:
    return not psutil.wait_procs(processes, timeout=5)[1]


def test_a_stop_kills_work_that_hears_none_and_what_it_has_started(
    runner: ProcessRunner, tmp_path: Path
) -> None:
    stop = stop_in()
    with deaf_work(runner, stop, tmp_path) as (child, started, end):
        stop.request()
        (error,) = end()
        # Its place is free only now, and it is dead.
        assert not child.is_running()
    assert isinstance(error, Stopped)
    assert gone(started)
    assert not list(tmp_path.iterdir())
    assert pid_of_child(runner) != child.pid


@posix
def test_a_child_that_is_killed_fails_its_job_alone(runner: ProcessRunner, tmp_path: Path) -> None:
    with deaf_work(runner, stop_in(), tmp_path) as (child, started, end):
        child.kill()
        (error,) = end()
    assert isinstance(error, ProcessDied)
    assert "SIGKILL" in str(error)
    assert gone(child, started)
    assert not list(tmp_path.iterdir())
    assert runner.run(Pages(3), stop_in(), ignore).pages == 3


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for what is not our child")
def test_a_child_that_died_while_it_was_idle_costs_no_job(runner: ProcessRunner) -> None:
    pid = pid_of_child(runner)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    assert pid_of_child(runner) != pid


@posix
def test_children_of_a_leader_that_was_killed_go_on_and_new_ones_get_another(
    runner: ProcessRunner, tmp_path: Path
) -> None:
    pid = pid_of_child(runner)
    if (leader := os.getsid(pid)) == os.getsid(0):
        pytest.skip("no session of their own is of use here")
    os.kill(leader, signal.SIGKILL)
    assert pid_of_child(runner) == pid
    with deaf_work(runner, stop_in(), tmp_path) as (child, _, end):
        child.kill()
        (error,) = end()
    assert "nobody knows how" in str(error)
    assert pid_of_child(runner) != pid
    assert os.getsid(pid_of_child(runner)) not in {leader, os.getsid(0)}


@posix
@pytest.mark.parametrize("session", ["is of no use", "cannot be had"])
def test_without_a_session_of_their_own_the_children_are_in_ours(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if session == "is of no use":
        monkeypatch.setattr(priority, "sessions_are_weighed", lambda: False)
    else:
        ends_at_once = [sys.executable, "-c", ""]
        monkeypatch.setattr(nursery, "python", lambda room: ends_at_once)
    with ProcessRunner(1) as runner:
        assert os.getsid(pid_of_child(runner)) == os.getsid(0)


def test_work_that_nobody_waits_for_is_not_begun(runner: ProcessRunner) -> None:
    stop, pages, pid = stop_in(), list[int](), pid_of_child(runner)
    stop.request()
    with pytest.raises(Stopped):
        runner.run(Pages(1), stop, pages.append)
    assert not pages
    assert pid_of_child(runner) == pid


def test_a_stop_after_the_end_kills_nobody(runner: ProcessRunner) -> None:
    stop = stop_in()
    before = runner.run(who, stop, ignore).text
    stop.request()
    assert pid_of_child(runner) == int(before)


def test_a_stop_that_is_late_does_not_kill_the_next_job(runner: ProcessRunner) -> None:
    """The loop may have taken the call just before the job ended, and make it just after."""
    late: list[Callable[[], None]] = []

    class Leaky(StopToken):
        def calling(self, call: Callable[[], None]):  # type: ignore[no-untyped-def]
            late.append(call)
            return super().calling(call)

    stop = Leaky(stop_in().deadline_ns)
    before = runner.run(who, stop, ignore).text
    after = runner.run(who, stop_in(), lambda page: late[0]()).text
    late[0]()
    assert before == after == str(pid_of_child(runner))


def test_what_a_library_prints_is_no_answer(runner: ProcessRunner) -> None:
    assert runner.run(chatter, stop_in(), ignore).text == "done"


def test_what_cannot_go_through_the_pipe_is_an_error_and_the_child_stays(
    runner: ProcessRunner,
) -> None:
    pid = pid_of_child(runner)
    with pytest.raises(AttributeError):
        runner.run(lambda stop, on_page: None, stop_in(), ignore)
    with pytest.raises(TypeError, match="lock"):
        runner.run(unpicklable_result, stop_in(), ignore)
    with pytest.raises(RuntimeError, match="FussyError: out of paper"):
        runner.run(raises_fussy, stop_in(), ignore)
    assert pid_of_child(runner) == pid


def test_a_page_that_the_pool_cannot_take_ends_the_child(runner: ProcessRunner) -> None:
    """Its other answers would be taken for those to the next job."""

    def refuse(page: int) -> None:
        raise ValueError("no more pages")

    with pytest.raises(ValueError, match="no more"):
        runner.run(Pages(3), stop_in(), refuse)
    assert runner.run(Pages(1), stop_in(), ignore).pages == 1


def test_a_preparation_that_fails_keeps_the_runner_from_starting() -> None:
    before = psutil.Process().children(recursive=True)
    with pytest.raises(OSError, match="no such engine"), ProcessRunner(2, cannot_prepare):
        pass
    with pytest.raises(ProcessDied), ProcessRunner(2, dies_in_preparation):
        pass
    assert psutil.Process().children(recursive=True) == before


@posix
def test_a_child_gives_way_and_is_out_of_reach_of_the_terminal(runner: ProcessRunner) -> None:
    pid = pid_of_child(runner)
    assert psutil.Process(pid).nice() == priority.LOWEST
    assert os.getpgid(pid) == pid
    if (session := os.getsid(pid)) != os.getsid(0):  # then its priority means nothing to us
        assert Path(f"/proc/{session}/autogroup").read_text().endswith(f" {priority.SESSION}\n")


def test_a_lab_runs_all_of_its_work_in_processes(tmp_path: Path) -> None:
    async def story() -> None:
        settings = Settings(
            engine="sleep", runner="process", time_scale=0, pdf_workers=1, output_dir=tmp_path
        )
        with Lab(settings) as lab:
            children = psutil.Process().children(recursive=True)
            async with client_of(lab) as client:
                for kind in ("message", "pdf2image"):
                    answer = await client.post("/put", json={"data": "x", "jobType": kind})
                    assert answer.status_code == 200
                    assert "simulated work" in answer.text
            assert len(children) in {2, 4}  # each with one who leads its session, where it has one
        assert gone(*children)

    asyncio.run(story())


@posix
def test_children_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    """The server is killed with -9 and can do nothing: they notice the end of their pipe."""
    program = (
        "import sys, pathlib\n"
        "sys.path[:0] = sys.argv[2:]\n"
        "from pieces import Deaf\n"
        "from test_runners import stop_in\n"
        "from labserver.runners.process import ProcessRunner\n"
        "with ProcessRunner(2) as runner:\n"
        "    work = Deaf(pathlib.Path(sys.argv[1]))\n"
        "    runner.run(work, stop_in(), lambda pid: print(pid, flush=True))\n"
    )
    here = Path(__file__).parent
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(here), str(here.parent)],
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        for _ in range(2):
            server.stdout.readline()
        family = psutil.Process(server.pid).children(recursive=True)
        assert len(family) in {3, 4}  # with one who leads their session, where they have one
        os.kill(server.pid, signal.SIGKILL)
    assert gone(*family)
