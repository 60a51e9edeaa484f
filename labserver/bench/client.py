"""One request and its record: the only place of the bench that knows the server's HTTP contract."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from labserver.bench.records import Phase, Request
from labserver.bench.transport import Reply, Sent, Transport

TIMING = re.compile(r"(\w+);dur=([\d.]+)")
PAGES = re.compile(r"nPages=(\d+)")

Send = Callable[[int, int], Coroutine[Any, Any, Request]]


class Attempt(Protocol):
    """Sends a request; `after` is the attempt before it that it tries again."""

    def __call__(
        self, client: int, intended_ns: int, after: Request | None = None, /
    ) -> Coroutine[Any, Any, Request]:
        """Returns the record of the answer, or of there being none."""


class Client:
    """Sends jobs to a server and makes a record of each, whatever comes back.

    `token` is the one that the server was started with, if it was.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timed = Transport(url, headers)
        # It asks seldom: a connection kept would as a rule be just what the server closes.
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._timed)
            await stack.enter_async_context(self._http)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def sender(
        self,
        body: dict[str, str],
        *,
        path: str = "/put",
        cell: str = "",
        phase: Phase = "measured",
        timeout_s: float | None = None,
        keep: Callable[[Request], object] = lambda request: None,
    ) -> Attempt:
        """A function that posts `body` to `path` once: `await send(client_number, intended_ns)`.

        It waits `timeout_s` for the answer and then closes the connection. `keep` gets every
        record, also that of a request which is cancelled while under way.
        """
        content = json.dumps(body).encode()

        async def send(client: int, intended_ns: int, after: Request | None = None, /) -> Request:
            number = next(self._numbers)
            attempt, first = (after.attempt + 1, after.first) if after else (1, number)
            sent = Sent()
            answer, done_ns = UNFINISHED, 0
            try:
                reply = await self._timed.exchange(
                    "POST", path, content, sent=sent, timeout_s=timeout_s
                )
                answer, done_ns = _read(reply), reply.at_ns
            finally:
                done_ns = done_ns or time.monotonic_ns()
                record = Request(
                    number, cell, phase, client, intended_ns, sent.at_ns or done_ns, done_ns,
                    attempt=attempt, first=first, **answer,
                )  # fmt: skip
                keep(record)
            return record

        return send

    async def connect(self, n: int) -> None:
        """Have `n` connections open, so that a burst is of requests and not of handshakes."""
        await asyncio.gather(*(self.livez() for _ in range(n)))

    async def livez(self) -> int:
        """The status of GET /livez, 0 when there was no answer."""
        return (await self._timed.exchange("GET", "/livez")).status

    async def stats(self) -> dict[str, Any]:
        """The body of GET /stats. Raises httpx.HTTPError when there is none."""
        response = await self._http.get("/stats")
        response.raise_for_status()
        body: dict[str, Any] = response.json()
        return body


UNFINISHED: dict[str, Any] = {
    "status": 0, "outcome": "unfinished", "error": "the run ended before its answer",
}  # fmt: skip


def _read(reply: Reply) -> dict[str, Any]:
    """What a record keeps of an answer, or of there being none."""
    if reply.status == 0:
        outcome = "timeout" if reply.error == "timeout" else "none"
        return {"status": 0, "outcome": outcome, "error": reply.error}
    timing = dict(TIMING.findall(reply.headers.get("Server-Timing", "")))
    record: dict[str, Any] = {
        "status": reply.status,
        "queue_ms": float(timing.get("queue", math.nan)),
        "process_ms": float(timing.get("process", math.nan)),
        "bytes": len(reply.body),
        "retry_after_s": _retry_after_s(reply.headers.get("Retry-After", "")),
    }
    try:
        body = json.loads(reply.body)
        if reply.status == httpx.codes.OK:
            told = record if timing else record | _times_told(body["data"]["result"])
            return told | _completed(body["data"])
        return record | {
            "outcome": body["outcome"],
            "job_id": body["id"],
            "error": body["detail"],
        }
    except (ValueError, KeyError, TypeError):
        return record | {"outcome": "none", "error": f"not our server's: {reply.body[:100]!r}"}


def _retry_after_s(value: str) -> float:
    """The header's seconds; NaN without it, and for a date, which our server never sends."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def _times_told(result: dict[str, Any]) -> dict[str, float]:
    """The answer's own times, whole ms, where no header tells them finer (as in the gallery)."""
    return {
        "queue_ms": float(result["dequeueElapsedMs"]),
        "process_ms": float(result["processElapsedMs"]),
    }


def _completed(data: dict[str, Any]) -> dict[str, Any]:
    result = data["result"]
    pages = PAGES.search(result["data"])
    return {
        "outcome": "completed",
        "job_id": data["id"],
        "worker": result["workerName"],
        "total_ms": float(result["totalElapsedMs"]),
        "pages": int(pages[1]) if pages else 0,
    }
