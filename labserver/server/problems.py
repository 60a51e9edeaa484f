"""The one place where an error becomes an answer: application/problem+json, as in RFC 9457."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from labserver.errors import Abandoned, InvalidJob, JobError, TooLarge, TooSlow
from labserver.jobs.ids import new_id
from labserver.jobs.ledger import NO_KIND
from labserver.jobs.outcome import Outcome
from labserver.server.wire import Problem

log = logging.getLogger(__name__)

# The endpoints that take jobs, each with the kind of those that it refuses unread: /put takes two.
JOB_PATHS = {"/put": NO_KIND, "/pdf": "pdf2image"}


class ProblemResponse(JSONResponse):
    """A Problem as a response."""

    media_type = "application/problem+json"


def reply_headers(scope: Scope, queue_ms: float, process_ms: float) -> dict[str, str]:
    """What every answer to a job says of it: its times, and the preference that was followed."""
    headers = {"Server-Timing": f"queue;dur={queue_ms:.3f}, process;dur={process_ms:.3f}"}
    if applied := scope.get("state", {}).get("preference_applied"):
        headers["Preference-Applied"] = applied
    return headers


def problem(scope: Scope, error: JobError) -> ProblemResponse:
    """The answer to a request that ended with `error`."""
    body = Problem(
        title=error.title,
        status=error.status,
        detail=error.detail,
        outcome=error.outcome,
        id=error.job_id,
    )
    headers = reply_headers(scope, error.queue_ms, error.process_ms)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_s)))
    return ProblemResponse(body.model_dump(), error.status, headers)


def refuse(scope: Scope, error: JobError) -> ProblemResponse:
    """Count and answer a request that ends before it is a job; until now it was nowhere."""
    error.job_id = error.job_id or new_id()
    path = scope["path"]
    scope["app"].state.lab.ledger.refuse(Outcome(error.outcome), JOB_PATHS[path])
    log.warning("%s[%s] %s: %s", path[1:], error.job_id, error.outcome, error)
    return problem(scope, error)


def http_problem(error: HTTPException) -> ProblemResponse:
    """The answer to what concerns no job: a path that is not there, a token that is missing."""
    body = Problem(
        title=HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=error.detail,
        outcome="",
        id="",
    )
    return ProblemResponse(body.model_dump(), error.status_code, error.headers)


def install(app: FastAPI) -> None:
    """Let every error of `app` be answered here."""

    @app.exception_handler(JobError)
    async def job_error(request: Request, error: JobError) -> ProblemResponse:
        # What has an id has met a pool, and was counted there.
        answer = problem if error.job_id else refuse
        return answer(request.scope, error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> ProblemResponse:
        if request.scope["path"] in JOB_PATHS:
            return refuse(request.scope, InvalidJob(_explain(error)))
        return http_problem(HTTPException(422, _explain(error)))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> ProblemResponse:
        if request.method == "POST" and request.scope["path"] in JOB_PATHS:
            return refuse(request.scope, _unreadable(error))
        return http_problem(error)


def _unreadable(error: HTTPException) -> JobError:
    """What it means for a job that its request could not be read."""
    if isinstance(error.__cause__, ClientDisconnect):
        return Abandoned()
    kinds: Mapping[int, type[InvalidJob]] = {413: TooLarge, 408: TooSlow}
    kind = kinds.get(error.status_code, InvalidJob)
    return kind(error.detail if kind is InvalidJob else "")


def _explain(error: RequestValidationError) -> str:
    """What is wrong with a request, field by field."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'] if part != 'body') or 'body'}: "
        f"{problem['msg']}"
        for problem in error.errors()
    )
