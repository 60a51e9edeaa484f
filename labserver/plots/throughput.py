"""Figure 1: throughput against concurrency, with the bounds, the models and the knee."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from labserver.bench.cells import Calibration, calibrate, is_burst, throughputs
from labserver.bench.store import Run
from labserver.plots.style import (
    INK,
    LAW,
    MODEL,
    canvas,
    concurrency_axis,
    entitle,
    figure_of,
    number,
    pages_axis,
    say,
)
from labserver.theory import closed
from labserver.theory.usl import fit_usl

FLAT = 0.95


def throughput(run: Run, ax: Axes | None = None) -> Figure:
    """Documents (left) and pages (right) per second; a dot a repeat, a line through their means.

    The USL is fitted to the repeats at N up to half of the largest; those above are held out and
    hollow. The models take S from the run's own jobs at N = 1 and are left out without one.
    """
    with canvas(run, ax) as axes:
        cells = throughputs(run)
        if cells["completed"].any():
            _draw(axes, run, cells)
        else:
            say(axes, "no completed request, so no throughput")
    return figure_of(axes)


def _draw(ax: Axes, run: Run, cells: pd.DataFrame) -> None:
    calibration = calibrate(run)
    means = cells.groupby("concurrency")["docs_per_s"].mean()
    top = float(cells["docs_per_s"].max())
    if calibration is not None:
        top = max(top, min(calibration.servers / calibration.service_s, 2 * top))
        _models(ax, calibration, int(means.index.max()))
        if is_burst(run):
            n = np.arange(1, int(means.index.max()) + 1)
            rate = burst_throughput(n, calibration)
            ax.plot(n, rate, "x", color=MODEL, markersize=5, label="burst of N equal jobs")
    fitted = _usl(ax, cells)
    _repeats(ax, cells, fitted)
    if len(means) > 1:
        ax.plot(means.index, means, color=INK["200"].colour, label="mean of the repeats")
    ax.set_ylim(0, 1.15 * top)
    concurrency_axis(ax, means.index)
    ax.set_ylabel("throughput, documents/s")
    pages_axis(ax, run.info.document["pages"])
    ax.legend(loc="lower right", ncols=2)
    entitle(ax, _title(means, calibration), _subtitle(calibration))


def _repeats(ax: Axes, cells: pd.DataFrame, fitted: pd.Series[bool]) -> None:
    ink = INK["200"]
    for held_out, name in ((False, "one repeat"), (True, "one repeat, held out of the fit")):
        shown = cells[fitted != held_out]
        if len(shown):
            face = "white" if held_out else ink.colour
            ax.plot(
                shown["concurrency"],
                shown["docs_per_s"],
                ink.marker,
                markersize=5,
                color=ink.colour,
                markerfacecolor=face,
                label=name,
                zorder=4,
            )


def _models(ax: Axes, given: Calibration, largest: int) -> None:
    n = np.arange(1, largest + 1)
    ideal = np.array([0, largest])
    ax.plot(
        ideal,
        ideal / (given.service_s + given.think_s),
        ":",
        color=MODEL,
        lw=1,
        label="ideal, N/S" if not given.think_s else "ideal, N/(S + Z)",
    )
    ax.axhline(given.servers / given.service_s, color=MODEL, lw=1, ls="-.", label="cap, m/S")
    model = closed.repairman(n, given.service_s, given.workers, given.think_s, cores=given.cores)
    ax.plot(n, model.throughput_per_s, "--", color=MODEL, lw=2, alpha=0.6, label="repairman model")
    knee = closed.knee(given.service_s, given.servers, given.think_s)
    if knee <= largest:
        ax.axvline(knee, color=MODEL, lw=0.8, alpha=0.6, label=f"knee, N* = {knee:g}")


def burst_throughput(n: NDArray[np.int64], given: Calibration) -> NDArray[np.float64]:
    """Jobs per second of N equal jobs at once, N over the time to the last reply.

    `given.workers` c take them in rounds. A round of r jobs lasts S·max(1, r/cores), as those that
    run share the cores; the last one has what is left, N mod c, and so a burst just above a
    multiple of c is the slowest.
    """
    cores = given.cores or given.workers
    rounds, left = np.divmod(n, given.workers)
    full = closed.service_inflation(given.workers, cores)
    last = np.where(left > 0, closed.service_inflation(np.maximum(left, 1), cores), 0)
    return np.asarray(n / (given.service_s * (rounds * full + last)))


def _usl(ax: Axes, cells: pd.DataFrame) -> pd.Series[bool]:
    """Draw the law fitted to the small N; returns which cells it has seen: all if there is none."""
    seen: pd.Series[bool] = cells["concurrency"] <= cells["concurrency"].max() / 2
    known = cells[seen & (cells["docs_per_s"] > 0)]
    if len(known) < 4 or known["concurrency"].nunique() < 3:
        return pd.Series(True, index=cells.index)
    law = fit_usl(known["concurrency"], known["docs_per_s"])
    n = np.linspace(1, cells["concurrency"].max(), 100)
    ax.fill_between(n, *law.band(n), color=LAW, alpha=0.25, lw=0)
    ax.plot(n, law.predict(n), color=LAW, lw=1.5, label=f"USL fitted to N ≤ {law.n_max:g}")
    return seen


def _title(means: pd.Series[float], given: Calibration | None) -> str:
    best, last = float(means.max()), int(means.index[-1])
    rate = f"{number(best)} documents/s"
    if given is not None:
        rate += f", {100 * best * given.service_s / given.servers:.0f} % of m/S"
    lost = 1 - float(means.iloc[-1]) / best
    flat_from = int(means[means >= FLAT * best].index[0])
    if len(means) == 1:
        return f"{last} PDFs at once: {rate}"
    if lost > 1 - FLAT:
        peak = f"Throughput peaks at N = {means.idxmax()} ({rate})"
        return f"{peak} and loses {100 * lost:.0f} % by N = {last}"
    if flat_from == last:
        return f"Throughput still grows at N = {last}: {rate}"
    return f"Throughput stops growing at N = {flat_from}: at most {rate}"


def _subtitle(given: Calibration | None) -> str:
    if given is None:
        return "no service time at N = 1, so no S and no model"
    of = f"min({given.workers} workers, {given.cores} cores)" if given.cores else "the workers"
    jobs = f"{given.n} job" + "s" * (given.n > 1)
    return f"S = {number(given.service_s)} s (mean of {jobs} at N = 1), m = {given.servers} = {of}"
