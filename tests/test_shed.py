"""Shedding: a job that could only be answered too late is refused or dropped, never begun."""

from __future__ import annotations

import asyncio

from conftest import Rig, running
from hypothesis import given
from hypothesis import strategies as st

from labserver.jobs.forecast import Forecast
from labserver.jobs.outcome import Outcome
from labserver.jobs.stop import NS_PER_S


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_ns = NS_PER_S

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)


async def learn(rig: Rig, clock: Clock, seconds: float) -> None:
    """Let the pool see one job that takes `seconds`."""
    job = rig.submit()
    rig.gates[-1].wait_begun()
    clock.advance(seconds)
    rig.gates[-1].opened.set()
    await job.done


def test_what_would_be_late_is_refused_and_what_would_not_waits() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(queue_size=5, shed=True, clock=clock)) as rig:
            await learn(rig, clock, 1.0)
            rig.submit(deadline_s=60)
            rig.gates[-1].wait_begun()
            # One second until the worker is free and one of work: an answer in 2 s.
            assert rig.submit(deadline_s=1.9).outcome is Outcome.SHED
            assert rig.submit(deadline_s=2.1).outcome is None
            # The running job has half a second left now, and one more waits.
            clock.advance(0.5)
            assert rig.submit(deadline_s=2.4).outcome is Outcome.SHED
            assert rig.submit(deadline_s=2.6).outcome is None

    asyncio.run(story())


def test_what_has_become_too_late_is_dropped_at_its_turn() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(queue_size=5, shed=True, clock=clock)) as rig:
            await learn(rig, clock, 1.0)
            slow = rig.submit()
            rig.gates[-1].wait_begun()
            late, in_time = rig.submit(deadline_s=3), rig.submit(deadline_s=60)
            clock.advance(2.5)  # the running job takes longer than was forecast
            rig.gates[1].opened.set()
            await asyncio.gather(slow.done, late.done)
            assert late.outcome is Outcome.SHED
            assert in_time.place == "running"
            assert rig.gates[2].begun.empty()
            assert rig.ledger.snapshot().balances

    asyncio.run(story())


def test_a_free_worker_takes_a_job_whatever_the_forecast() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(shed=True, clock=clock)) as rig:
            await learn(rig, clock, 50.0)
            assert rig.submit(deadline_s=1).outcome is None

    asyncio.run(story())


def test_without_shed_nothing_is_shed() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(shed=False, clock=clock)) as rig:
            await learn(rig, clock, 50.0)
            rig.submit()
            assert rig.submit(deadline_s=1).outcome is None

    asyncio.run(story())


def test_a_stopped_job_teaches_nothing() -> None:
    async def story() -> None:
        clock = Clock()
        async with running(Rig(shed=True, clock=clock)) as rig:
            await learn(rig, clock, 1.0)
            killed = rig.submit(deadline_s=9)
            rig.gates[-1].wait_begun()
            rig.pool.withdraw(killed, Outcome.EXPIRED, Outcome.KILLED)
            clock.advance(100)
            rig.gates[-1].opened.set()
            await killed.done
            rig.submit()
            assert rig.submit(deadline_s=3).outcome is None

    asyncio.run(story())


@given(st.lists(st.integers(1, 10**12), min_size=1))
def test_the_forecast_stays_among_what_it_has_seen(seen_ns: list[int]) -> None:
    forecast = Forecast()
    for service_ns in seen_ns:
        forecast.observe(service_ns)
    assert min(seen_ns) - 1 <= forecast.service_ns <= max(seen_ns) + 1
