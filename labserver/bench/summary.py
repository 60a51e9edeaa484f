"""A run in numbers: a row a concurrency, or a rate. A report and the plots show what it says."""

from __future__ import annotations

import pandas as pd

from labserver.bench.cells import axis_of, throughputs
from labserver.bench.health import quantile_if_any
from labserver.bench.stats import mean_interval
from labserver.bench.store import Run

TAIL = 0.95


def summary(run: Run) -> pd.DataFrame:
    """A row a concurrency, or a rate of an open loop, with raw numbers (NaN: too few samples).

    `docs_per_s` and `pages_per_s` are means over repeats, `*_low` and `*_high` their t-interval.
    Latencies (seconds) and times (mean ms) are of the completed requests, pooled over repeats:
    `p50_s` and `p95_s` with order-statistic bounds, `max_s`, and `queue_ms`, `process_ms`,
    `overhead_ms`, which add up to the mean latency. A burst's requests share their fate, so that
    the bounds of its quantiles are narrower than they should be.
    """
    axis = axis_of(run)
    cells = dict(iter(throughputs(run).groupby(axis)))
    rows = {n: _row(rows, cells[n]) for n, rows in run.measured.groupby(axis)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis(axis)


COLUMNS = [
    "repeats", "requests", "200", "503", "504", "other",
    "docs_per_s", "docs_per_s_low", "docs_per_s_high",
    "pages_per_s", "pages_per_s_low", "pages_per_s_high",
    "p50_s", "p50_s_low", "p50_s_high", "p95_s", "p95_s_low", "p95_s_high", "max_s",
    "queue_ms", "process_ms", "overhead_ms",
]  # fmt: skip


def _row(rows: pd.DataFrame, cells: pd.DataFrame) -> dict[str, float]:
    statuses = rows["status"].value_counts()
    known = {str(status): int(statuses.get(status, 0)) for status in (200, 503, 504)}
    done = rows[rows["status"] == 200]
    overhead_ms = 1000 * done["latency_s"] - done["queue_ms"] - done["process_ms"]
    return {
        "repeats": len(cells),
        "requests": len(rows),
        **known,
        "other": len(rows) - sum(known.values()),
        **_rate("docs_per_s", cells["docs_per_s"]),
        **_rate("pages_per_s", cells["pages_per_s"]),
        **_latency("p50_s", done["latency_s"], 0.5),
        **_latency("p95_s", done["latency_s"], TAIL),
        "max_s": done["latency_s"].max(),
        "queue_ms": done["queue_ms"].mean(),
        "process_ms": done["process_ms"].mean(),
        "overhead_ms": overhead_ms.mean(),
    }


def _rate(name: str, repeats: pd.Series[float]) -> dict[str, float]:
    if len(repeats) < 2:
        return {name: repeats.mean()}
    found = mean_interval(repeats)
    return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}


def _latency(name: str, latency_s: pd.Series[float], q: float) -> dict[str, float]:
    """The quantile with its bounds; a median may stand without them, a tail may not."""
    if (found := quantile_if_any(latency_s, q)) is not None:
        return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}
    return {name: latency_s.median()} if q == 0.5 else {}
