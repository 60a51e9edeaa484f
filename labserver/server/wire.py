"""What goes over the wire, with the names of the HTTP contract.

The answers to jobs are typed dicts: mypy checks them where they are made, and nobody again.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from labserver.jobs.job import Job


class PutRequest(BaseModel):
    """The body of POST /put."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(max_length=100_000, examples=["hello"])
    jobType: Literal["message", "pdf2image"] = "message"


class JobResult(TypedDict):
    """What a worker made of a job, and how long each part of it took."""

    errCode: str
    err: str
    data: str
    workerName: str
    dequeueElapsedMs: int
    processElapsedMs: int
    totalElapsedMs: int


def result_of(job: Job) -> JobResult:
    """The result of a completed job."""
    assert job.result is not None
    return {
        "errCode": "",
        "err": "",
        "data": job.result.text,
        "workerName": job.worker,
        "dequeueElapsedMs": round(job.queue_ms),
        "processElapsedMs": round(job.process_ms),
        "totalElapsedMs": round(job.queue_ms + job.process_ms),
    }


class PutData(TypedDict):
    """A completed job."""

    id: str
    result: JobResult


class PutResponse(TypedDict):
    """The body of a 200."""

    data: PutData


class Page(BaseModel):
    """A page of a finished job: where it is had, its size in pixels and in bytes."""

    n: int
    url: str
    width: int
    height: int
    bytes: int


class PdfResult(JobResult):
    """The result of a document that was uploaded, with its pages."""

    pages: list[Page]


class PdfData(TypedDict):
    """A completed job on an uploaded document."""

    id: str
    result: PdfResult


class PdfResponse(TypedDict):
    """The body of a 200 of POST /pdf."""

    data: PdfData


class Readiness(BaseModel):
    """Whether it is worth sending jobs, and if not, why not."""

    status: Literal["ready", "draining", "saturated", "lost"]


class Problem(BaseModel):
    """An error as RFC 9457 spells it, with the request's outcome and id."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    outcome: str
    id: str


class PoolStats(BaseModel):
    """A pool at one moment: `at_work` has each worker, `lines` how many wait in each line."""

    workers: int
    busy: int
    waiting: int
    capacity: int
    dispatch: str
    discipline: str
    at_work: list[bool]
    lines: list[int]


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
