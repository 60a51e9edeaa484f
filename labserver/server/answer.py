"""From a job to its answer: submit it, wait for it under its deadline, say what became of it."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from fastapi import Request
from starlette.datastructures import State
from starlette.types import Receive

from labserver.errors import JOB_ERRORS
from labserver.jobs.job import Job, Task
from labserver.jobs.outcome import Outcome
from labserver.jobs.pool import Pool
from labserver.jobs.stop import StopToken
from labserver.server.drainrate import DrainRate
from labserver.server.vigil import Vigil

log = logging.getLogger(__name__)

MS_PER_S = 1000
LOST_RETRY_S = 5.0  # a worker that was killed is back by then, if somebody starts it again


def new_job(kind: str, job_id: str, task: Task, deadline_ns: int) -> Job:
    """A job of this loop, to be done by `deadline_ns` on the monotonic clock."""
    done = asyncio.get_running_loop().create_future()
    return Job(kind, task, StopToken(deadline_ns), done, job_id)


async def answer(request: Request, pool: Pool, job: Job) -> Job:
    """Run `job` on `pool`; returns it when it has completed. The trace learns when that is sent.

    Raises the JobError of its outcome when it has ended in another way: refused, failed, past its
    deadline, or without a client.
    """
    state = request.app.state
    request.state.when_sent = partial(pool.replied, job)
    try:
        pool.submit(job)
        if job.outcome is None:
            await _wait(request.receive, state.vigil, pool, job)
    finally:
        if job.outcome is None:  # cancelled: no job stays behind without an owner
            pool.withdraw(job, Outcome.ABANDONED, Outcome.ABANDONED)
    assert job.outcome is not None
    state.metrics.job_ended(job)
    if job.started_ns:
        state.drain_rates[pool.name].job_ended(job.process_ms / MS_PER_S)
    _log(request.scope["path"][1:], job)
    if job.outcome is not Outcome.COMPLETED:
        raise JOB_ERRORS[job.outcome](
            job_id=job.id,
            queue_ms=job.queue_ms,
            process_ms=job.process_ms,
            retry_after_s=_retry_after_s(state, pool, job.outcome),
        )
    return job


def _retry_after_s(state: State, pool: Pool, outcome: Outcome) -> float | None:
    """When another try may fare better: when those in the queue, or this server, are through."""
    match outcome:
        case Outcome.REJECTED | Outcome.SHED:
            rate: DrainRate = state.drain_rates[pool.name]
            return rate.retry_after_s(state.lab.snapshot().pools[pool.name])
        case Outcome.DRAINED:
            grace_s: float = state.lab.settings.grace
            return grace_s
        case Outcome.LOST:
            return LOST_RETRY_S
    return None


async def _wait(receive: Receive, vigil: Vigil, pool: Pool, job: Job) -> None:
    """Wait until the job is done, its deadline has passed or its client has gone."""
    loop = job.done.get_loop()
    handles: list[asyncio.Handle | asyncio.Task[None]] = []

    def expire() -> None:
        pool.withdraw(job, Outcome.EXPIRED, Outcome.KILLED)
        job.resolve()

    def watch() -> None:
        handles.append(loop.create_task(_resolve_when_gone(receive, job)))
        handles.append(loop.call_later(job.stop.remaining_s(), expire))

    if job.stop.remaining_s() > vigil.most_s:
        vigil.keep(job, watch)
    else:
        watch()
    try:
        await job.done
    finally:
        vigil.let_go(job)
        for handle in handles:
            handle.cancel()


async def _resolve_when_gone(receive: Receive, job: Job) -> None:
    """Let go of the job when its client has gone; the request's body has been read before."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        job.resolve()


def _log(place: str, job: Job) -> None:
    """One line for each job that has ended, from the endpoint `place`."""
    if job.outcome is Outcome.COMPLETED and not log.isEnabledFor(logging.DEBUG):
        return
    times = (
        f"worker={job.worker or '-'} dequeue={job.queue_ms:.0f}ms process={job.process_ms:.0f}ms "
        f"total={job.queue_ms + job.process_ms:.0f}ms"
    )
    match job.outcome:
        case Outcome.COMPLETED:
            assert job.result is not None
            log.debug("%s[%s] result=%r %s", place, job.id, job.result.text, times)
        case Outcome.FAILED:
            log.error("%s[%s] failed %s", place, job.id, times, exc_info=job.error)
        case _:
            log.warning("%s[%s] %s %s", place, job.id, job.outcome, times)
