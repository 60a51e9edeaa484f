"""What Prometheus scrapes: the names it expects, and the same figures as /stats."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from conftest import client_of
from prometheus_client.parser import text_string_to_metric_families

from labserver.jobs.job import Job
from labserver.jobs.outcome import Outcome
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.server.lab import Lab
from labserver.server.metrics import Metrics

PDF = {"data": "x", "jobType": "pdf2image"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"labserver_{name}", frozenset(labels.items())]


def test_a_scrape_tells_what_has_happened(lab: Lab) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await client.post("/put", json=PDF)
        await client.post("/put", json={"data": "x"})
        await client.post("/put", content=b"{")
        await client.post("/pdf")
        response = await client.get("/metrics")
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        samples = samples_of(response.text)
        for kind, outcome, count in (
            ("pdf2image", "completed", 1),
            ("message", "completed", 1),
            ("none", "invalid", 1),
            ("pdf2image", "invalid", 1),
            ("pdf2image", "rejected", 0),
        ):
            assert value(samples, "requests_total", kind=kind, outcome=outcome) == count
        for name in ("queue", "process", "total"):
            assert value(samples, f"{name}_seconds_count", kind="pdf2image") == 1
        assert value(samples, "wasted_seconds_total") == 0
        assert value(samples, "workers_busy", pool="pdf") == 0
        ledger = (await client.get("/stats")).json()["ledger"]
        ended = sum(v for (name, _), v in samples.items() if name == "labserver_requests_total")
        assert ended == ledger["received"] == 4

    async def run() -> None:
        async with client_of(lab) as client:
            await story(client)

    asyncio.run(run())


def test_the_loop_s_lag_is_a_histogram_in_seconds(lab: Lab) -> None:
    metrics = Metrics(lab.snapshot)
    metrics.loop_lag(lag_ms=3.0)
    samples = samples_of(metrics.exposition().decode())
    assert value(samples, "loop_lag_seconds_sum") == 0.003
    assert value(samples, "loop_lag_seconds_bucket", le="0.0025") == 0
    assert value(samples, "loop_lag_seconds_bucket", le="0.005") == 1


def test_a_job_s_times_are_histograms_in_seconds(lab: Lab) -> None:
    async def ended() -> Job:
        done = asyncio.get_running_loop().create_future()
        job = Job("message", None, StopToken(deadline_ns=0), done)
        job.submitted_ns, job.started_ns = NS_PER_S, NS_PER_S + 25_000_000
        job.settle(Outcome.COMPLETED, NS_PER_S + 400_000_000)
        return job

    metrics = Metrics(lab.snapshot)
    metrics.job_ended(asyncio.run(ended()))
    samples = samples_of(metrics.exposition().decode())

    def up_to(what: str, le: str) -> float:
        return value(samples, f"{what}_seconds_bucket", kind="message", le=le)

    assert (up_to("queue", "0.01"), up_to("queue", "0.025"), up_to("queue", "+Inf")) == (0, 1, 1)
    assert (up_to("process", "0.25"), up_to("process", "0.5")) == (0, 1)
    assert (up_to("total", "0.25"), up_to("total", "0.5")) == (0, 1)
    for what, seconds in (("queue", 0.025), ("process", 0.375), ("total", 0.4)):
        assert value(samples, f"{what}_seconds_sum", kind="message") == pytest.approx(seconds)
        assert value(samples, f"{what}_seconds_count", kind="pdf2image") == 0


def test_two_servers_in_one_process_count_apart(lab: Lab) -> None:
    one, other = Metrics(lab.snapshot), Metrics(lab.snapshot)
    one.loop_lag(1.0)
    assert value(samples_of(other.exposition().decode()), "loop_lag_seconds_count") == 0
