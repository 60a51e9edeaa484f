"""What every runner does: the work, its pages, its errors, its end; and nothing is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import psutil
import pytest
from pieces import Pages, Raises, Waits, who

from labserver.errors import InvalidJob, Stopped
from labserver.jobs.job import Result
from labserver.jobs.runner import Runner
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.runners.process import ProcessRunner
from labserver.runners.thread import ThreadRunner


def stop_in(seconds: float = 60.0) -> StopToken:
    return StopToken(time.monotonic_ns() + round(seconds * NS_PER_S))


def ignore(page: int) -> None:
    """Where pages go that nobody counts."""


@pytest.fixture(params=["thread", "process"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    before = psutil.Process().children(recursive=True)
    with ThreadRunner() if request.param == "thread" else ProcessRunner(2) as runner:
        yield runner
    assert psutil.Process().children(recursive=True) == before


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
