"""Figure 5: what became of the requests at each load, and the goodput that is left."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from labserver.bench.cells import axis_of, is_open, throughputs
from labserver.bench.store import Run
from labserver.plots.style import INK, MODEL, canvas, entitle, figure_of, ink_of_status, number, say
from labserver.theory.queues import fluid_reject

ORDER = ("503", "504", "429", "other", "200")  # from the bottom, where 1 − 1/ρ can be held to it
BAR_WIDTH = 0.7
TOP = 1.3  # room for the legend


def status(run: Run, ax: Axes | None = None) -> Figure:
    """The share of each status at each load, stacked; the repeats of a load are pooled.

    Where the run knows its capacity, a load is ρ = offered rate / capacity, and there are two lines
    more: 1 − 1/ρ, the share that a server at full capacity cannot take, and the goodput as a share
    of the capacity. Else a load is a rate or a concurrency.
    """
    with canvas(run, ax) as axes:
        if run.measured.empty:
            say(axes, "no measured request")
        else:
            _draw(axes, run)
    return figure_of(axes)


def status_shares(run: Run) -> pd.DataFrame:
    """A row a load (rate_per_s or concurrency), a column a key of INK; each row adds up to 1."""
    rows = run.measured
    keys = rows["status"].map(ink_of_status)
    table = pd.crosstab(rows[axis_of(run)], keys, normalize="index")
    return table.reindex(columns=list(ORDER), fill_value=0.0)


def _draw(ax: Axes, run: Run) -> None:
    shares = status_shares(run)
    capacity_per_s = run.info.client.get("capacity_per_s")
    loads = shares.index.to_numpy(float) / (capacity_per_s or 1)
    _bars(ax, shares, loads)
    highest = 1.0
    if capacity_per_s:
        goodput = throughputs(run).groupby("rate_per_s")["docs_per_s"].mean() / capacity_per_s
        _lines(ax, loads, goodput)
        highest = max(highest, float(goodput.max()))
    ax.set_ylim(0, TOP * highest)
    ax.set_yticks(np.linspace(0, 1, 6), [f"{20 * i} %" for i in range(6)])
    ax.set_ylabel("share of the requests")
    ax.set_xticks(loads, [f"{load:.3g}" for load in loads])
    ax.set_xlabel(_axis(run))
    ax.legend(loc="upper center", ncols=3)
    entitle(ax, _title(run, shares, loads[-1]), _subtitle(run, loads[-1]))


def _bars(ax: Axes, shares: pd.DataFrame, loads: NDArray[np.float64]) -> None:
    width = BAR_WIDTH * (float(np.diff(loads).min()) if len(loads) > 1 else 1.0)
    bottom = np.zeros(len(loads))
    for key in ORDER:
        if shares[key].any():
            ink = INK[key]
            ax.bar(
                loads,
                shares[key],
                width,
                bottom,
                color=ink.colour,
                hatch=ink.hatch,
                edgecolor="black",
                lw=0.5,
                label=ink.label,
            )
        bottom += shares[key].to_numpy()


def _lines(ax: Axes, loads: NDArray[np.float64], goodput: pd.Series[float]) -> None:
    """Black on white, to be seen on bars of any colour."""
    low, high = ax.get_xlim()
    rho = np.linspace(max(low, 1e-3), high, 400)
    fluid = fluid_reject(rho, 1, 1)
    for x, y in ((rho, fluid), (loads, goodput)):
        ax.plot(x, y, color="white", lw=4)
    ax.plot(rho, fluid, "--", color=MODEL, lw=1.8, label="1 − 1/ρ: beyond the capacity")
    ax.plot(loads, goodput, "-o", color=MODEL, mfc="white", label="goodput / capacity")
    ax.set_xlim(low, high)


def _axis(run: Run) -> str:
    if run.info.client.get("capacity_per_s"):
        return "offered load, ρ = rate / capacity"
    return "offered rate, 1/s" if is_open(run) else "requests at once, N"


def _title(run: Run, shares: pd.DataFrame, load: float) -> str:
    """What becomes of the largest load."""
    last = shares.iloc[-1]
    sign = "ρ" if run.info.client.get("capacity_per_s") else "rate" if is_open(run) else "N"
    ends = [f"{100 * last[key]:.0f} % {_ending(key)}" for key in ORDER[::-1] if last[key]]
    return f"At {sign} = {load:.3g}: {', '.join(ends)}"


def _ending(key: str) -> str:
    """ "503 turned away" as "turned away (503)"."""
    code, _, words = INK[key].label.partition(" ")
    return f"{words} ({code})" if code == key else INK[key].label


def _subtitle(run: Run, load: float) -> str:
    capacity_per_s = run.info.client.get("capacity_per_s")
    if not capacity_per_s:
        return f"{len(run.measured)} requests"
    return (
        f"capacity {number(capacity_per_s)}/s; at ρ = {load:.3g} workers that never idle leave "
        f"1 − 1/ρ = {100 * fluid_reject(load, 1, 1):.0f} % undone"
    )
