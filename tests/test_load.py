"""Loads and their records: who is sent when, and what a record says of an answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import Callable

import httpx
import pytest

from labserver.bench.client import Client
from labserver.bench.load import Burst, ClosedLoop
from labserver.bench.records import Request

Handler = Callable[[httpx.Request], httpx.Response]


class Fake:
    """A server that answers a client when the test has seen everyone it waits for."""

    def __init__(self, together: int = 1) -> None:
        self.barrier = asyncio.Barrier(together)
        self.clients: list[int] = []
        self.inside = 0
        self.most_inside = 0

    async def send(self, client: int, intended_ns: int) -> Request:
        self.clients.append(client)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        sent_ns = time.monotonic_ns()
        async with asyncio.timeout(10):
            await self.barrier.wait()
        self.inside -= 1
        done_ns = time.monotonic_ns()
        return Request(0, "", "measured", client, intended_ns, sent_ns, done_ns, 200)


def test_a_burst_is_all_at_once_and_meant_for_one_moment() -> None:
    async def story() -> None:
        fake = Fake(together=5)
        requests = await Burst(5).run(fake.send)
        assert fake.most_inside == 5
        assert sorted(fake.clients) == [0, 1, 2, 3, 4]
        assert len({request.intended_ns for request in requests}) == 1

    asyncio.run(story())


def test_a_closed_loop_has_each_client_wait_for_its_answer() -> None:
    async def story() -> None:
        fake = Fake(together=3)
        requests = await ClosedLoop(3, rounds=4).run(fake.send)
        assert len(requests) == 12
        assert fake.most_inside == 3
        for client in range(3):
            own = [request for request in requests if request.client == client]
            assert all(a.done_ns <= b.intended_ns for a, b in itertools.pairwise(own))

    asyncio.run(story())


def test_a_closed_loop_thinks_between_its_requests() -> None:
    async def story() -> None:
        requests = await ClosedLoop(1, think_s=0.02, rounds=3).run(Fake().send)
        for before, after in itertools.pairwise(requests):
            assert after.intended_ns - before.done_ns >= 0.02e9

    asyncio.run(story())


def test_a_closed_loop_ends_with_its_time() -> None:
    async def story() -> None:
        start_ns = time.monotonic_ns()
        requests = await ClosedLoop(2, think_s=0.001, seconds=0.05).run(Fake().send)
        assert {request.client for request in requests} == {0, 1}
        assert all(request.intended_ns - start_ns < 1e9 for request in requests)

    asyncio.run(story())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Burst(0),
        lambda: ClosedLoop(0, rounds=1),
        lambda: ClosedLoop(1, think_s=-1, rounds=1),
        lambda: ClosedLoop(1),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"at least|needs an end"):
        make()


def record_of(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> Request:
    """The record of one request that `handler` answers."""
    real = httpx.AsyncClient
    monkeypatch.setattr(
        httpx,
        "AsyncClient",
        lambda **options: real(base_url="http://lab", transport=httpx.MockTransport(handler)),
    )

    async def story() -> Request:
        async with Client("http://lab") as client:
            return await client.sender({"data": "x"}, cell="c")(3, time.monotonic_ns())

    return asyncio.run(story())


def test_a_completed_job_is_recorded_with_the_servers_own_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = {
        "errCode": "", "err": "", "data": "job[pdf2image] finished, nPages=17",
        "workerName": "pdfWorker2",
        "dequeueElapsedMs": 12, "processElapsedMs": 345, "totalElapsedMs": 357,
    }  # fmt: skip

    def handler(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content) == {"data": "x"}
        headers = {"Server-Timing": "queue;dur=12.345, process;dur=345.6"}
        return httpx.Response(200, json={"data": {"id": "abc", "result": result}}, headers=headers)

    record = record_of(handler, monkeypatch)
    assert (record.status, record.outcome, record.job_id) == (200, "completed", "abc")
    assert (record.worker, record.pages, record.client) == ("pdfWorker2", 17, 3)
    assert (record.queue_ms, record.process_ms, record.total_ms) == (12.345, 345.6, 357)


def test_a_problem_is_recorded_with_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"outcome": "rejected", "id": "abc", "detail": "[abc] full", "status": 503}
    record = record_of(lambda request: httpx.Response(503, json=problem), monkeypatch)
    assert (record.status, record.outcome, record.error) == (503, "rejected", "[abc] full")
    assert math.isnan(record.process_ms)


def test_no_answer_and_a_strange_answer_are_records_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens")

    record = record_of(refuse, monkeypatch)
    assert (record.status, record.outcome) == (0, "none")
    assert "nobody listens" in record.error
    monkeypatch.undo()
    record = record_of(lambda request: httpx.Response(502, text="<html>"), monkeypatch)
    assert (record.status, record.outcome) == (502, "none")
    assert "<html>" in record.error
