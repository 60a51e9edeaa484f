"""Figure 2: latency against concurrency, every reply and the quantiles of the completed ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.cells import Calibration, calibrate, is_burst
from labserver.bench.store import Run
from labserver.bench.summary import summary
from labserver.plots.style import (
    INK,
    MODEL,
    canvas,
    concurrency_axis,
    entitle,
    figure_of,
    ink_of_status,
    number,
    say,
)
from labserver.theory import closed


def latency(run: Run, ax: Axes | None = None) -> Figure:
    """Seconds from the intended time to the reply: a dot each, p50 and p95 (or the largest).

    The quantiles are of completed requests and carry order-statistic intervals where the samples
    allow one.
    """
    with canvas(run, ax) as axes:
        if len(run.measured):
            _draw(axes, run, summary(run))
        else:
            say(axes, "no measured request")
    return figure_of(axes)


def _draw(ax: Axes, run: Run, table: pd.DataFrame) -> None:
    _dots(ax, run.measured)
    done = table[table["200"] > 0]
    if len(done):
        _quantile(ax, done, "p50_s", "o-", "median")
    if done["p95_s"].notna().any():
        _quantile(ax, done, "p95_s", "^-", "p95")
    if done["p95_s"].isna().any():
        rest = done[done["p95_s"].isna()]
        ax.plot(
            rest.index,
            rest["max_s"],
            "_",
            markersize=14,
            mew=2,
            color=INK["200"].colour,
            label="largest (too few for p95)",
        )
    top_s = float(run.measured["latency_s"].max())
    if (calibration := calibrate(run)) is not None:
        _bound(ax, calibration, int(table.index.max()), top_s, burst=is_burst(run))
    ax.set_ylim(0, 1.35 * top_s)  # above: the legend
    concurrency_axis(ax, table.index)
    ax.set_ylabel("latency from the intended time, s")
    ax.legend(loc="upper left", ncols=2)
    entitle(ax, _title(table), _subtitle(calibration))


def _dots(ax: Axes, rows: pd.DataFrame) -> None:
    """Every reply, spread sideways within its N so that equal ones do not hide each other."""
    width = 0.012 * float(rows["concurrency"].max()) + 0.08
    place = rows.groupby("concurrency").cumcount() * 0.618 % 1 - 0.5
    x = rows["concurrency"] + 2 * width * place
    for key, shown in rows.groupby(rows["status"].map(ink_of_status)):
        ink = INK[str(key)]
        ax.plot(
            x[shown.index],
            shown["latency_s"],
            ink.marker,
            markersize=4,
            alpha=0.45 if key == "200" else 0.9,
            mew=0,
            color=ink.colour,
            label=f"{ink.label} ({len(shown)})",
        )


def _bound(ax: Axes, given: Calibration, largest: int, top_s: float, burst: bool) -> None:
    n = np.arange(1, largest + 1)
    bound_s = closed.response_bound(n, given.service_s, given.servers, given.think_s)
    formula = "max(S, N·S/m − Z)" if given.think_s else "max(S, N·S/m)"
    whose = "last of N served" if burst else "mean"
    # Where most are refused it leaves the replies far below: there it is cut off.
    shown_s = np.where(bound_s <= 1.05 * top_s, bound_s, np.nan)
    ax.plot(n, shown_s, "--", color=MODEL, lw=1.5, label=f"{whose}: at least {formula}")


def _quantile(ax: Axes, done: pd.DataFrame, column: str, line: str, name: str) -> None:
    low = (done[column] - done[f"{column}_low"]).fillna(0)
    high = (done[f"{column}_high"] - done[column]).fillna(0)
    ax.errorbar(
        done.index,
        done[column],
        yerr=np.array([low, high]),
        fmt=line,
        capsize=3,
        lw=1.5,
        color=INK["200"].colour,
        label=name,
        zorder=4,
    )


def _title(table: pd.DataFrame) -> str:
    done = table[table["200"] > 0]
    if done.empty:
        return "No request completed"
    first, last = done.index[0], done.index[-1]
    median_s = float(done["p50_s"].iloc[-1])
    said = f"Median latency at N = {last}: {number(median_s)} s"
    if first == last:
        return said
    return f"{said}, {median_s / float(done['p50_s'].iloc[0]):.1f} × that at N = {first}"


def _subtitle(given: Calibration | None) -> str:
    bars = "lines: completed requests, with 95 % order-statistic intervals"
    return (
        bars if given is None else f"{bars}; S = {number(given.service_s)} s, m = {given.servers}"
    )
