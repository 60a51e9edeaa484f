"""One request and its record: the only place of the bench that knows the server's HTTP contract."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import httpx

from labserver.bench.records import Phase, Request

TIMING = re.compile(r"(\w+);dur=([\d.]+)")
PAGES = re.compile(r"nPages=(\d+)")

Send = Callable[[int, int], Awaitable[Request]]


class Client:
    """Sends jobs to a server and makes a record of each, whatever comes back."""

    def __init__(self, url: str, *, timeout_s: float | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    def sender(self, body: dict[str, str], *, cell: str = "", phase: Phase = "measured") -> Send:
        """A function that puts `body` once: `await send(client_number, intended_ns)`."""

        async def send(client: int, intended_ns: int) -> Request:
            number = next(self._numbers)
            sent_ns = time.monotonic_ns()
            try:
                response = await self._http.post("/put", json=body)
                answer = _read(response)
            except httpx.HTTPError as error:
                answer = {"status": 0, "outcome": "none", "error": repr(error)}
            done_ns = time.monotonic_ns()
            return Request(number, cell, phase, client, intended_ns, sent_ns, done_ns, **answer)

        return send

    async def livez(self) -> int:
        """The status of GET /livez, 0 when there was no answer."""
        try:
            return (await self._http.get("/livez")).status_code
        except httpx.HTTPError:
            return 0

    async def stats(self) -> dict[str, Any]:
        """The body of GET /stats. Raises httpx.HTTPError when there is none."""
        response = await self._http.get("/stats")
        response.raise_for_status()
        body: dict[str, Any] = response.json()
        return body


def _read(response: httpx.Response) -> dict[str, Any]:
    """What a record keeps of an answer."""
    timing = dict(TIMING.findall(response.headers.get("Server-Timing", "")))
    record: dict[str, Any] = {
        "status": response.status_code,
        "queue_ms": float(timing.get("queue", math.nan)),
        "process_ms": float(timing.get("process", math.nan)),
        "bytes": len(response.content),
    }
    try:
        body = response.json()
        if response.status_code == httpx.codes.OK:
            return record | _completed(body["data"])
        return record | {
            "outcome": body["outcome"],
            "job_id": body["id"],
            "error": body["detail"],
        }
    except (ValueError, KeyError, TypeError):
        return record | {"outcome": "none", "error": f"not our server's: {response.text[:100]!r}"}


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
