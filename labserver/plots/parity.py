"""Figure 16: predicted against measured throughput, of all runs that the models speak of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.parity import AGAIN, ALONE, SLOWED, parity_points
from labserver.bench.store import Run
from labserver.plots.style import INK, LAW, MODEL, canvas, entitle, figure_of, say

BANDS = ((0.25, "#EFEFEF"), (0.10, "#D9D9D9"))
# Model → marker, edge, face: told apart by shape and by whether they are filled.
LOOKS = {
    ALONE: ("o", INK["200"].colour, "white"),
    SLOWED: ("o", INK["200"].colour, INK["200"].colour),
    AGAIN: ("^", LAW, LAW),
}


def parity(
    runs: Sequence[Run], ax: Axes | None = None, points: pd.DataFrame | None = None
) -> Figure:
    """A point a forecast, from `parity_points`: on the line it came true, below it fell short.

    The bars are the forecasts' own 95 %, and the bands 10 % and 25 % off. `points` are those of
    `runs`, where they have been made already.
    """
    with canvas(runs, ax) as axes:
        points = parity_points(runs) if points is None else points
        if len(points):
            _draw(axes, points, sum(run.info.simulated for run in runs))
        else:
            say(axes, "no run that a forecast could be held against")
    return figure_of(axes)


def _draw(ax: Axes, points: pd.DataFrame, simulated: int) -> None:
    rates = points.filter(regex="_per_s").mul(points["service_s"], axis=0)
    top = 1.1 * float(rates[["docs_per_s", "measured_per_s"]].to_numpy().max())
    _bands(ax, np.array([0, top]))
    for model, (marker, edge, face) in LOOKS.items():
        shown = rates[points["model"] == model]
        if shown.empty:
            continue
        said = shown["docs_per_s"]
        below, above = said - shown["docs_per_s_low"], shown["docs_per_s_high"] - said
        ax.errorbar(
            said,
            shown["measured_per_s"],
            xerr=[below.fillna(0), above.fillna(0)],
            fmt=marker,
            color=edge,
            mfc=face,
            ms=6,
            lw=1,
            label=f"{model} ({len(shown)})",
        )
    ax.set(xlim=(0, top), ylim=(0, top))
    ax.set_xlabel("predicted throughput, jobs in the time S of one alone")
    ax.set_ylabel("measured, jobs in the time S")
    ax.legend(loc="upper left")
    bars = "bars: the forecasts' own 95 %; below the line they promised too much"
    mixed = f"; {simulated} of the runs did SIMULATED WORK" if simulated else ""
    entitle(ax, _title(points), bars + mixed)


def _bands(ax: Axes, ends: np.ndarray) -> None:
    for off, grey in BANDS:
        ax.fill_between(ends, ends / (1 + off), ends * (1 + off), color=grey, lw=0, zorder=0,
                        label=f"within {100 * off:.0f} %")  # fmt: skip
    ax.plot(ends, ends, color=MODEL, lw=1, zorder=1, label="as predicted")


def _title(points: pd.DataFrame) -> str:
    off = points["docs_per_s"] / points["measured_per_s"] - 1
    worst = float(off.iloc[int(np.argmax(off.abs()))])
    near = int((off.abs() <= BANDS[1][0]).sum())
    if len(points) == 1:
        return f"The forecast is {100 * worst:+z.0f} % off what was measured"
    of = f"{near} of {len(points)} forecasts are within 10 % of what was measured"
    return f"{of}, the worst is {100 * worst:+z.0f} % off"
