"""What theory says of an open-loop sweep of simulated work, against what was measured there."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labserver.bench.cells import measured_cells, pool_of
from labserver.bench.records import Arrivals
from labserver.bench.stats import mean_interval, wilson
from labserver.bench.store import Run, write_table
from labserver.bench.timeline import jobs, replayed_wait_s
from labserver.theory.arrivals import Even, Poisson
from labserver.theory.distributions import Exponential, Fixed
from labserver.theory.queues import mdc_wait, mmck
from labserver.theory.simulator import simulate

SETTLING = 0.2  # the first part of a point is left out: it begins with an empty house
SIMULATED_JOBS = 200_000
NEVER = 1e-4  # a share of refusals that is none
SECONDS = re.compile(r"seconds=([\d.]+)")
HTML_CELL = re.compile(r"<td>.*?</td>")
COLUMNS = (
    "rate_per_s", "of_capacity", "rho", "repeats", "jobs", "quantity", "measured", "low", "high",
    "model", "expected", "inside", "model_error", "forecast", "forecast_error", "service_ms",
    "replayed_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a model says: the mean wait of the jobs let in, the share of those refused."""

    model: str
    wait_s: float
    p_reject: float


@dataclass(frozen=True, slots=True)
class Pool:
    """Workers behind one queue, as the models know them; `service` is "fixed" or "exponential"."""

    workers: int
    queue_size: int
    service: str
    arrivals: Arrivals

    def expects(self, rate_per_s: float, service_s: float) -> Expectation:
        """M/M/c/K; M/D/c where hardly any job is refused; else what the simulator gives.

        The sources of the formulas stand at `mmck` and `mdc_wait`.
        """
        found = mmck(rate_per_s, service_s, self.workers, self.queue_size)
        wait_s, p_reject = float(found.wait_s), float(found.p_reject)
        endless = p_reject < NEVER and rate_per_s * service_s < self.workers
        letter = "M" if self.service == "exponential" else "D"
        name = f"M/{letter}/{self.workers}" + ("" if endless else f"/{self._room}")
        if self.arrivals == "poisson" and letter == "M":
            return Expectation(name, wait_s, p_reject)
        if self.arrivals == "poisson" and endless:
            return Expectation(name, float(mdc_wait(rate_per_s, service_s, self.workers)), 0.0)
        return self._simulated(rate_per_s, service_s)

    @property
    def _room(self) -> int:
        return self.workers + self.queue_size

    def _simulated(self, rate_per_s: float, service_s: float) -> Expectation:
        arrivals = Poisson if self.arrivals == "poisson" else Even
        service = Exponential if self.service == "exponential" else Fixed
        found = simulate(
            arrivals(rate_per_s, SIMULATED_JOBS), service(service_s),
            servers=self.workers, queue_size=self.queue_size,
        )  # fmt: skip
        return Expectation("simulator", found.mean_wait_s, found.p_reject)


def pool_to_forecast(run: Run) -> Pool | None:
    """The run's pool; None when no model here is of it: real work, several queues, skipped jobs."""
    server, client, name = run.info.server, run.info.client, pool_of(run)
    plain = server.get("dispatch") == "shared" and not server.get("shed")
    plain = plain and server.get("discipline", "fifo") == "fifo"
    known = server.get("service") in ("fixed", "exponential") and name == "pdf"
    if not (run.info.simulated and plain and known and "capacity_per_s" in client):
        return None
    workers = server["pdf_workers"]
    queue_size = workers * server["pdf_queue_size"]
    return Pool(workers, queue_size, server["service"], client["arrivals"])


@dataclass(frozen=True, repr=False, eq=False)
class Forecasts:
    """A row for each rate and quantity (`wait_s`, `p503`) of a sweep; its `repr` is the table."""

    run: Run
    pool: Pool

    @cached_property
    def table(self) -> pd.DataFrame:
        """The raw figures, with `COLUMNS`.

        `measured` between `low` and `high`: the mean wait with the 95 % t-interval over repeats,
        the share of 503 with Wilson's. `expected` is the model with the arrivals and the mean
        service time of the run itself, `forecast` with the planned rate and the service time
        measured before. An error is the model's surplus, as a share of what was measured, or in
        shares of the requests for `p503`. `replayed_s` is the mean wait that the very same arrivals
        and times of work give with workers that lose no time: from there to `measured` is what the
        server added, from `expected` to there is chance. The first 20 % of each point are left out.
        """
        return pd.DataFrame(self._rows(), columns=COLUMNS)

    def _rows(self) -> Iterator[dict[str, Any]]:
        rows, lasted_s = settled(self.run)
        ideal_s = replayed_wait_s(jobs(self.run.events), self.pool.workers)
        for rate, mine in rows.groupby("rate_per_s"):
            yield from self._of_rate(float(str(rate)), mine, lasted_s, ideal_s)

    def _of_rate(
        self,
        rate_per_s: float,
        rows: pd.DataFrame,
        lasted_s: Mapping[str, float],
        ideal_s: pd.Series[float],
    ) -> Iterator[dict[str, Any]]:
        done = rows[rows["status"] == 200]
        cells = done.groupby("cell")
        arrived_per_s = len(rows) / sum(lasted_s[str(cell)] for cell in rows["cell"].unique())
        service_s = done["process_ms"].mean() / 1000
        capacity_per_s = self.run.info.client["capacity_per_s"]
        expected = self.pool.expects(arrived_per_s, service_s)
        forecast = self.pool.expects(rate_per_s, self.pool.workers / capacity_per_s)
        about = {
            "rate_per_s": rate_per_s,
            "of_capacity": rate_per_s / capacity_per_s,
            "rho": arrived_per_s * service_s / self.pool.workers,
            "repeats": len(cells),
            "jobs": len(rows),
            "model": expected.model,
            "service_ms": 1000 * service_s,
        }
        waited = _mean(cells["queue_ms"].mean() / 1000)
        ideal_s = ideal_s.reindex(done["job_id"]).groupby(done["cell"].to_numpy()).mean()
        yield (
            about
            | {"replayed_s": ideal_s.mean()}
            | _judged("wait_s", waited, expected.wait_s, forecast.wait_s, relative=True)
        )
        refused = int((rows["status"] == 503).sum())
        if refused or max(expected.p_reject, forecast.p_reject) >= NEVER:
            share = wilson(refused, len(rows))
            found = (share.estimate, share.low, share.high)
            yield about | _judged("p503", found, expected.p_reject, forecast.p_reject)

    def __str__(self) -> str:
        return "\n".join([self._headline(), "", self.shown.to_string(index=False)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = self.shown.to_html(index=False, border=0)
        # In a narrow window a number would be parted from its unit.
        table = HTML_CELL.sub(lambda cell: cell[0].replace(" ", "&nbsp;"), table)
        return f"<p>{self._headline()}</p>{table}"

    def _headline(self) -> str:
        inside = self.table["inside"]
        added_ms = 1000 * (self.table["measured"] - self.table["replayed_s"]).max()
        return (
            f"theory: {inside.sum()} of {len(inside)} models are inside the measured interval; "
            f"replayed without losing time, jobs wait up to {added_ms:.1f} ms less"
        )

    @property
    def shown(self) -> pd.DataFrame:
        """The table as text, for a reader."""
        table = self.table
        share = table["quantity"] == "p503"
        scale, unit = np.where(share, 100, 1000), np.where(share, " %", " ms")
        figures = {
            name: [f"{n:.3g}{u}" for n, u in zip(table[name] * scale, unit, strict=True)]
            for name in ("measured", "expected", "forecast")
        }
        bounds = zip(table["low"] * scale, table["high"] * scale, strict=True)
        return pd.DataFrame(
            {
                "of cap.": table["of_capacity"].map("{:.2f}".format),
                "ρ": table["rho"].map("{:.3f}".format),
                "jobs": table["jobs"],
                "": np.where(share, "503s", "wait"),
                "measured": figures["measured"],
                "95 %": [f"[{low:.3g}, {high:.3g}]" for low, high in bounds],
                "model": table["model"],
                "says": figures["expected"],
                "inside": np.where(table["inside"], "yes", "no"),
                "off by": _errors(table["model_error"], share),
                "forecast": figures["forecast"],
                "off by ": _errors(table["forecast_error"], share),
                "S ms": table["service_ms"].map("{:.2f}".format),
                "replay": np.where(share, "", (1000 * table["replayed_s"]).map("{:.3g} ms".format)),
            }
        )

    def save(self, path: Path) -> None:
        """Write the table as CSV."""
        write_table(path, COLUMNS, self.table.to_dict("records"))


def forecasts(run: Run) -> Forecasts | None:
    """What theory says of the run, or None where it has no model of it."""
    pool = pool_to_forecast(run)
    return None if pool is None or run.measured.empty else Forecasts(run, pool)


def settled(run: Run) -> tuple[pd.DataFrame, dict[str, float]]:
    """The measured requests but those of the first part of each cell, and how long the rest of
    each cell's arrivals lasted, in seconds.
    """
    rows = run.measured
    seconds = {cell.cell: float(SECONDS.findall(cell.load)[0]) for cell in measured_cells(run)}
    begins_s = {c.cell: c.started_s + SETTLING * seconds[c.cell] for c in measured_cells(run)}
    kept = rows[rows["intended_s"] >= rows["cell"].map(begins_s)]
    return kept, {cell: (1 - SETTLING) * lasted_s for cell, lasted_s in seconds.items()}


def _mean(repeats: pd.Series[float]) -> tuple[float, float, float]:
    if len(repeats) < 2:
        return float(repeats.mean()), math.nan, math.nan
    found = mean_interval(repeats)
    return found.estimate, found.low, found.high


def _judged(
    quantity: str,
    found: tuple[float, float, float],
    expected: float,
    forecast: float,
    *,
    relative: bool = False,
) -> dict[str, Any]:
    measured, low, high = found
    unit = measured if relative else 1.0
    return {
        "quantity": quantity, "measured": measured, "low": low, "high": high,
        "expected": expected, "inside": low <= expected <= high, "forecast": forecast,
        "model_error": (expected - measured) / unit,
        "forecast_error": (forecast - measured) / unit,
    }  # fmt: skip


def _errors(errors: pd.Series[float], share: pd.Series[bool]) -> list[str]:
    return [
        f"{100 * error:+z.1f} points" if points else f"{error:+z.0%}"
        for error, points in zip(errors, share, strict=True)
    ]
