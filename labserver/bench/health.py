"""How the server itself fared while it was loaded: its memory, its loop, its replies."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from labserver.bench.cells import during_measured
from labserver.bench.stats import Quantile, quantile, samples_needed
from labserver.bench.store import Run
from labserver.bench.timeline import moment


@dataclass(frozen=True, slots=True)
class Health:
    """How the server itself fared during the measured cells; memory in MB over the whole run.

    `peak_mb` is of the server with its children and its page files in memory, `server_peak_mb` of
    the server alone. Both replies are counted from the end of each completed job's work: `sent_ms`
    to the server's beginning to send the answer (empty in runs from before that was noted) and
    `reply_ms` to its client's having it, the wire and the client's own wakeup included. The
    quantiles are None where the samples are too few.
    """

    peak_mb: float
    server_peak_mb: float
    livez_p50_ms: Quantile | None
    livez_p99_ms: Quantile | None
    livez_max_ms: float
    probes: int
    probes_failed: int
    loop_lag_p99_ms: Quantile | None
    sent_ms: pd.Series[float]
    reply_ms: pd.Series[float]


def health(run: Run) -> Health:
    """The server's memory, its answers to /livez and the lag of its event loop."""
    memory = run.samples[["server_rss_mb", "children_rss_mb", "scratch_mb"]].astype(float)
    probes = run.probes[during_measured(run, run.probes["sent_s"])]
    answered_ms = 1000 * (probes["done_s"] - probes["sent_s"])[probes["status"] == 200]
    lag_ms = run.samples["loop_lag_ms"][during_measured(run, run.samples["t_s"])]
    return Health(
        peak_mb=float(memory.sum(axis=1, min_count=1).max()),
        server_peak_mb=float(memory["server_rss_mb"].max()),
        livez_p50_ms=quantile_if_any(answered_ms, 0.5),
        livez_p99_ms=quantile_if_any(answered_ms, 0.99),
        livez_max_ms=float(answered_ms.max()),
        probes=len(probes),
        probes_failed=int((probes["status"] != 200).sum()),
        loop_lag_p99_ms=quantile_if_any(lag_ms, 0.99),
        sent_ms=_after_work_ms(run, "reply_s"),
        reply_ms=_after_work_ms(run, "done_s"),
    )


def _after_work_ms(run: Run, moment_s: str) -> pd.Series[float]:
    done = run.measured[run.measured["status"] == 200].set_index("job_id")
    done["reply_s"] = moment(run.events, "reply")
    return (1000 * (done[moment_s] - moment(run.events, "end"))).dropna()


def quantile_if_any(values: pd.Series[float], q: float) -> Quantile | None:
    """The quantile, or None where there are too few samples for its bounds."""
    sample = values.dropna()
    return quantile(sample, q) if len(sample) >= samples_needed(q) else None
