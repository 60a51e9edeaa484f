"""The server's figures in Prometheus' form. What the ledger counts is not counted here again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate, product

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from labserver.jobs.job import Job
from labserver.jobs.ledger import NO_KIND
from labserver.jobs.outcome import Outcome
from labserver.server.lab import LabSnapshot

KINDS = ("message", "pdf2image")
JOB_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
JOB_TIMES = {
    "queue": "How long jobs waited for a worker.",
    "process": "How long a worker had jobs.",
    "total": "How long jobs took from their submission.",
}
LAG_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """A registry of one server's own, so that two in one process do not share their counts."""

    def __init__(self, snapshot: Callable[[], LabSnapshot]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Snapshots(snapshot))
        self._pages = Counter(
            "labserver_pages", "Pages of completed jobs.", registry=self._registry
        )
        self._lag = Histogram(
            "labserver_loop_lag_seconds",
            "How late the event loop woke.",
            buckets=LAG_BUCKETS_S,
            registry=self._registry,
        )
        self._job_times = _JobTimes()
        self._registry.register(self._job_times)

    def job_ended(self, job: Job) -> None:
        """Note the times and pages of a job that has its outcome."""
        self._job_times.observe(job)
        if job.result is not None and job.result.pages:
            self._pages.inc(job.result.pages)

    def loop_lag(self, lag_ms: float) -> None:
        """Note a sample of the loop's lag."""
        self._lag.observe(lag_ms / 1e3)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _JobTimes(Collector):
    """How long jobs took. With the library's own histograms it was 4.7 µs a job, and is 1.8.

    For one thread: those have a lock for each of their counts.
    """

    def __init__(self) -> None:
        self._counts = {key: [0] * (len(JOB_BUCKETS_S) + 1) for key in product(JOB_TIMES, KINDS)}
        self._sums_s = dict.fromkeys(self._counts, 0.0)

    def observe(self, job: Job) -> None:
        """Note a job that has its outcome."""
        queue_s, process_s = job.queue_ms / 1e3, job.process_ms / 1e3
        self._add("queue", job.kind, queue_s)
        self._add("total", job.kind, queue_s + process_s)
        if job.started_ns:
            self._add("process", job.kind, process_s)

    def _add(self, what: str, kind: str, seconds: float) -> None:
        self._counts[what, kind][bisect_left(JOB_BUCKETS_S, seconds)] += 1
        self._sums_s[what, kind] += seconds

    def collect(self) -> Iterable[Metric]:
        """A histogram for each of the times, with each kind of job."""
        bounds = [*map(str, map(float, JOB_BUCKETS_S)), "+Inf"]
        for what, help_text in JOB_TIMES.items():
            histogram = HistogramMetricFamily(
                f"labserver_{what}_seconds", help_text, labels=["kind"]
            )
            for kind in KINDS:
                buckets = zip(bounds, accumulate(self._counts[what, kind]), strict=True)
                histogram.add_metric([kind], list(buckets), self._sums_s[what, kind])
            yield histogram


class _Snapshots(Collector):
    """Makes metrics of one snapshot of the lab at each scrape; between scrapes it costs nothing."""

    def __init__(self, snapshot: Callable[[], LabSnapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        """All that the ledger and the pools say of one moment."""
        snapshot = self._snapshot()
        requests = CounterMetricFamily(
            "labserver_requests",
            "Requests that have ended, by the kind of their job and their outcome.",
            labels=["kind", "outcome"],
        )
        for kind, outcome in product((*KINDS, NO_KIND), Outcome):  # also 0: a rate needs a start
            count = snapshot.ledger.by_kind.get((kind, outcome), 0)
            requests.add_metric([kind, outcome], count)
        depth = GaugeMetricFamily("labserver_queue_depth", "Jobs that wait.", labels=["pool"])
        busy = GaugeMetricFamily("labserver_workers_busy", "Workers at work.", labels=["pool"])
        for name, pool in snapshot.pools.items():
            depth.add_metric([name], pool.waiting)
            busy.add_metric([name], pool.busy)
        yield requests
        yield depth
        yield busy
        yield CounterMetricFamily(
            "labserver_wasted_seconds",
            "Worker time spent on jobs whose request had ended.",
            value=snapshot.ledger.wasted_s,
        )

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are known from a scrape, and registering must not take one."""
        return []
