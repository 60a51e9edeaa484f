"""What goes over the wire: pydantic models with the names of the HTTP contract."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from labserver.jobs.job import Job


class PutRequest(BaseModel):
    """The body of POST /put."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(max_length=100_000, examples=["hello"])
    jobType: Literal["message", "pdf2image"] = "message"


class JobResult(BaseModel):
    """What a worker made of a job, and how long each part of it took."""

    errCode: str = ""
    err: str = ""
    data: str
    workerName: str
    dequeueElapsedMs: int
    processElapsedMs: int
    totalElapsedMs: int

    @classmethod
    def of(cls, job: Job) -> JobResult:
        """The result of a completed job."""
        assert job.result is not None
        return cls(
            data=job.result.text,
            workerName=job.worker,
            dequeueElapsedMs=round(job.queue_ms),
            processElapsedMs=round(job.process_ms),
            totalElapsedMs=round(job.queue_ms + job.process_ms),
        )


class PutData(BaseModel):
    """A completed job."""

    id: str
    result: JobResult


class PutResponse(BaseModel):
    """The body of a 200."""

    data: PutData


class Problem(BaseModel):
    """An error as RFC 9457 spells it, with the request's outcome and id."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    outcome: str
    id: str


class PoolStats(BaseModel):
    """A pool at one moment."""

    workers: int
    busy: int
    waiting: int
    capacity: int
    dispatch: str


class LedgerStats(BaseModel):
    """Where every request stands: received = the sum of outcomes + waiting + running."""

    received: int
    waiting: int
    running: int
    outcomes: dict[str, int]


class LagStats(BaseModel):
    """How late the event loop woke, in ms, over the last seconds."""

    p50: float
    p99: float
    max: float


class Stats(BaseModel):
    """The body of GET /stats: one consistent snapshot."""

    uptime_s: float
    loop_lag_ms: LagStats
    wasted_s: float
    pools: dict[str, PoolStats]
    ledger: LedgerStats
