"""Figure 12: where the time of a completed request goes, for each concurrency."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.store import Run
from labserver.bench.summary import summary
from labserver.plots.style import OVERHEAD, WAIT, WORK, canvas, entitle, figure_of, say

PARTS = {"process_ms": WORK, "queue_ms": WAIT, "overhead_ms": OVERHEAD}
FEWEST_BARS = 5
GROWN = 1.2


def time_bars(run: Run, ax: Axes | None = None) -> Figure:
    """Mean seconds of service, of waiting and of all the rest, stacked, a bar a concurrency.

    The rest is the latency less the two times that the server measured: the network, both event
    loops and the generator's own delay.
    """
    with canvas(run, ax) as axes:
        table = summary(run)
        table = table[table["200"] > 0]
        timed = table.dropna(subset=list(PARTS))
        if len(timed):
            _draw(axes, timed)
        else:
            say(axes, "the server told no times" if len(table) else "no completed request")
    return figure_of(axes)


def _draw(ax: Axes, table: pd.DataFrame) -> None:
    place = np.arange(len(table))
    bottom = np.zeros(len(table))
    for column, ink in PARTS.items():
        height = table[column].clip(lower=0).to_numpy() / 1000
        ax.bar(
            place,
            height,
            0.7,
            bottom,
            color=ink.colour,
            hatch=ink.hatch,
            edgecolor="black",
            lw=0.5,
            label=ink.label,
        )
        bottom += height
    for x, top, overhead_ms in zip(place, bottom, table["overhead_ms"], strict=True):
        ax.annotate(
            f"{overhead_ms:.0f}",
            (x, top),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    middle, half = place.mean(), max(len(table), FEWEST_BARS) / 2
    ax.set_xlim(middle - half, middle + half)
    ax.set_ylim(0, 1.3 * bottom.max())
    ax.set_xticks(place, [str(n) for n in table.index])
    ax.grid(visible=False, axis="x")
    ax.set_xlabel("PDFs at once, N")
    ax.set_ylabel("mean time of a completed request, s")
    ax.legend(loc="upper left", ncols=3)
    entitle(ax, _title(table), "above each bar: the overhead in ms, latency − (wait + service)")


def _title(table: pd.DataFrame) -> str:
    first, last = table.iloc[0], table.iloc[-1]
    wait = 100 * last["queue_ms"] / last[list(PARTS)].sum()
    said = f"At N = {table.index[-1]} a completed request waits for {wait:.0f} % of its time"
    grown = last["process_ms"] / first["process_ms"]
    if grown < GROWN:
        return said
    return f"{said}, and its service takes {grown:.1f} × as long as at N = {table.index[0]}"
