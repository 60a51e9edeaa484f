"""The one place where an error becomes an answer: application/problem+json, as in RFC 9457."""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from labserver.errors import InvalidJob, JobError
from labserver.jobs.outcome import Outcome
from labserver.server.wire import Problem

log = logging.getLogger(__name__)


class ProblemResponse(JSONResponse):
    """A Problem as a response."""

    media_type = "application/problem+json"


def server_timing(queue_ms: float, process_ms: float) -> str:
    """The Server-Timing header of a job, in ms."""
    return f"queue;dur={queue_ms:.3f}, process;dur={process_ms:.3f}"


def problem(error: JobError) -> ProblemResponse:
    """The answer to a request that ended with `error`."""
    body = Problem(
        title=error.title,
        status=error.status,
        detail=error.detail,
        outcome=error.outcome,
        id=error.job_id,
    )
    headers = {"Server-Timing": server_timing(error.queue_ms, error.process_ms)}
    return ProblemResponse(body.model_dump(), error.status, headers)


def install(app: FastAPI) -> None:
    """Let every error of `app` be answered here."""

    @app.exception_handler(JobError)
    async def job_error(request: Request, error: JobError) -> ProblemResponse:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> ProblemResponse:
        invalid = InvalidJob(_explain(error), job_id=str(uuid.uuid4()))
        request.app.state.lab.ledger.refuse(Outcome.INVALID)
        log.warning("put[%s] invalid: %s", invalid.job_id, invalid)
        return problem(invalid)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> ProblemResponse:
        title = HTTPStatus(error.status_code).phrase
        body = Problem(
            title=title, status=error.status_code, detail=error.detail, outcome="", id=""
        )
        return ProblemResponse(body.model_dump(), error.status_code, error.headers)


def _explain(error: RequestValidationError) -> str:
    """What is wrong with a body, field by field."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'] if part != 'body') or 'body'}: "
        f"{problem['msg']}"
        for problem in error.errors()
    )
