"""The disciplines of the pool: who is next, who is passed over, and that the simulator agrees."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from conftest import PATIENCE_S, Rig, running
from hypothesis import given, settings
from hypothesis import strategies as st
from test_shed import Clock, learn

from labserver.jobs.job import Job
from labserver.jobs.line import Discipline
from labserver.jobs.outcome import Outcome
from labserver.jobs.stop import NS_PER_S
from labserver.theory.arrivals import Poisson
from labserver.theory.discipline import FIFO, CoDel, DeadlineSkip, Lifo
from labserver.theory.distributions import Fixed
from labserver.theory.simulation import Outcome as Code
from labserver.theory.simulation import Simulation
from labserver.theory.simulator import simulate

SERVICE_S = 1.0


@pytest.mark.parametrize(("discipline", "order"), [("fifo", [1, 2, 3]), ("lifo", [3, 2, 1])])
def test_who_is_next(discipline: Discipline, order: list[int]) -> None:
    async def story() -> None:
        async with running(Rig(queue_size=3, discipline=discipline)) as rig:
            jobs = [rig.submit() for _ in range(4)]
            for number in [0, *order]:
                rig.gates[number].wait_begun()
                rig.gates[number].opened.set()
                await jobs[number].done
            assert [job.outcome for job in jobs] == [Outcome.COMPLETED] * 4

    asyncio.run(story())


def test_deadline_passes_over_what_cannot_be_done_in_time() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(queue_size=5, discipline="deadline", clock=clock)) as rig:
            await learn(rig, clock, 1.0)
            first = rig.submit()
            rig.gates[1].wait_begun()
            late, in_time = rig.submit(deadline_s=1.9), rig.submit(deadline_s=2.1)
            clock.advance(1.0)
            rig.gates[1].opened.set()
            await asyncio.gather(first.done, late.done)
            assert (late.outcome, in_time.place) == (Outcome.SHED, "running")
            assert rig.gates[2].begun.empty()

    asyncio.run(story())


def test_codel_is_patient_while_the_line_drains_and_short_once_it_stands() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(queue_size=9, discipline="codel", clock=clock)) as rig:
            rig.submit()
            rig.gates[0].wait_begun()
            waits = [rig.submit(deadline_s=8) for _ in range(2)]
            clock.advance(2)
            waits.append(rig.submit(deadline_s=8))
            clock.advance(1.9)  # the line has stood for 3.9 s, not yet for half of 8 s
            rig.gates[0].opened.set()
            rig.gates[1].wait_begun()
            clock.advance(0.2)  # now it has, and a wait of 2.1 s is more than a quarter
            fresh = rig.submit(deadline_s=8)
            rig.gates[1].opened.set()
            await asyncio.gather(*(job.done for job in waits))
            shed = [Outcome.SHED, Outcome.SHED]
            assert [job.outcome for job in waits] == [Outcome.COMPLETED, *shed]
            assert fresh.place == "running"

    asyncio.run(story())


def test_shed_reckons_with_the_order() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(queue_size=5, discipline="lifo", shed=True, clock=clock)) as rig:
            await learn(rig, clock, 1.0)
            for _ in range(4):
                assert rig.submit().outcome is None
            # Three wait, but the last to come is the next: an answer in 2 s.
            assert rig.submit(deadline_s=2.1).outcome is None
            assert rig.submit(deadline_s=1.9).outcome is Outcome.SHED

    asyncio.run(story())


WORKERS, PLACES, DEADLINE_S = 2, 8, 4.5 * SERVICE_S
RULES = {
    "fifo": FIFO,
    "lifo": Lifo(),
    "deadline": DeadlineSkip(SERVICE_S),
    "codel": CoDel(DEADLINE_S / 4, DEADLINE_S / 2),
}


class Replay:
    """A pool that meets a simulation's jobs at their times, on a clock that jumps to each event."""

    def __init__(self, discipline: Discipline) -> None:
        self.clock = Clock()
        self.origin_ns = self.clock.now_ns
        places = PLACES // WORKERS
        self.rig = Rig(
            workers=WORKERS, queue_size=places, dispatch="shared", discipline=discipline,
            clock=self.clock,
        )  # fmt: skip
        self.jobs: list[Job] = []
        self.begun: set[str] = set()

    async def play(self, run: Simulation) -> list[Job]:
        """Let everything happen, in the order of its time; returns the jobs."""
        coming = [self.origin_ns + round(at_s * NS_PER_S) for at_s in run.arrival_s]
        async with running(self.rig):
            while coming or any(job.outcome is None for job in self.jobs):
                due = [(self.due_ns(job), n) for n, job in enumerate(self.jobs) if not job.outcome]
                if coming and (not due or coming[0] < min(due)[0]):
                    self.clock.now_ns = coming.pop(0)
                    self.jobs.append(self.rig.submit(DEADLINE_S))
                else:
                    self.clock.now_ns, number = min(due)
                    await self.end(number)
                self.all_begun()
        return self.jobs

    def due_ns(self, job: Job) -> int:
        """When something happens to it by itself: its work is done, or its deadline passes."""
        done_ns = job.started_ns + round(SERVICE_S * NS_PER_S)
        return min(done_ns, job.stop.deadline_ns) if job.started_ns else job.stop.deadline_ns

    async def end(self, number: int) -> None:
        job = self.jobs[number]
        if self.clock() == job.stop.deadline_ns:
            self.rig.pool.withdraw(job, Outcome.EXPIRED, Outcome.KILLED)
        if job.started_ns:
            self.rig.gates[number].opened.set()
            async with asyncio.timeout(PATIENCE_S):
                await job.done

    def all_begun(self) -> None:
        """Wait until each job that was given a worker has begun, so that it has its time."""
        for job, gate in zip(self.jobs, self.rig.gates, strict=True):
            if job.place == "running" and job.id not in self.begun:
                gate.wait_begun()
                self.begun.add(job.id)


@settings(max_examples=40)
@given(
    discipline=st.sampled_from(list(RULES)),
    of_capacity=st.sampled_from([0.9, 1.5, 3.0]),
    seed=st.integers(0, 10_000),
)
def test_the_simulator_and_the_pool_decide_the_same(
    discipline: Discipline, of_capacity: float, seed: int
) -> None:
    rate_per_s = of_capacity * WORKERS / SERVICE_S
    run = simulate(
        Poisson(rate_per_s, jobs=40), Fixed(SERVICE_S), servers=WORKERS, queue_size=PLACES,
        deadline_s=DEADLINE_S, discipline=RULES[discipline], seed=seed,
    )  # fmt: skip
    jobs = asyncio.run(Replay(discipline).play(run))
    assert [job.outcome for job in jobs] == [code.name.lower() for code in map(Code, run.outcome)]
    origin_ns = jobs[0].submitted_ns - round(run.arrival_s[0] * NS_PER_S)
    begun_s = [(job.started_ns - origin_ns) / NS_PER_S for job in jobs if job.started_ns]
    assert begun_s == pytest.approx(run.start_s[np.isfinite(run.start_s)], abs=1e-6)
