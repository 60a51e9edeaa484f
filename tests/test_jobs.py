"""The small parts of a job's way: its stop token, its line, its report, the trace."""

from __future__ import annotations

import asyncio
import csv
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from labserver.errors import Stopped
from labserver.jobs.ids import AT_ONCE, new_id
from labserver.jobs.job import Job, Result
from labserver.jobs.ledger import Ledger
from labserver.jobs.line import Line
from labserver.jobs.outcome import Outcome
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.jobs.trace import COLUMNS, Trace


def job_of(loop: asyncio.AbstractEventLoop, name: str = "a") -> Job:
    stop = StopToken(deadline_ns=10**18)
    return Job("test", lambda stop, on_page: Result(""), stop, loop.create_future(), name)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_a_token_stops_at_its_deadline_on_its_own_clock() -> None:
    now = [0]
    stop = StopToken(deadline_ns=5 * NS_PER_S, clock=lambda: now[0])
    stop.check()
    assert stop.remaining_s() == 5
    now[0] = 5 * NS_PER_S
    assert stop.requested
    assert stop.remaining_s() == 0
    with pytest.raises(Stopped):
        stop.check()


def test_a_request_wakes_a_sleeping_worker() -> None:
    stop = StopToken(deadline_ns=10**18)
    ended = threading.Event()

    def work() -> None:
        with pytest.raises(Stopped):
            stop.sleep(1e6)
        ended.set()

    threading.Thread(target=work, daemon=True).start()
    stop.request()
    assert ended.wait(10)


def test_a_request_calls_once_and_only_inside_the_block() -> None:
    calls: list[str] = []
    stop = StopToken(deadline_ns=10**18)
    with stop.calling(lambda: calls.append("inside")):
        stop.request()
        stop.request()
    assert calls == ["inside"]
    with pytest.raises(Stopped), stop.calling(lambda: calls.append("too late")):
        pass
    assert calls == ["inside"]


def test_a_line_is_first_in_first_out_and_can_be_left_in_the_middle(
    loop: asyncio.AbstractEventLoop,
) -> None:
    line = Line(3)
    jobs = [job_of(loop, name) for name in "abc"]
    for job in jobs:
        assert not line.full
        line.add(job)
    assert line.full
    assert line.discard(jobs[1])
    assert not line.discard(jobs[1])
    assert [line.take(), line.take(), line.take()] == [jobs[0], jobs[2], None]


def test_a_report_after_the_loop_has_closed_is_nobodys_loss() -> None:
    loop = asyncio.new_event_loop()
    job = job_of(loop)
    loop.close()
    job.report()


def test_a_second_report_changes_nothing(loop: asyncio.AbstractEventLoop) -> None:
    job = job_of(loop)
    job.report()
    job.report()
    loop.run_until_complete(asyncio.wait_for(job.done, 10))


def test_a_job_has_one_outcome(loop: asyncio.AbstractEventLoop) -> None:
    ledger, job = Ledger(), job_of(loop)
    with ledger.lock:
        ledger.receive(job)
        ledger.settle(job, Outcome.COMPLETED, 1)
        with pytest.raises(RuntimeError, match="cannot become killed"):
            ledger.settle(job, Outcome.KILLED, 2)
    assert ledger.snapshot().balances


def test_the_ledger_sees_its_own_mistakes(loop: asyncio.AbstractEventLoop) -> None:
    """The balance can fail: a job that is placed without having been received breaks it."""
    ledger = Ledger()
    with ledger.lock:
        ledger.place(job_of(loop), "running")
    assert not ledger.snapshot().balances


def test_the_trace_writes_what_was_recorded_in_order(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    with Trace(path) as trace:
        for n in range(1000):
            trace.record(n, "page", pool="pdf", job_id="a", page=n)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["page"]) for row in rows] == list(range(1000))


def test_a_trace_without_a_file_has_no_thread() -> None:
    before = threading.active_count()
    with Trace() as trace:
        trace.record(0, "page")
        assert threading.active_count() == before


def test_ids_are_random_uuids_and_none_comes_twice() -> None:
    ids = [new_id() for _ in range(3 * AT_ONCE)]
    assert len(set(ids)) == len(ids)
    for each in ids:
        number = uuid.UUID(each)
        assert (str(number), number.version, number.variant) == (each, 4, uuid.RFC_4122)
