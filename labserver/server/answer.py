"""From a job to its answer: submit it, wait for it under its deadline, say what became of it."""

from __future__ import annotations

import asyncio
import logging
import time

from fastapi import Request
from starlette.types import Receive

from labserver.errors import JOB_ERRORS
from labserver.jobs.job import Job, Task
from labserver.jobs.outcome import Outcome
from labserver.jobs.pool import Pool
from labserver.jobs.stop import NS_PER_S, StopToken

log = logging.getLogger(__name__)


def new_job(kind: str, job_id: str, task: Task, timeout_s: float) -> Job:
    """A job of this loop, whose deadline counts from now."""
    deadline_ns = time.monotonic_ns() + round(timeout_s * NS_PER_S)
    done = asyncio.get_running_loop().create_future()
    return Job(kind, task, StopToken(deadline_ns), done, job_id)


async def answer(request: Request, pool: Pool, job: Job) -> Job:
    """Run `job` on `pool`; returns it when it has completed.

    Raises the JobError of its outcome when it has ended in another way: refused, failed, past its
    deadline, or without a client.
    """
    try:
        pool.submit(job)
        if job.outcome is None:
            await _wait(request.receive, pool, job)
    finally:
        # However this is left, cancelled included, no job stays behind without an owner.
        pool.withdraw(job, Outcome.ABANDONED, Outcome.ABANDONED)
    assert job.outcome is not None
    _log(job)
    if job.outcome is not Outcome.COMPLETED:
        raise JOB_ERRORS[job.outcome](
            job_id=job.id, queue_ms=job.queue_ms, process_ms=job.process_ms
        )
    return job


async def _wait(receive: Receive, pool: Pool, job: Job) -> None:
    """Wait until the job is done, its deadline has passed or its client has gone."""
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait(
            (job.done, gone),
            timeout=job.stop.remaining_s(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not job.done.done() and not gone.done():
            pool.withdraw(job, Outcome.EXPIRED, Outcome.KILLED)
    finally:
        gone.cancel()


async def _disconnect(receive: Receive) -> None:
    """Return when the client has gone; the request's body has been read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _log(job: Job) -> None:
    """One line for each job that has ended."""
    times = (
        f"worker={job.worker or '-'} dequeue={job.queue_ms:.0f}ms process={job.process_ms:.0f}ms "
        f"total={job.queue_ms + job.process_ms:.0f}ms"
    )
    match job.outcome:
        case Outcome.COMPLETED:
            assert job.result is not None
            log.debug("put[%s] result=%r %s", job.id, job.result.text, times)
        case Outcome.FAILED:
            log.error("put[%s] failed %s", job.id, times, exc_info=job.error)
        case _:
            log.warning("put[%s] %s %s", job.id, job.outcome, times)
