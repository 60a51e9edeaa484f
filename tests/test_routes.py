"""The HTTP contract, spoken to the application in this process."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import PATIENCE_S, Gate, client_of

from labserver.server.app import create_app
from labserver.server.lab import Lab
from labserver.settings import Settings

PDF = {"data": "x", "jobType": "pdf2image"}
Story = Callable[[httpx.AsyncClient], Awaitable[None]]


def tell(lab: Lab, story: Story) -> None:
    async def run() -> None:
        async with client_of(lab) as client:
            await story(client)

    asyncio.run(run())


def gated(lab: Lab, monkeypatch: pytest.MonkeyPatch, count: int) -> list[Gate]:
    """Let the pdf jobs of `lab` be gates, in order."""
    gates = [Gate() for _ in range(count)]
    left = iter(gates)
    monkeypatch.setattr(Lab, "sample_task", lambda self, job_id: next(left))
    return gates


async def until_stats(client: httpx.AsyncClient, holds: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds((await client.get("/stats")).json()):  # noqa: ASYNC110 - another's state
            await asyncio.sleep(0)


def assert_balanced(ledger: dict[str, Any]) -> None:
    placed = sum(ledger["outcomes"].values()) + ledger["waiting"] + ledger["running"]
    assert ledger["received"] == placed


def assert_timed(response: httpx.Response) -> None:
    timing = response.headers["Server-Timing"]
    assert re.fullmatch(r"queue;dur=\d+\.\d+, process;dur=\d+\.\d+", timing)


@pytest.mark.parametrize("body", [{"data": "x"}, {"data": "x", "jobType": "message"}, PDF])
def test_a_job_is_done_and_told_by_the_contract(lab: Lab, body: dict[str, str]) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        response = await client.post("/put", json=body)
        assert response.status_code == 200
        assert_timed(response)
        data = response.json()["data"]
        uuid.UUID(data["id"])
        result = data["result"]
        kind = body.get("jobType", "message").removesuffix("2image")
        assert result.pop("data").startswith(f"job[{body.get('jobType', 'message')}] finished")
        assert result.pop("workerName") == f"{kind}Worker1"
        assert {key: type(value) for key, value in result.items()} == {
            "errCode": str, "err": str,
            "dequeueElapsedMs": int, "processElapsedMs": int, "totalElapsedMs": int,
        }  # fmt: skip

    tell(lab, story)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "body"),
        (b"{", "JSON"),
        (b"[]", "body"),
        (b'{"jobType": "message"}', "data"),
        (b'{"data": "x", "jobType": "ocr"}', "jobType"),
        (b'{"data": 1}', "data"),
        (b'{"data": "x", "extra": 1}', "extra"),
    ],
)
def test_what_is_no_job_is_a_problem_that_names_the_field(
    lab: Lab, content: bytes, named: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/put", content=content, headers=headers)
        assert response.status_code == 422
        assert response.headers["Content-Type"] == "application/problem+json"
        assert_timed(response)
        problem = response.json()
        assert problem["outcome"] == "invalid"
        assert problem["status"] == 422
        assert named in problem["detail"]
        assert f"[{problem['id']}]" in problem["detail"]
        ledger = (await client.get("/stats")).json()["ledger"]
        assert ledger["outcomes"]["invalid"] == ledger["received"] == 1

    tell(lab, story)


def test_the_one_over_the_queue_is_a_503_while_the_others_wait(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = gated(lab, monkeypatch, 3)

    async def story(client: httpx.AsyncClient) -> None:
        first = asyncio.create_task(client.post("/put", json=PDF))
        await until_stats(client, lambda stats: stats["pools"]["pdf"]["busy"] == 1)
        second = asyncio.create_task(client.post("/put", json=PDF))
        await until_stats(client, lambda stats: stats["pools"]["pdf"]["waiting"] == 1)
        refused = await client.post("/put", json=PDF)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "60"  # no job has ended: as long as its deadline
        assert_timed(refused)
        problem = refused.json()
        assert problem["outcome"] == "rejected"
        assert problem["detail"] == f"[{problem['id']}] Service unavailable (job queue full)"
        stats = (await client.get("/stats")).json()
        assert_balanced(stats["ledger"])
        assert (stats["ledger"]["waiting"], stats["ledger"]["running"]) == (1, 1)
        for gate in gates:
            gate.opened.set()
        assert [(await task).status_code for task in (first, second)] == [200, 200]

    tell(lab, story)


def test_work_that_raises_is_a_500_that_keeps_its_reason_to_the_log(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (gate,) = gated(lab, monkeypatch, 1)
    gate.error = ValueError("secret detail")
    gate.opened.set()

    async def story(client: httpx.AsyncClient) -> None:
        response = await client.post("/put", json=PDF)
        assert response.status_code == 500
        assert response.json()["outcome"] == "failed"
        assert "secret detail" not in response.text
        assert "secret detail" in caplog.text

    tell(lab, story)


def test_deadlines_are_504_expired_in_the_queue_and_killed_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        engine="sleep", pdf_workers=1, pdf_queue_size=1, pdf_timeout=0.2, output_dir=tmp_path
    )
    with Lab(settings) as lab:
        gates = gated(lab, monkeypatch, 2)

        async def story(client: httpx.AsyncClient) -> None:
            both = await asyncio.gather(*(client.post("/put", json=PDF) for _ in range(2)))
            assert [response.status_code for response in both] == [504, 504]
            assert {r.json()["outcome"] for r in both} == {"killed", "expired"}
            for response in both:
                assert_timed(response)
                assert "Gateway timeout" in response.json()["detail"]
            stats = (await client.get("/stats")).json()
            assert_balanced(stats["ledger"])
            assert stats["pools"]["pdf"]["busy"] == 1  # the gate is still shut: its work goes on
            gates[0].opened.set()
            await until_stats(client, lambda stats: stats["pools"]["pdf"]["busy"] == 0)
            assert (await client.get("/stats")).json()["wasted_s"] > 0
            assert gates[1].begun.empty()

        tell(lab, story)


def test_a_message_over_its_deadline_frees_its_worker_at_once(tmp_path: Path) -> None:
    """1,000 times the simulated time would be hours; the sleep ends with the deadline."""
    settings = Settings(engine="sleep", time_scale=1000, message_timeout=0.1, output_dir=tmp_path)
    with Lab(settings) as lab:

        async def story(client: httpx.AsyncClient) -> None:
            assert (await client.post("/put", json={"data": "x"})).status_code == 504
            await until_stats(client, lambda stats: stats["pools"]["message"]["busy"] == 0)

        tell(lab, story)


def test_a_client_that_goes_abandons_its_job(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    gates = gated(lab, monkeypatch, 2)

    async def story(client: httpx.AsyncClient) -> None:
        app = create_app(lab)
        gone = asyncio.Event()
        body = [{"type": "http.request", "body": b'{"data": "x", "jobType": "pdf2image"}'}]

        async def receive() -> dict[str, Any]:
            if body:
                return body.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: object) -> None:
            pass

        scope = {
            "type": "http", "method": "POST", "path": "/put", "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }  # fmt: skip
        request = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
        await until_stats(client, lambda stats: stats["ledger"]["running"] == 1)
        gone.set()
        await asyncio.wait_for(request, PATIENCE_S)
        ledger = (await client.get("/stats")).json()["ledger"]
        assert ledger["outcomes"]["abandoned"] == 1
        assert_balanced(ledger)
        gates[0].opened.set()

    tell(lab, story)


def test_draining_is_not_ready_and_a_503(lab: Lab) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.get("/readyz")).status_code == 200
        lab.drain()
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/livez")).status_code == 200
        response = await client.post("/put", json=PDF)
        assert response.status_code == 503
        assert response.json()["outcome"] == "drained"
        assert response.headers["Retry-After"] == "10"  # the grace: then another may be up

    tell(lab, story)


def test_stats_has_the_documented_form(lab: Lab) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        stats = (await client.get("/stats")).json()
        assert set(stats) == {"uptime_s", "loop_lag_ms", "wasted_s", "pools", "ledger"}
        assert set(stats["loop_lag_ms"]) == {"p50", "p99", "max"}
        assert stats["pools"]["pdf"] == {
            "workers": 1, "busy": 0, "waiting": 0, "capacity": 1, "dispatch": "least-busy",
            "discipline": "fifo", "at_work": [False], "lines": [0],
        }  # fmt: skip
        assert set(stats["ledger"]) == {"received", "waiting", "running", "outcomes"}

    tell(lab, story)


def test_what_is_not_there_is_a_problem_too(lab: Lab) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        response = await client.get("/no-such-thing")
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"

    tell(lab, story)


def test_the_openapi_document_declares_every_status(lab: Lab) -> None:
    paths = create_app(lab).openapi()["paths"]
    for path in ("/put", "/pdf"):
        responses = paths[path]["post"]["responses"]
        statuses = {"200", "408", "413", "422", "429", "500", "503", "504"}
        assert set(responses) == statuses | {"401"}
        for status in statuses:
            assert {"Server-Timing", "RateLimit", "RateLimit-Policy"} <= set(
                responses[status]["headers"]
            )
            assert ("Retry-After" in responses[status]["headers"]) == (status in {"429", "503"})
        for status in statuses - {"200"}:
            assert set(responses[status]["content"]) == {"application/problem+json"}


def test_the_dashboard_is_one_file_that_asks_no_other_host(lab: Lab) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        page = await client.get("/")
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert not re.findall(r'(?:src|href)="', page.text)
        assert set(re.findall(r"https?://[^\"']+", page.text)) == {"http://www.w3.org/2000/svg"}

    tell(lab, story)


def test_the_docs_page_needs_no_other_host(lab: Lab) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        page = await client.get("/docs")
        assert page.status_code == 200
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert links
        for link in links:
            assert link.startswith("/")
            assert (await client.get(link)).status_code == 200

    tell(lab, story)
