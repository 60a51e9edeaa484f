"""The pool under any order of events and each discipline: the ledger balances, no slot is lost,
no job ends twice, and each takes its turn.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, get_args

from conftest import PATIENCE_S, Gate, Rig
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from test_shed import Clock

from labserver.errors import WorkerLost
from labserver.jobs.crew import Dispatch
from labserver.jobs.job import Job
from labserver.jobs.line import Discipline
from labserver.jobs.outcome import Outcome
from labserver.runners.thread import ThreadRunner

MANY = 1_000_000
ENDS = {
    Outcome.COMPLETED: None,
    Outcome.FAILED: ValueError("on purpose"),
    Outcome.LOST: WorkerLost("on purpose"),
}
LONG_DAY = 12  # jobs: a pool that drains from the start has no story to tell


class PoolMachine(RuleBasedStateMachine):
    """Jobs come, end, fail, expire, are abandoned and lose their workers, who come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.jobs: list[tuple[Job, Gate]] = []
        self.sets: Counter[str] = Counter()
        self.begun: set[str] = set()

    @initialize(
        workers=st.integers(1, 3),
        queue_size=st.integers(0, 3),
        dispatch=st.sampled_from(get_args(Dispatch)),
        discipline=st.sampled_from(get_args(Discipline)),
        shed=st.booleans(),
    )
    def start(self, workers: int, queue_size: int, **policy: Any) -> None:
        self.capacity = workers * (1 + queue_size)
        self.staying = [f"testWorker{n + 1}" for n in range(workers)]
        self.clock = Clock()
        self.rig = Rig(workers=workers, queue_size=queue_size, clock=self.clock, **policy)
        self.lifo = policy["discipline"] == "lifo"
        self.shared = policy["dispatch"] == "shared"
        self.one_line = workers == 1 or self.shared
        self.may_shed = policy["shed"] or policy["discipline"] in ("deadline", "codel")
        self.rig.pool.start()

    @rule(deadline_s=st.sampled_from([0, 5, 60, 60, 60]))
    def submit(self, deadline_s: float) -> None:
        before = sum(self.rig.counts())

        async def make() -> Job:
            return self.rig.job(deadline_s)

        job = self.loop.run_until_complete(make())
        job.done.add_done_callback(lambda _: self.sets.update([job.id]))
        self.jobs.append((job, self.rig.gates[-1]))
        self.rig.pool.submit(job)
        refused = job.outcome in (Outcome.REJECTED, Outcome.DRAINED, Outcome.SHED, Outcome.LOST)
        assert refused or before < self.capacity
        if deadline_s == 0 and job.place == "running":
            self.wait(job)  # it is stopped before its work begins
            assert job.outcome is Outcome.KILLED
        self.settle()

    @precondition(lambda self: self.at_work())
    @rule(end=st.sampled_from([*ENDS]), data=st.data())
    def finish(self, end: Outcome, data: st.DataObject) -> None:
        job, gate = data.draw(st.sampled_from(self.at_work()))
        gate.error = ENDS[end]
        settled_before = job.outcome
        gate.opened.set()
        self.wait(job)
        natural = Outcome.KILLED if job.stop.requested else end
        assert job.outcome is (settled_before or natural)
        self.settle()
        self.in_order(job.worker)

    @rule(seconds=st.floats(0.1, 40))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.jobs)
    @rule(gone=st.booleans(), data=st.data())
    def withdraw(self, gone: bool, data: st.DataObject) -> None:
        job, _ = data.draw(st.sampled_from(self.jobs))
        before, place = job.outcome, job.place
        late = Outcome.EXPIRED if place == "waiting" else Outcome.KILLED
        self.rig.pool.withdraw(job, *[Outcome.ABANDONED] * 2) if gone else self.rig.pool.withdraw(
            job, Outcome.EXPIRED, Outcome.KILLED
        )
        assert job.outcome is (before or (Outcome.ABANDONED if gone else late))

    @rule()
    def hire(self) -> None:
        self.staying.append(f"hired{len(self.jobs)}-{len(self.staying)}")
        self.rig.pool.hire(self.staying[-1], ThreadRunner())
        self.crew_has_changed()

    @precondition(lambda self: self.staying)
    @rule(data=st.data())
    def dismiss(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(self.staying), min_size=1, unique=True))
        self.staying = [name for name in self.staying if name not in gone]
        self.rig.pool.dismiss(gone)
        self.crew_has_changed()

    def crew_has_changed(self) -> None:
        """Those let in before are not bound by what there is now, and may have changed lines."""
        self.capacity = MANY
        self.one_line = self.shared
        self.settle()

    @precondition(lambda self: len(self.jobs) > LONG_DAY)
    @rule()
    def drain(self) -> None:
        self.rig.pool.drain()

    def in_order(self, worker: str) -> None:
        """Whom the worker has taken came before all who still wait, or with lifo after them."""
        taken = [
            n for n, (job, _) in enumerate(self.jobs) if not job.ended_ns and job.worker == worker
        ]
        waiting = [
            n for n, (job, _) in enumerate(self.jobs) if job.place == "waiting" and not job.outcome
        ]
        if taken and waiting and self.one_line:
            assert taken[0] > max(waiting) if self.lifo else taken[0] < min(waiting)

    def at_work(self) -> list[tuple[Job, Gate]]:
        """Jobs that hold a worker, those whose request has ended included."""
        return [
            (job, gate) for job, gate in self.jobs if job.place == "running" and not job.ended_ns
        ]

    def settle(self) -> None:
        """Wait until each worker that was given a job has begun it: what comes next is certain."""
        for job, gate in self.at_work():
            if job.id not in self.begun:
                gate.wait_begun()
                self.begun.add(job.id)

    @invariant()
    def balanced(self) -> None:
        if not hasattr(self, "rig"):
            return
        snapshot = self.rig.ledger.snapshot()
        assert snapshot.balances
        assert snapshot.received == len(self.jobs)
        outcomes = Counter(job.outcome.value for job, _ in self.jobs if job.outcome is not None)
        assert {k: v for k, v in snapshot.outcomes.items() if v} == outcomes
        assert max(self.sets.values(), default=0) <= 1
        assert self.may_shed or not outcomes["shed"]

    def wait(self, job: Job) -> None:
        """Run the loop until the job has been reported."""

        async def reported() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(job.done)

        self.loop.run_until_complete(reported())

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            for _, gate in self.jobs:
                gate.opened.set()
            self.rig.pool.close()
            assert self.rig.counts() == (0, 0), "a slot is lost"
            snapshot = self.rig.ledger.snapshot()
            assert (snapshot.waiting, snapshot.running) == (0, 0)
        self.loop.close()


PoolMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_any_order_of_events = PoolMachine.TestCase
