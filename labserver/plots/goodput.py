"""Figure 6: what is completed in time against what is asked for, a curve a policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.cells import capacity_per_s, goodputs, is_open, pool_of
from labserver.bench.store import Run
from labserver.plots.policies import looks, told_apart
from labserver.plots.style import MODEL, canvas, entitle, figure_of, number, say

ALIKE = 0.05  # of the capacity: differences below this are not told


def has_rates(runs: Sequence[Run]) -> bool:
    """Whether the runs are of open loops, at more than one rate."""
    rates = {cell.rate_per_s for run in runs for cell in run.info.cells if cell.rate_per_s}
    return len(rates) > 1 and all(is_open(run) for run in runs)


def goodput(runs: Sequence[Run], ax: Axes | None = None) -> Figure:
    """Both in units of each run's own capacity c/S; a dot a cell, a line through their means."""
    points = _points(runs)
    with canvas(runs, ax) as axes:
        if len(points):
            _draw(axes, points, runs)
        else:
            say(axes, "no open loop, so no offered load")
    return figure_of(axes)


def _points(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a measured cell: its policy and rate, and load and goodput as shares of capacity."""
    tables = [pd.DataFrame(columns=["policy", "rate_per_s", "load", "goodput"])]
    for run, policy in zip(runs, told_apart(runs), strict=True):
        cells, most_per_s = goodputs(run), capacity_per_s(run)
        table = cells[["rate_per_s"]].assign(
            policy=policy,
            load=cells["offered_per_s"] / most_per_s,
            goodput=cells["goodput_per_s"] / most_per_s,
        )
        tables += [table[(table["rate_per_s"] > 0) & np.isfinite(table["goodput"])]]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled) if filled else tables[0]


def _draw(ax: Axes, points: pd.DataFrame, runs: Sequence[Run]) -> None:
    largest = float(points["load"].max())
    end = 1.06 * largest
    ax.plot([0, end], [0, end], ":", color=MODEL, lw=1, label="all of it, on the diagonal")
    ax.axhline(1, color=MODEL, ls="-.", lw=1, label="capacity, c/S")
    for policy, look in looks(list(points["policy"])).items():
        mine = points[points["policy"] == policy]
        means = mine.groupby("rate_per_s")[["load", "goodput"]].mean()
        ax.plot(mine["load"], mine["goodput"], **{**look, "ls": ""}, ms=4, alpha=0.5)
        ax.plot(means["load"], means["goodput"], **look, ms=6, lw=1.8, label=policy)
    ax.set_xlim(0, end)
    ax.set_ylim(0, 1.35)
    ax.set_xlabel("offered load, in units of the capacity c/S")
    ax.set_ylabel("goodput, in units of c/S")
    ax.legend(loc="upper left", ncols=3)
    entitle(ax, _title(points, largest), _subtitle(runs))


def _title(points: pd.DataFrame, largest: float) -> str:
    """What the policies come to at the highest load that each of them met."""
    top = points[points["rate_per_s"] == points.groupby("policy")["rate_per_s"].transform("max")]
    left = top.groupby("policy")["goodput"].mean()
    worst, best = int(left.argmin()), int(left.argmax())
    most, least = 100 * left.iloc[best], 100 * left.iloc[worst]
    load = f"At {number(largest)} times the capacity"
    if len(left) == 1:
        return f"{load}, {most:.0f} % of it is used in time"
    if most - least < 100 * ALIKE:
        return f"{load}, each policy uses about {most:.0f} % of it in time"
    return (
        f"{load}, {most:.0f} % of it is used in time with {left.index[best]}; {least:.0f} % with "
        f"{left.index[worst]}"
    )


def _subtitle(runs: Sequence[Run]) -> str:
    pools = {
        (server[f"{pool}_workers"], server[f"{pool}_timeout"])
        for server, pool in ((run.info.server, pool_of(run)) for run in runs)
    }
    said = "dots: single cells; lines: through their means"
    if len(pools) > 1:
        return said
    workers, deadline_s = pools.pop()
    deadline = f", deadline T = {deadline_s:g} s" if deadline_s else ""
    return f"c = {workers} workers{deadline}; {said}"
