"""Every forecast that saved runs allow beside what they measured. It makes no new ones."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from labserver.bench.predict import backtests
from labserver.bench.replay import can_replay, replay
from labserver.bench.store import Run
from labserver.bench.twin import measured_service
from labserver.theory.distributions import Empirical

ALONE = "from its jobs alone"
SLOWED = "and how slow full cores are"
AGAIN = "same arrivals, simulated"
COLUMNS = ["run", "model", "load", "docs_per_s", "docs_per_s_low", "docs_per_s_high",
           "measured_per_s", "service_s"]  # fmt: skip


def parity_points(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a forecast: whose, by which model, of what load, and documents per second.

    `docs_per_s` is forecast, with bounds *_low and *_high, and `measured_per_s` a mean of repeats
    at an N or of one cell at a rate; `service_s` is the run's own S, to tell rates in units of 1/S.
    No row for an INVALID run, or one that no model speaks of.
    """
    parts = [part for run in runs if run.info.verdict == "valid" for part in _of(run)]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _of(run: Run) -> list[pd.DataFrame]:
    if can_replay(run):
        again = replay(run)
        load = again["rate_per_s"].map("{:.3g}/s".format)
        return [_named(again, run, AGAIN, load, measured_service(run))]
    return [
        _named(test.table, run, model, test.table.index.map("N = {}".format), test.service)
        for model, test in zip((ALONE, SLOWED), backtests(run), strict=False)
    ]


def _named(
    table: pd.DataFrame,
    run: Run,
    model: str,
    load: pd.Series[str] | pd.Index[str],
    service: Empirical,
) -> pd.DataFrame:
    return table.assign(run=run.info.name, model=model, load=load, service_s=service.mean_s)
