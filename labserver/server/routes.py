"""The endpoints. Each is async and hands anything that takes time to a pool or to a thread."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, File, Form, HTTPException, Path, Request, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic.json_schema import SkipJsonSchema

from labserver.jobs.ids import new_id
from labserver.server import contract
from labserver.server.answer import answer, new_job
from labserver.server.events import stream
from labserver.server.lab import Lab
from labserver.server.pages import page_file, page_files, pages, zipped
from labserver.server.prefer import deadline_ns
from labserver.server.problems import reply_headers
from labserver.server.wire import (
    LedgerStats,
    PdfResponse,
    PoolStats,
    PutRequest,
    PutResponse,
    Readiness,
    Stats,
    result_of,
)
from labserver.settings import Dpi

router = APIRouter(responses=contract.UNAUTHORIZED)

DASHBOARD = FilePath(__file__).with_name("dashboard.html")
# It is one file, and asks no other host for anything.
DASHBOARD_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
)

JobId = Annotated[uuid.UUID, Path(description="The `id` of a pdf2image job that has completed.")]
PageNumber = Annotated[int, Path(ge=1, le=99_999, description="1 is the first page.")]


@router.post(
    "/put",
    response_model=PutResponse,
    responses=contract.JOB,
    openapi_extra=contract.JOB_REQUEST,
    summary="Do a job and wait for its result",
)
async def put(body: PutRequest, request: Request) -> Response:
    """Queue a job, wait for it, and answer with its result and its times."""
    lab: Lab = request.app.state.lab
    job_id = new_id()
    if body.jobType == "pdf2image":
        pool, timeout_s, task = lab.pdf, lab.settings.pdf_timeout, lab.sample_task(job_id)
    else:
        pool, timeout_s = lab.message, lab.settings.message_timeout
        task = lab.message_task(body.data)
    job = new_job(body.jobType, job_id, task, deadline_ns(request, timeout_s))
    await answer(request, pool, job)
    told: PutResponse = {"data": {"id": job.id, "result": result_of(job)}}
    headers = reply_headers(request.scope, job.queue_ms, job.process_ms)
    return JSONResponse(told, headers=headers)  # not by FastAPI, which would look through it


@router.post(
    "/pdf",
    responses=contract.JOB,
    openapi_extra=contract.JOB_REQUEST,
    summary="Convert a PDF of your own to PNG pages",
)
async def pdf(
    request: Request,
    response: Response,
    file: Annotated[UploadFile, File(description="The PDF.")],
    dpi: Annotated[
        Dpi | SkipJsonSchema[None], Form(description="Resolution; the server's own by default.")
    ] = None,
) -> PdfResponse:
    """Inspect the document, queue its conversion, and answer with its pages' addresses."""
    lab: Lab = request.app.state.lab
    job_id = uuid.uuid4()
    due_ns = deadline_ns(request, lab.settings.pdf_timeout)
    async with request.app.state.uploads.task(str(job_id), file, dpi, due_ns) as task:
        job = new_job("pdf2image", str(job_id), task, due_ns)
        await answer(request, lab.pdf, job)
    response.headers.update(reply_headers(request.scope, job.queue_ms, job.process_ms))
    written = await asyncio.to_thread(pages, lab.output.root, job_id)
    return {"data": {"id": job.id, "result": {**result_of(job), "pages": written}}}


@router.get(
    "/jobs/{job_id}/pages/{number}.png",
    responses=contract.NOT_FOUND | {200: {"content": {"image/png": {}}}},
    response_class=FileResponse,
    summary="A page of a finished job",
)
async def page(request: Request, job_id: JobId, number: PageNumber) -> FileResponse:
    """Send the page's file."""
    path = page_file(_root(request), job_id, number)
    if not await asyncio.to_thread(path.is_file):
        raise HTTPException(404, f"job {job_id} has no page {number}, or no longer")
    return FileResponse(path, media_type="image/png")


@router.get(
    "/jobs/{job_id}/pages.zip",
    responses=contract.NOT_FOUND | {200: {"content": {"application/zip": {}}}},
    response_class=StreamingResponse,
    summary="All pages of a finished job",
)
async def pages_zip(request: Request, job_id: JobId) -> StreamingResponse:
    """Send all pages as a zip that is made while it is sent, in a thread."""
    files = await asyncio.to_thread(page_files, _root(request), job_id)
    if not files:
        raise HTTPException(404, f"job {job_id} has no pages, or no longer")
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.zip"'}
    return StreamingResponse(zipped(files), media_type="application/zip", headers=headers)


@router.get("/livez", summary="Is the loop alive?")
async def livez() -> dict[str, str]:
    """Answer at once; no worker is asked."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Is it worth sending requests?",
    responses={
        503: {
            "model": Readiness,
            "description": "Shutting down, full for a while, or without the machines that work",
        }
    },
)
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether new jobs are taken."""
    state = request.app.state
    if state.lab.draining:
        readiness = Readiness(status="draining")
    elif not all(pool.workers for pool in state.lab.snapshot().pools.values()):
        readiness = Readiness(status="lost")
    elif state.saturation.sustained:
        readiness = Readiness(status="saturated")
    else:
        return Readiness(status="ready")
    response.status_code = 503
    return readiness


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Everything that is counted, for Prometheus",
)
async def metrics(request: Request) -> Response:
    """Prometheus' text format; the gauges are of the moment of this scrape."""
    return Response(request.app.state.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/events",
    response_class=EventSourceResponse,
    summary="What happens to jobs, as it happens",
)
async def events(request: Request) -> AsyncIterator[ServerSentEvent]:
    """Stream an event `job` for each event of the trace.

    Who reads too slowly misses some, and is told how many by an event `lost`: no job waits for it.
    """
    with request.app.state.lab.trace.feed.subscribe() as subscriber:
        async for event in stream(subscriber):
            yield event


@router.get("/", include_in_schema=False)
async def dashboard() -> FileResponse:
    """The server at a glance: queues, outcomes and the loop's lag, live."""
    return FileResponse(DASHBOARD, headers={"Content-Security-Policy": DASHBOARD_POLICY})


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


def _root(request: Request) -> FilePath:
    lab: Lab = request.app.state.lab
    return lab.output.root
