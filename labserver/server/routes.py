"""The endpoints. Each is async and hands anything that takes time to a pool."""

from __future__ import annotations

import dataclasses
import time
import uuid
from typing import Any

from fastapi import APIRouter, Request, Response

from labserver.server.answer import answer, new_job
from labserver.server.lab import Lab
from labserver.server.problems import ProblemResponse, server_timing
from labserver.server.wire import (
    JobResult,
    LedgerStats,
    PoolStats,
    Problem,
    PutData,
    PutRequest,
    PutResponse,
    Stats,
)

router = APIRouter()

_PROBLEM = {ProblemResponse.media_type: {"schema": Problem.model_json_schema()}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": _PROBLEM}
    for status, description in {
        422: "Not a job that this server runs (`invalid`)",
        500: "The work failed (`failed`)",
        503: "The queue is full (`rejected`), or the server is ending (`drained`)",
        504: "The deadline passed in the queue (`expired`) or after it (`killed`)",
    }.items()
}


@router.post("/put", responses=PROBLEMS, summary="Do a job and wait for its result")
async def put(body: PutRequest, request: Request, response: Response) -> PutResponse:
    """Queue a job, wait for it, and answer with its result and its times."""
    lab: Lab = request.app.state.lab
    job_id = str(uuid.uuid4())
    if body.jobType == "pdf2image":
        pool, timeout_s, task = lab.pdf, lab.settings.pdf_timeout, lab.sample_task(job_id)
    else:
        pool, timeout_s = lab.message, lab.settings.message_timeout
        task = lab.message_task(body.data)
    job = await answer(request, pool, new_job(body.jobType, job_id, task, timeout_s))
    response.headers["Server-Timing"] = server_timing(job.queue_ms, job.process_ms)
    return PutResponse(data=PutData(id=job.id, result=JobResult.of(job)))


@router.get("/livez", summary="Is the loop alive?")
async def livez() -> dict[str, str]:
    """Answer at once; no worker is asked."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Is it worth sending requests?",
    responses={503: {"description": "The server is shutting down"}},
)
async def readyz(request: Request, response: Response) -> dict[str, str]:
    """Say whether new jobs are taken."""
    if request.app.state.lab.draining:
        response.status_code = 503
        return {"status": "draining"}
    return {"status": "ready"}


@router.get("/stats", summary="Ledger, pools and loop lag at one moment")
async def stats(request: Request) -> Stats:
    """One consistent snapshot: ledger and pools are read under one lock."""
    state = request.app.state
    snapshot = state.lab.snapshot()
    return Stats(
        uptime_s=time.monotonic() - state.started_s,
        loop_lag_ms=state.loop_lag.stats(),
        wasted_s=snapshot.ledger.wasted_s,
        pools={name: PoolStats(**dataclasses.asdict(p)) for name, p in snapshot.pools.items()},
        ledger=LedgerStats(
            received=snapshot.ledger.received,
            waiting=snapshot.ledger.waiting,
            running=snapshot.ledger.running,
            outcomes=snapshot.ledger.outcomes,
        ),
    )
