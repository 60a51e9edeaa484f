"""The part of the OpenAPI document that types do not say: each error's body and each header."""

from __future__ import annotations

from typing import Any

from labserver.server.problems import ProblemResponse
from labserver.server.wire import Problem

Responses = dict[int | str, dict[str, Any]]

_PROBLEM = {ProblemResponse.media_type: {"schema": Problem.model_json_schema()}}


def _header(description: str, example: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}, "example": example}


_JOB_HEADERS = {
    "Server-Timing": _header(
        "How long the job waited and how long a worker had it, in ms.",
        "queue;dur=0.213, process;dur=3000.871",
    ),
    "Preference-Applied": _header(
        "Sent when `Prefer: wait=SECONDS` made the deadline shorter.", "wait=2"
    ),
    "RateLimit-Policy": _header(
        "The quota of a user: q requests in any w seconds. Not sent with --rate-limit off.",
        '"default";q=60;w=60',
    ),
    "RateLimit": _header(
        "What is left of it, r requests, and in how many seconds, t, there is more.",
        '"default";r=50;t=30',
    ),
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which another try may fare better.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 3,
    }
}

# The headers of a request that are read before its endpoint is asked.
JOB_REQUEST: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": description,
            "schema": {"type": "string"},
            "example": example,
        }
        for name, description, example in (
            (
                "X-User",
                "Whose quota this is; the client's address when it is left out. It is trusted as "
                "it stands: let a gateway before this server set it.",
                "ann",
            ),
            (
                "Prefer",
                "`wait=SECONDS` (RFC 7240): a deadline sooner than the server's own. A later or a "
                "malformed one changes nothing.",
                "wait=10",
            ),
        )
    ]
}

UNAUTHORIZED: Responses = {
    401: {
        "description": "The server has a --token, and the request does not bear it",
        "content": _PROBLEM,
        "headers": {"WWW-Authenticate": _header("The scheme that is wanted.", "Bearer")},
    }
}
NOT_FOUND: Responses = {
    404: {"description": "No such job or page, or --keep-jobs has let it go", "content": _PROBLEM},
    422: {"description": "Not a job's id or not a page's number", "content": _PROBLEM},
}
JOB: Responses = {
    200: {"headers": _JOB_HEADERS},
    **{
        status: {
            "description": description,
            "content": _PROBLEM,
            "headers": _JOB_HEADERS | (_RETRY_AFTER if status in (429, 503) else {}),
        }
        for status, description in {
            408: "The request's body took too long to arrive (`invalid`)",
            413: "The request's body is too large (`invalid`)",
            422: "Not a job that this server runs (`invalid`)",
            429: "The quota of this user is spent (`rate_limited`)",
            500: "The work failed (`failed`)",
            503: "The queue is full (`rejected`), the job could only be answered too late "
            "(`shed`), the machine that should do it is gone (`lost`), or the server is ending "
            "(`drained`)",
            504: "The deadline passed in the queue (`expired`) or after it (`killed`)",
        }.items()
    },
}
