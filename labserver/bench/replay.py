"""An open load again, in the simulator: the same arrivals, and what it would have given."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labserver.bench.cells import is_open, pool_of, throughputs
from labserver.bench.store import Run
from labserver.bench.target import target_of
from labserver.bench.twin import twins
from labserver.theory.simulation import Outcome, Simulation

DRAWS = 20


def can_replay(run: Run) -> bool:
    """Whether the simulator knows all that the run's server and clients did.

    An open loop of clients who neither leave nor try again, before a server that was ours, refuses
    only when it is full, serves the first first, was left alone and has a core for each worker.
    """
    server, rows = run.info.server, run.measured
    return (
        is_open(run)
        and bool(server["engine"] or pool_of(run) == "message")
        and not server.get("shed")
        and "meanwhile" not in run.info.client
        and server.get("discipline") in (None, "fifo")
        and bool((rows["attempt"] == 1).all())
        and not rows["outcome"].isin(["timeout", "rate_limited"]).any()
        and bool((rows["status"] == 200).any())
        and (run.info.simulated or target_of(run).workers <= target_of(run).cores)
    )


def replay(run: Run, *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """A row a measured cell: its goodput, completed jobs per second, as predicted and as measured.

    The columns are rate_per_s, docs_per_s (the median of `draws`), docs_per_s_low, docs_per_s_high
    (95 % of them) and measured_per_s. The prediction knows when each request came, and S as it was
    in this run (`measured_service`), so that its error is the model's. Raises ValueError unless
    `can_replay`.
    """
    if not can_replay(run):
        raise ValueError(f"{run.info.name} did what the simulator knows nothing of")
    measured = throughputs(run)
    goodput = {
        str(cell): [
            _goodput_per_s(ran) for ran in twins(run, str(cell), seeds=range(seed, seed + draws))
        ]
        for cell in measured.index
    }
    low, median, high = np.quantile(list(goodput.values()), (0.025, 0.5, 0.975), axis=1)
    return pd.DataFrame(
        {
            "rate_per_s": measured["rate_per_s"],
            "docs_per_s": median,
            "docs_per_s_low": low,
            "docs_per_s_high": high,
            "measured_per_s": measured["docs_per_s"],
        }
    )


def _goodput_per_s(ran: Simulation) -> float:
    return float(np.sum(ran.outcome == Outcome.COMPLETED) / ran.end_s.max())
