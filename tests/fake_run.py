"""A seeded maker of synthetic runs for the tests of reports and figures. It measures nothing."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labserver.bench.records import Cell, Phase, Request, RunInfo, Verdict
from labserver.bench.store import Run, read_run, write_run

STATUS = {"completed": 200, "rejected": 503, "expired": 504, "killed": 504}
PAUSE_S = 0.5

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class House:
    """The server that is pretended: workers that share cores, before them one queue."""

    workers: int = 8
    cores: int = 2
    queue_size: int = 20
    timeout_s: float = 60.0
    service_s: float = 3.6
    pages: int = 17


@dataclass
class FakeJob:
    """A job on its way; `left_s` is what is left of its page, in seconds of a core."""

    job_id: str
    submit_s: float
    page_work_s: list[float]
    start_s: float = float("nan")
    worker: str = ""
    page: int = 0
    left_s: float = 0.0
    outcome: str = ""


@dataclass
class Burst:
    """Jobs that share the cores: each goes as fast as the number of those that run lets it."""

    house: House
    rng: np.random.Generator
    events: Rows
    waiting: deque[FakeJob] = field(default_factory=deque)
    running: list[FakeJob] = field(default_factory=list)
    settled: dict[str, tuple[FakeJob, float]] = field(default_factory=dict)
    now_s: float = 0.0

    def play(self, arrivals: Sequence[FakeJob]) -> dict[str, tuple[FakeJob, float]]:
        """Run the jobs to their end; returns each with the time at which its request was over."""
        coming = deque(arrivals)
        while coming or self.waiting or self.running:
            speed = min(1.0, self.house.cores / len(self.running)) if self.running else 1.0
            page_s = min((job.left_s for job in self.running), default=np.inf) / speed
            late = [j for j in (*self.waiting, *self.running) if not j.outcome]
            due_s = min((job.submit_s + self.house.timeout_s for job in late), default=np.inf)
            next_s = coming[0].submit_s if coming else np.inf
            then_s = min(self.now_s + page_s, due_s, next_s)
            for job in self.running:
                job.left_s -= (then_s - self.now_s) * speed
            self.now_s = then_s
            if then_s == next_s:
                self._arrive(coming.popleft())
            elif then_s == due_s:
                self._expire(min(late, key=lambda job: job.submit_s))
            else:
                self._turn_page(min(self.running, key=lambda job: job.left_s))
        return self.settled

    def _arrive(self, job: FakeJob) -> None:
        if len(self.running) < self.house.workers:
            self._start(job, submitted=True)
        elif len(self.waiting) < self.house.queue_size * self.house.workers:
            self.waiting.append(job)
            self._note("submit", job)
        else:
            self._settle(job, "rejected")
            self._note("reject", job)

    def _start(self, job: FakeJob, submitted: bool = False) -> None:
        taken = {other.worker for other in self.running}
        names = (f"pdfWorker{i + 1}" for i in range(self.house.workers))
        job.worker = next(name for name in names if name not in taken)
        job.start_s, job.left_s = self.now_s, job.page_work_s[0]
        self.running.append(job)
        if submitted:
            self._note("submit", job)
        self._note("start", job)

    def _turn_page(self, job: FakeJob) -> None:
        job.page += 1
        if not job.outcome:
            self._note("page", job, page=job.page)
        if not job.outcome and job.page < len(job.page_work_s):
            job.left_s = job.page_work_s[job.page]
            return
        self.running.remove(job)
        self._settle(job, job.outcome or "completed")
        starts = self.waiting.popleft() if self.waiting else None
        self._note("end", job, busy=len(self.running) + (starts is not None))
        if starts:
            self._start(starts)

    def _expire(self, job: FakeJob) -> None:
        if job in self.waiting:
            self.waiting.remove(job)
            self._settle(job, "expired")
            self._note("drop", job)
        else:
            self._settle(job, "killed")
            self._note("settle", job)

    def _settle(self, job: FakeJob, outcome: str) -> None:
        job.outcome = outcome
        self.settled.setdefault(job.job_id, (job, self.now_s))

    def _note(self, event: str, job: FakeJob, page: int = 0, busy: int | None = None) -> None:
        self.events.append(
            {
                "t_s": round(self.now_s, 6),
                "event": event,
                "pool": "pdf",
                "job_id": job.job_id,
                "worker": job.worker,
                "waiting": len(self.waiting),
                "busy": len(self.running) if busy is None else busy,
                "page": page,
                "outcome": job.outcome,
            }
        )


def fake_run(
    folder: Path,
    concurrency: Sequence[int] = (1, 2, 4, 8, 16),
    repeats: int = 2,
    *,
    house: House | None = None,
    seed: int = 1,
    verdict: Verdict = "valid",
    warnings: Sequence[str] = (),
    simulated: bool = False,
) -> Run:
    """Write a synthetic run into `folder` and read it back, so that it is as any saved run is."""
    house = house or House()
    rng = np.random.default_rng(seed)
    cells: list[Cell] = []
    requests: Rows = []
    events: Rows = []
    points = [(n, r + 1) for n, r in itertools.product(concurrency, range(repeats))]
    rng.shuffle(points)
    now_s = PAUSE_S
    for n, repeat in [(1, 1), *points]:
        phase: Phase = "measured" if cells else "warmup"
        cell_name = f"n{n:02}-r{repeat}" if cells else "warmup"
        arrivals = _arrivals(house, rng, len(requests), n, now_s)
        settled = Burst(house, rng, events, now_s=now_s).play(arrivals)
        rows = [_request(rng, cell_name, phase, i, *settled[job.job_id], now_s, house)
                for i, job in enumerate(arrivals)]  # fmt: skip
        ended_s = max(row["done_s"] for row in rows)
        for row in rows:
            row["request"] += len(requests)
            row["first"] = row["request"]
        requests += rows
        about = (cell_name, n, repeat, phase, f"Burst({n})", now_s, ended_s)
        cells.append(Cell(*about, sentinel_before_ms=[10.0, 10.2], sentinel_after_ms=[9.9, 10.4]))
        now_s = max(ended_s, events[-1]["t_s"]) + PAUSE_S
    info = _info(house, seed, cells, requests, verdict, list(warnings), simulated)
    tables = {"requests": requests, "events": events,
              "samples": _samples(rng, now_s, events), "probes": _probes(rng, now_s)}  # fmt: skip
    write_run(folder, info, tables)
    return read_run(folder)


def _arrivals(
    house: House, rng: np.random.Generator, first: int, n: int, now_s: float
) -> list[FakeJob]:
    at_s = now_s + np.sort(rng.uniform(0.002, 0.003 + 0.002 * n, n))
    work_s = house.service_s / house.pages * rng.lognormal(0, 0.15, (n, house.pages))
    return [
        FakeJob(f"job-{first + i}", float(at_s[i]), list(work_s[i] * rng.lognormal(0, 0.02)))
        for i in range(n)
    ]


def _request(
    rng: np.random.Generator,
    cell: str,
    phase: Phase,
    client: int,
    job: FakeJob,
    over_s: float,
    intended_s: float,
    house: House,
) -> dict[str, Any]:
    done = job.outcome == "completed"
    started_s = job.start_s if job.start_s == job.start_s else over_s
    times_ns = (intended_s, job.submit_s - rng.uniform(0, 0.0015), over_s + rng.uniform(1e-3, 6e-3))
    intended_ns, sent_ns, done_ns = (round(1e9 * t) for t in times_ns)
    return Request(
        request=client,
        cell=cell,
        phase=phase,
        client=client,
        intended_ns=intended_ns,
        sent_ns=sent_ns,
        done_ns=done_ns,
        status=STATUS[job.outcome],
        outcome=job.outcome,
        job_id=job.job_id,
        worker=job.worker,
        queue_ms=round(1e3 * (started_s - job.submit_s), 3),
        process_ms=round(1e3 * (over_s - started_s), 3),
        total_ms=round(1e3 * (over_s - job.submit_s), 3),
        pages=house.pages if done else 0,
        bytes=2000 if done else 200,
    ).row(0)


def _samples(rng: np.random.Generator, until_s: float, events: Rows) -> Rows:
    at_s = np.arange(0, until_s, 0.05)
    ends = np.array([e["t_s"] for e in events])
    busy = np.array([e["busy"] for e in events])[np.maximum(np.searchsorted(ends, at_s) - 1, 0)]
    lag_ms = rng.gamma(2, 0.6, len(at_s))
    return [
        {"t_s": round(float(t), 3), "loop_lag_ms": round(float(lag), 3),
         "server_cpu_s": round(1.8 * float(t), 3), "client_cpu_s": round(0.08 * float(t), 3),
         "server_rss_mb": 140.0, "children_rss_mb": 30.0 * int(n), "scratch_mb": 44.0 * int(n)}
        for t, lag, n in zip(at_s, lag_ms, busy, strict=True)
    ]  # fmt: skip


def _probes(rng: np.random.Generator, until_s: float) -> Rows:
    sent_s = np.arange(0, until_s, 0.02)
    took_s = rng.lognormal(np.log(2.4e-3), 0.5, len(sent_s))
    return [
        {"sent_s": round(float(s), 6), "done_s": round(float(s + d), 6), "status": 200}
        for s, d in zip(sent_s, took_s, strict=True)
    ]


def _info(
    house: House,
    seed: int,
    cells: list[Cell],
    requests: Rows,
    verdict: Verdict,
    warnings: list[str],
    simulated: bool,
) -> RunInfo:
    counts = Counter(row["outcome"] for row in requests)
    return RunInfo(
        name="synthetic",
        kind="sweep",
        mode="custom",
        started_at="2026-01-02T03:04:05+00:00",
        seed=seed,
        command=["tests"],
        server={"pdf_workers": house.workers, "pdf_queue_size": house.queue_size,
                "pdf_timeout": house.timeout_s, "dispatch": "shared", "runner": "thread",
                "engine": "sleep" if simulated else "poppler", "dpi": 200},
        client={},
        document={"name": "synthetic.pdf", "pages": house.pages, "bytes": 1_200_000},
        machine={"cpu": "Synthetic CPU", "cores": house.cores, "physical_cores": house.cores,
                 "memory_gb": 8.0, "os": "none", "python": "3"},
        versions={},
        simulated=simulated,
        cells=cells,
        ledger={"received": len(requests), "waiting": 0, "running": 0, "outcomes": dict(counts)},
        warnings=warnings,
        verdict=verdict,
    )  # fmt: skip
