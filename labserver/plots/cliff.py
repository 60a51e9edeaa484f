"""Figure 9: goodput against the queue's length, and the cliff where that outgrows the deadline."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.cells import (
    capacity_per_s,
    goodputs,
    is_open,
    measured_cells,
    places_of,
    policy_of,
    pool_of,
)
from labserver.bench.store import Run
from labserver.bench.twin import twin
from labserver.plots.policies import looks
from labserver.plots.style import INK, MODEL, canvas, entitle, figure_of, number, say

POINTS = 60  # of the simulated curve
FALL = 0.1  # of the capacity: less is no cliff
SIDE = 0.018  # of the axis, between policies at the same Q


def is_cliff(runs: Sequence[Run]) -> bool:
    """Whether the runs put one and the same open load on queues of several lengths."""
    loads = {cell.load for run in runs for cell in measured_cells(run)}
    pools = {_pool(run) for run in runs}
    lengths = {places_of(run) for run in runs}
    return (
        all(is_open(run) for run in runs)
        and len(loads) == len(pools) == 1
        and len(lengths) > 1
        and math.isfinite(pools.pop()[1])
    )


def cliff(runs: Sequence[Run], ax: Axes | None = None) -> Figure:
    """Goodput in units of the capacity c/S, a dot a cell, hollow the simulator's forecast for it.

    The dashed curve is the simulator's for the first policy's runs, at any Q, under the arrivals
    and service times of the first of them. Without `--dispatch shared` there is none, as the
    simulator has one queue. Runs of different loads, workers or deadlines are not drawn.
    """
    with canvas(runs, ax) as axes:
        if is_cliff(runs):
            _draw(axes, runs)
        else:
            say(axes, "the runs differ in more than their queues")
    return figure_of(axes)


def _pool(run: Run) -> tuple[int, float]:
    """(c, T): workers and deadline in seconds."""
    server, pool = run.info.server, pool_of(run)
    return server[f"{pool}_workers"], server[f"{pool}_timeout"] or math.inf


def _points(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a measured cell: run (its number), policy, Q and goodput as a share of capacity."""
    rows = [
        (n, policy_of(run), places_of(run), goodput_per_s / capacity_per_s(run))
        for n, run in enumerate(runs)
        for goodput_per_s in goodputs(run)["goodput_per_s"]
    ]
    return pd.DataFrame(rows, columns=["run", "policy", "q", "goodput"]).dropna()


def _draw(ax: Axes, runs: Sequence[Run]) -> None:
    points = _points(runs)
    longest = int(points["q"].max())
    service_s = _service_s(runs)
    workers, deadline_s = _pool(runs[0])
    edge = workers * (deadline_s - service_s) / service_s
    base = "fifo" if "fifo" in set(points["policy"]) else str(points["policy"].iloc[0])
    shared = all(run.info.server["dispatch"] == "shared" for run in runs)
    if shared:
        first = runs[int(points[points["policy"] == base]["run"].iloc[0])]
        _curve(ax, first, base, 1.12 * longest)
    ax.vlines(edge, 0, 1.06, color=INK["504"].colour, ls="-.", lw=1.5, label="Q = c(T − S)/S")
    _measured(ax, runs, points, SIDE * longest, shared)
    ax.set_xlim(0, 1.12 * longest)
    ax.set_ylim(0, 1.45)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_xticks(sorted(set(points["q"])))
    ax.set_xlabel("jobs that may wait, Q")
    ax.set_ylabel("goodput, in units of the capacity c/S")
    ax.legend(loc="upper left", ncols=3)
    entitle(ax, _title(points, base), _subtitle(runs, service_s, edge))


def _service_s(runs: Sequence[Run]) -> float:
    """S: the mean service time of the jobs that completed, over all the runs."""
    rows = pd.concat([run.measured for run in runs])
    return float(rows.loc[rows["status"] == 200, "process_ms"].mean()) / 1000


def _curve(ax: Axes, run: Run, policy: str, longest: float) -> None:
    lengths = np.unique(np.linspace(0, longest, POINTS).round().astype(int))
    shares = [_simulated(run, int(q)) for q in lengths]
    ax.plot(lengths, shares, "--", color=MODEL, lw=1.2, label=f"{policy}, simulated")


def _measured(
    ax: Axes, runs: Sequence[Run], points: pd.DataFrame, side: float, shared: bool
) -> None:
    for n, (policy, look) in enumerate(looks(list(points["policy"])).items()):
        mine = points[points["policy"] == policy]
        at = mine["q"] + n * side
        ax.plot(at, mine["goodput"], **{**look, "ls": ""}, ms=7, label=policy, zorder=4)
        if shared and n:
            forecast = [_simulated(runs[run]) for run in mine["run"]]
            ax.plot(at, forecast, **{**look, "ls": "", "mfc": "none"}, ms=11, zorder=3)


def _simulated(run: Run, queue_size: int | None = None) -> float:
    """The simulator's goodput for the run, as a share of capacity."""
    return twin(run, queue_size=queue_size).goodput_per_s / capacity_per_s(run)


def _title(points: pd.DataFrame, base: str) -> str:
    by_length = points[points["policy"] == base].groupby("q")["goodput"].mean()
    best, last = int(by_length.argmax()), float(by_length.iloc[-1])
    longest = by_length.index[-1]
    if by_length.iloc[best] - last < FALL:
        return f"{base}: {_percent(last)} of the capacity is used in time with Q = {longest}"
    said = (
        f"{_percent(by_length.iloc[best])} of the capacity is used in time with a queue of "
        f"{by_length.index[best]}, {_percent(last)} with one of {longest}"
    )
    there = points[(points["policy"] != base) & (points["q"] == longest)]
    cures = there.groupby("policy")["goodput"].mean()
    if cures.empty:
        return said
    cure = int(cures.argmax())
    return f"{said}, and {_percent(cures.iloc[cure])} there with {cures.index[cure]}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _subtitle(runs: Sequence[Run], service_s: float, edge: float) -> str:
    workers, deadline_s = _pool(runs[0])
    load = goodputs(runs[0])["rate_per_s"].iloc[0] / capacity_per_s(runs[0])
    return (
        f"{number(load)} × capacity, c = {workers}, S = {number(1000 * service_s)} ms, "
        f"T = {number(deadline_s / service_s)} S: behind {edge:.0f} others a job starts too "
        "late; hollow: simulated"
    )
