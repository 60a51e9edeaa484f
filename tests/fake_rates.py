"""A maker of open-loop runs whose server is the simulator: what theory says holds in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labserver.bench.records import Cell, Request, RunInfo, Verdict
from labserver.bench.store import Run, read_run, write_run
from labserver.settings import Settings
from labserver.theory.arrivals import Poisson
from labserver.theory.distributions import Exponential, Fixed
from labserver.theory.simulation import Outcome, Simulation
from labserver.theory.simulator import simulate

STATUS = {Outcome.COMPLETED: (200, "completed"), Outcome.REJECTED: (503, "rejected")}
BETWEEN_S = 5.0
WIRE_S = 1e-3

Rows = list[dict[str, Any]]


def fake_rates(
    folder: Path,
    rates: Sequence[float],
    *,
    jobs: int = 2000,
    repeats: int = 3,
    service: str = "exponential",
    service_s: float = 0.03,
    queue_size: int = 200,
    late_s: float = 0.0,
    verdict: Verdict = "valid",
    server: Mapping[str, Any] | None = None,
) -> Run:
    """Write a sweep of `rates` (of the capacity of 2 workers) into `folder` and read it back.

    Each job is held up for `late_s` when its worker is free.
    """
    cells: list[Cell] = []
    requests: Rows = []
    events: Rows = []
    now_s = 0.0
    law = (Exponential if service == "exponential" else Fixed)(service_s)
    capacity_per_s = 2 / service_s
    for repeat in range(repeats):
        for rate in rates:
            rate_per_s = rate * capacity_per_s
            told = simulate(
                Poisson(rate_per_s, jobs), law, servers=2, queue_size=2 * queue_size,
                seed=len(cells),
            )  # fmt: skip
            lasts_s = float(told.arrival_s[-1])
            name = f"rate{rate_per_s:.4g}-r{repeat + 1}"
            load = f"OpenLoop(rate_per_s={rate_per_s}, seconds={lasts_s}, arrivals='poisson')"
            ends_s = now_s + float(told.end_s.max())
            cells.append(Cell(name, 0, repeat + 1, "measured", load, now_s, ends_s, rate_per_s))
            _play(told, name, now_s, late_s, requests, events)
            now_s = ends_s + BETWEEN_S
    settings = Settings(
        engine="sleep", service=service, pdf_workers=2, pdf_queue_size=queue_size, dispatch="shared"
    )
    events.sort(key=lambda row: row["t_s"])
    info = RunInfo(
        name="synthetic", kind="sweep", mode="custom", started_at="2026-01-02T03:04:05+00:00",
        seed=1, command=["tests"],
        server={**settings.model_dump(mode="json"), **(server or {})},
        client={"load": "open loop", "job": "pdf2image", "arrivals": "poisson",
                "capacity_per_s": capacity_per_s},
        document={"name": "simulated work (pdf2image)", "bytes": 0, "pages": 0},
        machine={"cpu": "Synthetic CPU", "cores": 2, "physical_cores": 2, "memory_gb": 8.0,
                 "os": "none", "python": "3"},
        versions={}, simulated=True, cells=cells, verdict=verdict,
        ledger={"received": len(requests), "waiting": 0, "running": 0,
                "outcomes": dict(Counter(row["outcome"] for row in requests))},
    )  # fmt: skip
    write_run(folder, info, {"requests": requests, "events": events})
    return read_run(folder)


def _play(
    told: Simulation, cell: str, at_s: float, late_s: float, requests: Rows, events: Rows
) -> None:
    free_s = [0.0, 0.0]
    for came_s, start_s, end_s, fate in zip(
        told.arrival_s + at_s, told.start_s + at_s, told.end_s + at_s, told.outcome, strict=True
    ):
        number = len(requests)
        status, outcome = STATUS[Outcome(fate)]
        begun_s = start_s + late_s if status == 200 else came_s
        over_s = end_s + late_s
        worker = int(np.argmin(free_s)) + 1
        row = Request(
            request=number, cell=cell, phase="measured", client=number,
            intended_ns=round(1e9 * came_s), sent_ns=round(1e9 * (came_s + WIRE_S / 10)),
            done_ns=round(1e9 * (over_s + WIRE_S)), status=status, outcome=outcome,
            job_id=f"job-{number}", worker=f"pdfWorker{worker}",
            queue_ms=1e3 * (begun_s - came_s), process_ms=1e3 * (over_s - begun_s),
        ).row(0)  # fmt: skip
        requests.append(row)
        steps = {"submit": came_s, "start": begun_s, "end": over_s}
        if status == 200:
            free_s[worker - 1] = over_s
        else:
            steps = {"reject": came_s}
        events += [
            {"t_s": round(t_s, 6), "event": event, "pool": "pdf", "job_id": f"job-{number}",
             "worker": f"pdfWorker{worker}", "waiting": 0, "busy": 1, "page": 0,
             "outcome": outcome if event in ("end", "reject") else ""}
            for event, t_s in steps.items()
        ]  # fmt: skip
