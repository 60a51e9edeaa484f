"""The pool: who gets in, who gets the job, and what becomes of those that end early."""

from __future__ import annotations

import asyncio
import time

import pytest
from conftest import Gate, Rig, running

from labserver.errors import WorkerLost
from labserver.jobs.crew import Dispatch
from labserver.jobs.job import OnPage, Result
from labserver.jobs.outcome import Outcome
from labserver.jobs.stop import StopToken
from labserver.runners.thread import ThreadRunner


@pytest.mark.parametrize("dispatch", ["least-busy", "shared"])
@pytest.mark.parametrize(("workers", "queue_size"), [(1, 0), (1, 3), (2, 0), (3, 2)])
def test_exactly_workers_plus_queues_get_in(
    workers: int, queue_size: int, dispatch: Dispatch
) -> None:
    async def story() -> None:
        rig = Rig(workers=workers, queue_size=queue_size, dispatch=dispatch)
        async with running(rig):
            capacity = workers + workers * queue_size
            admitted = [rig.submit() for _ in range(capacity)]
            refused = rig.submit()
            assert [job.outcome for job in admitted] == [None] * capacity
            assert refused.outcome is Outcome.REJECTED
            assert rig.counts() == (workers * queue_size, workers)

    asyncio.run(story())


def test_least_busy_gives_each_of_eight_jobs_a_worker_of_its_own() -> None:
    async def story() -> None:
        async with running(Rig(workers=8, queue_size=2)) as rig:
            jobs = [rig.submit() for _ in range(8)]
            assert {gate.wait_begun() for gate in rig.gates} == {job.worker for job in jobs}
            assert len({job.worker for job in jobs}) == 8

    asyncio.run(story())


def test_least_busy_counts_the_running_job_too() -> None:
    async def story() -> None:
        async with running(Rig(workers=2, queue_size=2)) as rig:
            first, second = rig.submit(), rig.submit()
            third = rig.submit()  # both are busy: it waits for the first worker
            rig.gates[1].opened.set()
            await second.done
            fourth = rig.submit()  # the second worker is free now
            assert (first.worker, second.worker) == ("testWorker1", "testWorker2")
            assert third.place == "waiting"
            assert fourth.worker == "testWorker2"

    asyncio.run(story())


def test_with_queues_of_their_own_a_job_waits_although_another_worker_is_free() -> None:
    async def story(dispatch: Dispatch) -> str:
        async with running(Rig(workers=2, queue_size=2, dispatch=dispatch)) as rig:
            rig.submit()
            second = rig.submit()
            third = rig.submit()
            rig.gates[1].opened.set()
            await second.done
            return third.place

    assert asyncio.run(story("least-busy")) == "waiting"
    assert asyncio.run(story("shared")) == "running"


def test_jobs_are_taken_in_the_order_they_came() -> None:
    async def story() -> None:
        async with running(Rig(workers=1, queue_size=5)) as rig:
            jobs = [rig.submit() for _ in range(5)]
            for gate in rig.gates:
                gate.opened.set()
            await asyncio.gather(*(job.done for job in jobs))
            starts = [job_id for event, job_id, *_ in rig.events if event == "start"]
            assert starts == [job.id for job in jobs]

    asyncio.run(story())


def test_the_report_wakes_a_loop_that_sleeps() -> None:
    """The loop has nothing else to do for 30 s; a result set from the thread would wait so long."""

    async def story() -> float:
        async with running(Rig()) as rig:
            asyncio.get_running_loop().call_later(60, lambda: None)
            job = rig.submit()
            rig.gates[0].wait_begun()
            asyncio.get_running_loop().call_soon(rig.gates[0].opened.set)
            async with asyncio.timeout(30):
                await job.done
            return (time.monotonic_ns() - job.ended_ns) / 1e9

    assert asyncio.run(story()) < 5


def test_a_job_that_raises_is_failed_and_its_worker_goes_on() -> None:
    async def story() -> None:
        async with running(Rig(queue_size=1)) as rig:
            bad, good = rig.submit(), rig.submit()
            rig.gates[0].error = ValueError("no such page")
            for gate in rig.gates:
                gate.opened.set()
            await asyncio.gather(bad.done, good.done)
            assert bad.outcome is Outcome.FAILED
            assert isinstance(bad.error, ValueError)
            assert good.outcome is Outcome.COMPLETED

    asyncio.run(story())


def test_a_waiting_job_that_is_withdrawn_makes_room_at_once_and_never_runs() -> None:
    async def story() -> None:
        async with running(Rig(queue_size=1)) as rig:
            running_job, waiting = rig.submit(), rig.submit()
            rig.pool.withdraw(waiting, Outcome.EXPIRED, Outcome.KILLED)
            assert waiting.outcome is Outcome.EXPIRED
            assert rig.counts() == (0, 1)
            assert rig.submit().outcome is None  # its place is free
            for gate in rig.gates:
                gate.opened.set()
            await running_job.done
            assert rig.gates[1].begun.empty()

    asyncio.run(story())


def test_a_job_past_its_deadline_is_skipped_at_dequeue() -> None:
    async def story() -> None:
        async with running(Rig(queue_size=2)) as rig:
            first = rig.submit()
            late, in_time = rig.submit(deadline_s=0), rig.submit()
            for gate in rig.gates:
                gate.opened.set()
            await asyncio.gather(first.done, late.done, in_time.done)
            assert late.outcome is Outcome.EXPIRED
            assert rig.gates[1].begun.empty()
            assert in_time.outcome is Outcome.COMPLETED

    asyncio.run(story())


def test_a_killed_job_holds_its_worker_until_its_work_has_ended_and_the_rest_is_waste() -> None:
    async def story() -> None:
        async with running(Rig(queue_size=1)) as rig:
            killed = rig.submit()
            rig.gates[0].wait_begun()
            rig.pool.withdraw(killed, Outcome.EXPIRED, Outcome.KILLED)
            waiting = rig.submit()
            assert killed.outcome is Outcome.KILLED
            assert rig.counts() == (1, 1)
            assert waiting.place == "waiting"
            rig.gates[0].opened.set()
            rig.gates[1].wait_begun()
            assert killed.outcome is Outcome.KILLED  # not completed a second time
            snapshot = rig.ledger.snapshot()
            assert snapshot.wasted_s == pytest.approx((killed.ended_ns - killed.settled_ns) / 1e9)
            assert snapshot.wasted_s > 0

    asyncio.run(story())


def test_work_that_ends_first_keeps_its_outcome() -> None:
    async def story() -> None:
        async with running(Rig()) as rig:
            job = rig.submit()
            rig.gates[0].opened.set()
            await job.done
            rig.pool.withdraw(job, Outcome.EXPIRED, Outcome.KILLED)
            assert job.outcome is Outcome.COMPLETED
            assert rig.ledger.snapshot().outcomes["killed"] == 0

    asyncio.run(story())


def test_a_pool_that_drains_lets_the_running_finish_and_takes_no_more() -> None:
    async def story() -> None:
        async with running(Rig(queue_size=1)) as rig:
            running_job, waiting = rig.submit(), rig.submit()
            rig.pool.drain()
            await waiting.done
            late = rig.submit()
            rig.gates[0].opened.set()
            await running_job.done
            assert running_job.outcome is Outcome.COMPLETED
            assert waiting.outcome is Outcome.DRAINED
            assert late.outcome is Outcome.DRAINED

    asyncio.run(story())


def test_close_ends_the_threads() -> None:
    async def story() -> Rig:
        async with running(Rig(workers=3)) as rig:
            rig.submit()
        return rig

    rig = asyncio.run(story())
    assert not any(thread.is_alive() for thread in rig.pool._threads)


def test_the_trace_tells_a_job_in_order_with_the_pools_counts() -> None:
    async def story() -> None:
        async with running(Rig(queue_size=1)) as rig:
            first, second = rig.submit(), rig.submit()
            refused = rig.submit()
            for gate in rig.gates:
                gate.opened.set()
            await asyncio.gather(first.done, second.done)
            told = {job.id: number for number, job in enumerate((first, second, refused))}
            assert [
                (event, told[job], waiting, busy)
                for event, job, waiting, busy in rig.events
                if event != "start"
            ] == [
                ("submit", 0, 0, 1),
                ("submit", 1, 1, 1),
                ("reject", 2, 1, 1),
                ("end", 0, 0, 1),
                ("end", 1, 0, 0),
            ]

    asyncio.run(story())


@pytest.mark.parametrize("dispatch", ["least-busy", "shared"])
def test_who_is_hired_takes_the_job_that_has_waited_longest(dispatch: Dispatch) -> None:
    async def story() -> None:
        async with running(Rig(workers=1, queue_size=2, dispatch=dispatch)) as rig:
            _, second, third = (rig.submit() for _ in range(3))
            rig.pool.hire("newcomer", ThreadRunner())
            assert (second.worker, third.place) == ("newcomer", "waiting")
            assert rig.counts() == (1, 2)

    asyncio.run(story())


@pytest.mark.parametrize("dispatch", ["least-busy", "shared"])
def test_those_who_stay_take_over_the_line_of_who_is_dismissed(dispatch: Dispatch) -> None:
    async def story() -> None:
        async with running(Rig(workers=2, queue_size=1, dispatch=dispatch)) as rig:
            first, second, *waiting = (rig.submit() for _ in range(4))
            rig.pool.dismiss([first.worker])
            assert rig.counts() == (2, 2)  # it keeps the job that it has, to its end
            assert rig.submit().outcome is Outcome.REJECTED
            rig.gates[0].opened.set()
            await first.done
            assert first.outcome is Outcome.COMPLETED
            assert rig.counts() == (2, 1)
            for job, gate in zip(waiting, rig.gates[2:4], strict=True):
                gate.opened.set()
                rig.gates[1].opened.set()
                await job.done
                assert job.worker == second.worker

    asyncio.run(story())


def test_without_workers_those_who_wait_and_those_who_come_are_lost() -> None:
    async def story() -> None:
        async with running(Rig(workers=1, queue_size=1)) as rig:
            first, second = rig.submit(), rig.submit()
            rig.pool.dismiss([first.worker])
            await second.done
            assert second.outcome is rig.submit().outcome is Outcome.LOST

    asyncio.run(story())


class LosesItsWorker(Gate):
    """Work that does not survive its first worker."""

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        if self.error is None:
            super().__call__(stop, on_page)
            self.error = WorkerLost("unplugged")
            raise self.error
        return Result("done at last")


def test_a_job_that_lost_its_worker_is_done_again_before_those_that_came_later() -> None:
    async def story() -> None:
        async with running(Rig(workers=1, queue_size=2, retries=1)) as rig:
            first = rig.job(gate=LosesItsWorker())
            rig.pool.submit(first)
            second = rig.submit()
            rig.pool.hire("other", ThreadRunner())  # it has the second job now
            third = rig.submit()
            rig.pool.dismiss(["testWorker1"])
            rig.gates[0].opened.set()
            while rig.counts() != (2, 1):  # noqa: ASYNC110 - it waits again, its worker has left
                await asyncio.sleep(0)
            rig.gates[1].opened.set()
            await first.done
            assert (first.outcome, first.worker, first.tries) == (Outcome.COMPLETED, "other", 2)
            assert (second.tries, third.outcome) == (1, None)
            assert [e for e, job_id, *_ in rig.events if job_id == first.id] == [
                "submit", "start", "retry", "start", "end",
            ]  # fmt: skip

    asyncio.run(story())


def test_a_job_is_not_done_again_more_often_than_allowed() -> None:
    async def story() -> None:
        async with running(Rig(workers=1, retries=2)) as rig:
            job = rig.submit()
            rig.gates[0].error = WorkerLost("unplugged")
            rig.gates[0].opened.set()
            await job.done
            assert (job.outcome, job.tries) == (Outcome.LOST, 3)

    asyncio.run(story())
