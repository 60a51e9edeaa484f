"""One request over a real socket, and what its record says of the answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from aiohttp import web

from labserver.bench.client import Client
from labserver.bench.records import Request

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

RESULT = {
    "errCode": "", "err": "", "data": "job[pdf2image] finished, nPages=17",
    "workerName": "pdfWorker2",
    "dequeueElapsedMs": 12, "processElapsedMs": 345, "totalElapsedMs": 357,
}  # fmt: skip


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server on a free port that answers everything with `handler`; its URL."""
    runner = web.ServerRunner(web.Server(handler, handler_cancellation=True), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def record_of(handler: Handler, timeout_s: float | None = None) -> Request:
    async def story() -> Request:
        async with serving(handler) as url, Client(url, token="secret") as client:
            send = client.sender({"data": "x"}, cell="c", timeout_s=timeout_s)
            return await send(3, time.monotonic_ns())

    return asyncio.run(story())


def test_a_completed_job_is_recorded_with_the_servers_own_times() -> None:
    seen: list[object] = []

    async def handler(request: web.Request) -> web.Response:
        seen.extend([request.path, request.headers["Authorization"], await request.json()])
        headers = {"Server-Timing": "queue;dur=12.345, process;dur=345.6"}
        return web.json_response({"data": {"id": "abc", "result": RESULT}}, headers=headers)

    record = record_of(handler)
    assert seen == ["/put", "Bearer secret", {"data": "x"}]
    assert (record.status, record.outcome, record.job_id) == (200, "completed", "abc")
    assert (record.worker, record.pages, record.client) == ("pdfWorker2", 17, 3)
    assert (record.queue_ms, record.process_ms, record.total_ms) == (12.345, 345.6, 357)
    assert record.intended_ns < record.sent_ns < record.done_ns
    assert (record.attempt, record.first) == (1, record.request)


def test_without_the_header_the_answers_own_times_are_taken() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"data": {"id": "abc", "result": RESULT}})

    record = record_of(handler)
    assert (record.queue_ms, record.process_ms, record.total_ms) == (12, 345, 357)


def test_it_was_sent_before_the_server_had_it() -> None:
    arrived_ns = []

    async def handler(request: web.Request) -> web.Response:
        arrived_ns.append(time.monotonic_ns())
        return web.Response()

    async def story() -> list[Request]:
        async with serving(handler) as url, Client(url) as client:
            send = client.sender({})
            return [await send(0, time.monotonic_ns()) for _ in range(3)]

    records = asyncio.run(story())
    for record, arrival_ns in zip(records, arrived_ns, strict=True):
        assert record.intended_ns < record.sent_ns < arrival_ns < record.done_ns


def test_a_problem_is_recorded_with_its_outcome() -> None:
    async def handler(request: web.Request) -> web.Response:
        problem = {"outcome": "rejected", "id": "abc", "detail": "[abc] full", "status": 503}
        return web.json_response(problem, status=503, headers={"Retry-After": "4"})

    record = record_of(handler)
    assert (record.status, record.outcome, record.error) == (503, "rejected", "[abc] full")
    assert record.retry_after_s == 4
    assert math.isnan(record.process_ms)


def test_a_strange_answer_is_a_record_too() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(
            text="<html>", status=502, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
        )

    record = record_of(handler)
    assert (record.status, record.outcome) == (502, "none")
    assert "<html>" in record.error
    assert math.isnan(record.retry_after_s)


def test_no_answer_is_a_record_too() -> None:
    async def refused() -> Request:
        async with serving(lambda request: None) as url:  # type: ignore[arg-type, return-value]
            pass
        async with Client(url) as client:
            return await client.sender({})(0, time.monotonic_ns())

    record = asyncio.run(refused())
    assert (record.status, record.outcome) == (0, "none")
    assert "Cannot connect" in record.error

    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    record = record_of(hang_up)
    assert (record.status, record.outcome) == (0, "none")
    assert "Disconnected" in record.error


def test_a_client_that_has_waited_enough_disconnects() -> None:
    gone: list[bool] = []

    async def handler(request: web.Request) -> web.Response:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            gone.append(True)
        return web.Response()

    record = record_of(handler, timeout_s=0.05)
    assert (record.status, record.outcome, record.error) == (0, "timeout", "timeout")
    assert record.done_ns - record.sent_ns > 0.04e9
    assert gone == [True]


def test_a_request_under_way_when_all_is_stopped_is_recorded() -> None:
    kept: list[Request] = []

    async def story() -> None:
        arrived = asyncio.Event()

        async def handler(request: web.Request) -> web.Response:
            arrived.set()
            await asyncio.get_running_loop().create_future()
            return web.Response()

        async with serving(handler) as url, Client(url) as client:
            send = client.sender({}, keep=kept.append)
            task = asyncio.create_task(send(0, time.monotonic_ns()))
            await arrived.wait()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(story())
    assert [(record.status, record.outcome) for record in kept] == [(0, "unfinished")]


def test_connections_are_opened_beforehand() -> None:
    """Those who ask together have a connection each; what comes later uses them."""
    peers: list[set[object]] = [set(), set()]

    async def story() -> None:
        everybody = asyncio.Barrier(4)

        async def handler(request: web.Request) -> web.Response:
            assert request.transport is not None
            peers[request.path == "/put"].add(request.transport.get_extra_info("peername"))
            async with asyncio.timeout(10):
                await everybody.wait()
            return web.Response()

        async with serving(handler) as url, Client(url) as client:
            await client.connect(4)
            send = client.sender({})
            await asyncio.gather(*(send(n, time.monotonic_ns()) for n in range(4)))

    asyncio.run(story())
    opened, used = peers
    assert used == opened
    assert len(opened) == 4


def test_stats_of_something_else_are_an_error() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=404)

    async def story() -> None:
        async with serving(handler) as url, Client(url) as client:
            assert await client.livez() == 404
            with pytest.raises(httpx.HTTPError, match="404"):
                await client.stats()

    asyncio.run(story())
