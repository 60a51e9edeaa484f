"""Figure 10: latency at each percentile, on the clock of the users and on that of the generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.cells import is_burst, measured_cells, said
from labserver.bench.stats import samples_needed
from labserver.bench.store import Run
from labserver.plots.style import canvas, entitle, figure_of, number, say

QUANTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)
COLOURS = ("#00507F", "#56B4E9", "#009E73", "#222222")  # none that means a status but completed
MARKERS = ("o", "s", "^", "D")
BEYOND = "#B0B0B0"
METHOD: Literal["inverted_cdf"] = "inverted_cdf"  # a sample itself, so that marks lie on the curve
APART = 1.2  # times, by which the two clocks must differ somewhere to be drawn as two


def percentiles(data: Run | Sequence[Run], ax: Axes | None = None) -> Figure:
    """Latency of the completed requests against 1/(1 − q), of one run or of several.

    A curve counts from the intended time, a dashed one in the same colour from the time at which
    the request was sent, where that tells something else. What is grey lies beyond the last
    percentile that has a 95 % bound.
    """
    runs = [data] if isinstance(data, Run) else list(data)
    done = [run.measured[run.measured["status"] == 200] for run in runs]
    with canvas(data, ax) as axes:
        if all(len(rows) > 1 for rows in done):
            _draw(axes, runs, done)
        else:
            say(axes, "too few completed requests")
    return figure_of(axes)


def suits_percentiles(runs: Sequence[Run]) -> bool:
    """Whether each run is one load that went on, with requests enough for a p90 and its bound."""
    return all(
        len(measured_cells(run)) == 1
        and not is_burst(run)
        and int((run.measured["status"] == 200).sum()) >= samples_needed(0.9)
        for run in runs
    )


def _draw(ax: Axes, runs: Sequence[Run], done: Sequence[pd.DataFrame]) -> None:
    for i, (run, rows) in enumerate(zip(runs, done, strict=True)):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        _curve(ax, rows["latency_s"], colour, marker, "-", _name(run, runs))
        if two_clocks(rows):
            sent_s = rows["done_s"] - rows["sent_s"]
            _curve(ax, sent_s, colour, marker, "--", f"{_name(run, runs)}, from the send time")
    largest = max(map(len, done))
    ax.plot([], [], color=BEYOND, lw=1.5, label="too few samples for a bound")
    ax.set_xscale("log")
    shown = [q for q in QUANTILES if 1 / (1 - q) <= largest] or [0.5]
    ax.set_xticks([1 / (1 - q) for q in shown], [f"p{100 * q:g}" for q in shown])
    ax.set_xticks([], minor=True)
    ax.set_xlim(1, 1.3 * largest)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("percentile, spaced as 1/(1 − q)")
    ax.set_ylabel("latency, s")
    ax.legend(loc="best")
    entitle(ax, _title(runs, done), _subtitle(runs, done))


def _curve(
    ax: Axes, latency_s: pd.Series[float], colour: str, marker: str, dashes: str, name: str
) -> None:
    """Every sample at its own percentile, grey from the last one that has a bound on."""
    ordered = np.sort(latency_s)
    n = len(ordered)
    at = n / (n - np.arange(n))  # the sample of rank k has n − k + 1 of n at it or above
    supported = 1 / (1 - highest_quantile(n))
    firm = at <= supported
    last = int(firm.sum())
    ax.plot(at[last - 1 :], ordered[last - 1 :], dashes, color=BEYOND, lw=1.5)
    ax.plot(at[firm], ordered[firm], dashes, color=colour, lw=2, label=name)
    marks = [q for q in QUANTILES if 1 / (1 - q) <= supported]
    ax.plot(
        [1 / (1 - q) for q in marks], np.quantile(ordered, marks, method=METHOD), marker,
        color=colour, mfc="white" if dashes == "--" else colour,
    )  # fmt: skip


def highest_quantile(n: int) -> float:
    """The highest q whose bounds `n` samples can hold, as `stats.quantile` asks for; 0.5 least."""
    low, high = 0.5, 1 - 1 / (10 * n)
    if samples_needed(low) > n:
        return low
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if samples_needed(middle) <= n else (low, middle)
    return low


def two_clocks(rows: pd.DataFrame) -> bool:
    """Whether the send clock tells another story than the intended one, at any percentile."""
    marks = [q for q in QUANTILES if q <= highest_quantile(len(rows))]
    sent_s = np.quantile(rows["done_s"] - rows["sent_s"], marks)
    return bool(np.any(np.quantile(rows["latency_s"], marks) > APART * sent_s))


def _name(run: Run, runs: Sequence[Run]) -> str:
    if len(runs) > 1:
        return run.path.name
    cells = measured_cells(run)
    return said(run, cells[0]) if len(cells) == 1 else "all points"


def _tail(rows: pd.DataFrame) -> float:
    """The highest of the marked percentiles that these samples have a bound for."""
    return max(q for q in QUANTILES if q <= highest_quantile(len(rows)))


def _title(runs: Sequence[Run], done: Sequence[pd.DataFrame]) -> str:
    q = min(_tail(rows) for rows in done)
    found = {
        _name(run, runs): float(np.quantile(rows["latency_s"], q))
        for run, rows in zip(runs, done, strict=True)
    }
    if len(runs) > 1:
        told = ", ".join(f"{number(value_s)} s ({name})" for name, value_s in found.items())
        return f"p{100 * q:g} is {told}"
    told = f"p{100 * q:g} is {number(next(iter(found.values())))} s"
    if not two_clocks(done[0]):
        return told
    sent_s = float(np.quantile(done[0]["done_s"] - done[0]["sent_s"], q))
    return f"{told} for the users, and {number(sent_s)} s counted from the send time"


def _subtitle(runs: Sequence[Run], done: Sequence[pd.DataFrame]) -> str:
    sent, completed = sum(len(run.measured) for run in runs), sum(map(len, done))
    of = "" if sent == completed else f" ({completed} of {sent})"
    clock = "from the intended time"
    if any(map(two_clocks, done)):
        clock += "; dashed: from the send time"
    return f"completed requests{of}, latency {clock}"
