"""Figure 11: the share of replies that had come by a time, for each outcome, and the deadline."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.cells import pool_of
from labserver.bench.store import Run
from labserver.plots.style import INK, MODEL, canvas, entitle, figure_of, ink_of_status, number, say

DASHES = {"200": "-", "429": ":", "503": "--", "504": "-.", "other": (0, (1, 1))}
WIDE_RANGE = 30


def latency_ecdf(run: Run, ax: Axes | None = None) -> Figure:
    """The empirical distribution of latency (from the intended time), a curve an outcome.

    Requests of every concurrency are pooled; where all completed, a thin line shows each one.
    """
    with canvas(run, ax) as axes:
        if len(run.measured):
            _draw(axes, run, run.measured)
        else:
            say(axes, "no measured request")
    return figure_of(axes)


def _draw(ax: Axes, run: Run, rows: pd.DataFrame) -> None:
    by_ink = rows.groupby(rows["status"].map(ink_of_status))
    if len(by_ink) == 1:
        _each_concurrency(ax, rows)
    for key, mine in by_ink:
        ink = INK[str(key)]
        ax.ecdf(
            mine["latency_s"],
            color=ink.colour,
            ls=DASHES[str(key)],
            lw=2,
            label=f"{ink.label}: {len(mine)} of {len(rows)}",
        )
    longest, shortest = float(rows["latency_s"].max()), float(rows["latency_s"].min())
    if longest > WIDE_RANGE * shortest:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
    deadline_s = float(run.info.server[f"{pool_of(run)}_timeout"] or np.inf)
    near = deadline_s <= 2.5 * longest
    if near:
        ax.axvline(
            deadline_s, color=MODEL, ls="--", lw=1, zorder=1, label=f"deadline, {deadline_s:g} s"
        )
    ax.set_xlabel("latency from the intended time, s")
    ax.set_ylabel("share of that outcome's replies")
    ax.set_ylim(0, 1.03)
    ax.legend(loc="best")
    far = not near and np.isfinite(deadline_s)
    away = f"; the deadline, {deadline_s:g} s, is far to the right" if far else ""
    entitle(ax, _title(rows, deadline_s), f"{_which(rows)}{away}")


def _each_concurrency(ax: Axes, rows: pd.DataFrame) -> None:
    groups = list(rows.groupby("concurrency"))
    if len(groups) < 2:
        return
    for i, (n, mine) in enumerate(groups):
        curve = ax.ecdf(mine["latency_s"], color="#8A8A8A", lw=0.8)
        curve.set_label("each N alone" if i == 0 else "")
        if i in (0, len(groups) - 1):
            ax.annotate(
                f"N = {n}",
                (float(mine["latency_s"].max()), 1),
                xytext=(0, 2),
                textcoords="offset points",
                fontsize=8.5,
                ha="center",
            )


def _which(rows: pd.DataFrame) -> str:
    if rows["rate_per_s"].any():
        rates = sorted(set(rows["rate_per_s"]))
        together = " together" if len(rates) > 1 else ""
        *first, last = (number(rate) for rate in rates)
        named = f"{', '.join(first)} and {last}" if first else last
        return f"open loop at {named} requests/s{together}"
    several = rows["concurrency"].nunique() > 1
    return "requests of every N together" if several else f"N = {rows['concurrency'].iloc[0]}"


def _title(rows: pd.DataFrame, deadline_s: float) -> str:
    done = rows[rows["status"] == 200]["latency_s"]
    late, full = int((rows["status"] == 504).sum()), int((rows["status"] == 503).sum())
    share = f"{len(done)} of {len(rows)} requests completed"
    if done.empty:
        return f"No request of {len(rows)} completed"
    if len(done) == len(rows):
        return f"All {len(rows)} requests completed, the last after {number(done.max())} s"
    refused = f", {full} turned away" if full else ""
    return share + refused + (f", {late} passed their deadline" if late else "")
