"""What every runner does: the work, its pages, its errors, its end; and nothing is left behind."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Self

import psutil
import pytest
from dask_cluster import cluster
from pieces import Pages, Raises, Waits, who

from labserver.errors import InvalidJob, Stopped
from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.runner import Runner
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.runners.dask.cluster import Cluster
from labserver.runners.inline import InlineRunner
from labserver.runners.process import ProcessRunner, nothing
from labserver.runners.thread import ThreadRunner
from labserver.settings import Settings


def stop_in(seconds: float = 60.0) -> StopToken:
    return StopToken(time.monotonic_ns() + round(seconds * NS_PER_S))


def ignore(page: int) -> None:
    """Where pages go that nobody counts."""


@pytest.fixture(scope="module")
def external() -> Iterator[str]:
    with cluster(workers=2, threads=1) as (address, _):
        yield address


@contextmanager
def inline() -> Iterator[InlineRunner]:
    """On a loop that serves nobody else, in a thread of its own."""
    runner, loop = InlineRunner(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        runner.loop = loop
        yield runner
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(params=["inline", "thread", "process", "dask", "dask external"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    address = request.getfixturevalue("external") if request.param == "dask external" else None
    before = set(psutil.Process().children(recursive=True))
    with _runner(request.param, address) as entered:
        yield entered
    assert set(psutil.Process().children(recursive=True)) == before


def _runner(name: str, address: str | None) -> AbstractContextManager[Runner]:
    match name:
        case "inline":
            return inline()
        case "thread":
            return ThreadRunner()
        case "process":
            return ProcessRunner(2)
    return Seats(Settings(runner="dask", dask_scheduler=address, pdf_workers=2))


class Seats(ThreadRunner):
    """Both threads of a Dask cluster as one runner: who comes takes one that is free."""

    name = "pdf"

    def __init__(self, settings: Settings) -> None:
        self.cluster = Cluster(settings, nothing, self)  # type: ignore[arg-type]
        self.free: queue.SimpleQueue[Runner] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self.cluster.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.cluster.__exit__(None, None, None)

    def hire(self, name: str, seat: Runner) -> None:
        self.free.put(seat)

    def run(self, task: Task, stop: StopToken, on_page: OnPage) -> Result:
        seat = self.free.get(timeout=10)
        try:
            return seat.run(task, stop, on_page)
        finally:
            self.free.put(seat)


def in_a_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[Exception]]:
    """Begin `work` beside the test; what it raises is put into the list."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, raised


def test_work_gives_its_pages_in_order_and_then_its_result(runner: Runner) -> None:
    pages: list[int] = []
    assert runner.run(Pages(5), stop_in(), pages.append) == Result("5 pages", 5)
    assert pages == [1, 2, 3, 4, 5]


def test_an_error_arrives_with_its_class_its_text_and_its_place(runner: Runner) -> None:
    with pytest.raises(InvalidJob, match="no pages") as caught:
        runner.run(Raises(InvalidJob("no pages")), stop_in(), ignore)
    places = [str(entry.path) for entry in caught.traceback]
    assert "pieces.py" in "".join(places + getattr(caught.value, "__notes__", []))


def test_an_error_of_the_system_is_the_works_own(runner: Runner) -> None:
    with pytest.raises(OSError, match="disk full"):
        runner.run(Raises(OSError("disk full")), stop_in(), ignore)
    with pytest.raises(EOFError, match="cut off"):
        runner.run(Raises(EOFError("cut off")), stop_in(), ignore)


def test_work_ends_at_its_deadline_without_being_asked(runner: Runner) -> None:
    with pytest.raises(Stopped):
        runner.run(Waits(), stop_in(0.1), ignore)


def test_work_ends_in_the_middle_when_it_is_asked(runner: Runner) -> None:
    stop, begun = stop_in(), threading.Event()
    thread, raised = in_a_thread(lambda: runner.run(Waits(), stop, lambda page: begun.set()))
    assert begun.wait(10)
    stop.request()
    thread.join(10)
    assert [type(error) for error in raised] == [Stopped]
    assert runner.run(Pages(1), stop_in(), ignore).pages == 1


def test_a_hundred_jobs_in_a_row_are_done_by_the_same_processes(runner: Runner) -> None:
    done_by = {runner.run(who, stop_in(), ignore).text for _ in range(100)}
    assert 1 <= len(done_by) <= 2


def test_jobs_run_beside_each_other(runner: Runner) -> None:
    if isinstance(runner, InlineRunner):
        pytest.skip("a loop does one after the other, as the next test shows")
    both = threading.Barrier(3)
    stops = [stop_in(), stop_in()]

    def run(stop: StopToken) -> Result:
        return runner.run(Waits(), stop, lambda page: both.wait(10) and None)

    ran = [in_a_thread(partial(run, stop)) for stop in stops]
    both.wait(10)
    for stop, (thread, raised) in zip(stops, ran, strict=True):
        stop.request()
        thread.join(10)
        assert [type(error) for error in raised] == [Stopped]


def test_inline_nothing_else_happens_on_the_loop_until_a_job_ends() -> None:
    stop, begun, turn = stop_in(), threading.Event(), threading.Event()
    with inline() as runner:
        work = partial(runner.run, Waits(), stop, lambda page: begun.set())
        thread, raised = in_a_thread(work)
        assert begun.wait(10)
        assert runner.loop is not None
        runner.loop.call_soon_threadsafe(turn.set)
        assert not turn.wait(0.1)
        stop.request()
        thread.join(10)
        assert turn.wait(10)
    assert [type(error) for error in raised] == [Stopped]
