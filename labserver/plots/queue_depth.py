"""Figure 4: how many jobs were in the pool over time, in one cell of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from labserver.bench.cells import cell_of, measured_cells, pool_of, said
from labserver.bench.records import Cell
from labserver.bench.store import Run
from labserver.bench.timeline import depth, jobs_of
from labserver.plots.style import (
    INK,
    MODEL,
    WAIT,
    WORK,
    Ink,
    canvas,
    entitle,
    figure_of,
    number,
    say,
)
from labserver.theory.little import mean_jobs


def queue_depth(run: Run, ax: Axes | None = None, *, cell: str | None = None) -> Figure:
    """Running and waiting jobs, stacked, with the pool's capacity and a mark at each 503.

    `cell` is by default the first repeat of the largest load; ValueError if it is not there.
    """
    with canvas(run, ax) as axes:
        if cell is None and not measured_cells(run):
            say(axes, "no measured cell")
        else:
            _draw_cell(axes, run, cell_of(run, cell))
    return figure_of(axes)


def _draw_cell(ax: Axes, run: Run, cell: Cell) -> None:
    told = jobs_of(run.events, cell)
    if told.empty:
        say(ax, f"the trace has no job let in in {cell.cell}")
        return
    from_s, until_s = float(told["submit_s"].min()), float(told["left_s"].max())
    steps = depth(run.events, str(told["pool"].iloc[0]))
    steps = steps[steps["t_s"].between(from_s, until_s)]
    _areas(ax, steps, cell.started_s)
    refused = _refusals(ax, run, cell)
    highest = int((steps["waiting"] + steps["busy"]).max())
    capacity = _capacity(ax, run, highest)
    ax.set_xlim(0, 1.01 * (until_s - cell.started_s))
    ax.set_ylim(0, 1.3 * max(highest, capacity if capacity <= 2 * highest else 0))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(f"time since the cell {cell.cell} began, s")
    ax.set_ylabel("jobs in the pool")
    below_ticks = 0.94 if refused else 1.0  # each 503 is a tick along the top
    ax.legend(loc="upper right", ncols=3, bbox_to_anchor=(1.0, below_ticks))
    entitle(ax, _title(steps, said(run, cell), refused), _subtitle(steps, told, until_s, capacity))


def _areas(ax: Axes, steps: pd.DataFrame, origin_s: float) -> None:
    at_s = steps["t_s"] - origin_s
    total = steps["busy"] + steps["waiting"]
    _area(ax, at_s, np.zeros(len(steps)), steps["busy"], WORK, "running, with a worker")
    if steps["waiting"].any():
        _area(ax, at_s, steps["busy"], total, WAIT, WAIT.label)
    ax.step(at_s, total, where="post", color="black", lw=0.8)


def _area(
    ax: Axes, at_s: pd.Series[float], low: ArrayLike, high: ArrayLike, ink: Ink, name: str
) -> None:
    ax.fill_between(
        at_s,
        low,
        high,
        step="post",
        facecolor=ink.colour,
        hatch=ink.hatch,
        edgecolor="black",
        lw=0,
        label=name,
    )


def _refusals(ax: Axes, run: Run, cell: Cell) -> int:
    events = run.events[run.events["event"] == "reject"]
    at_s = events["t_s"][events["t_s"].between(cell.started_s, cell.ended_s)] - cell.started_s
    if len(at_s):
        ink = INK["503"]
        ax.plot(
            at_s,
            np.full(len(at_s), 0.97),
            ink.marker,
            transform=ax.get_xaxis_transform(),
            color=ink.colour,
            markersize=6,
            mec="black",
            mew=0.5,
            clip_on=False,
            label=f"{ink.label} ({len(at_s)})",
        )
    return len(at_s)


def _capacity(ax: Axes, run: Run, highest: int) -> int:
    """K = c + c·Q, what the workers and their queues hold; drawn where it is not far off."""
    pool = pool_of(run)
    workers = run.info.server[f"{pool}_workers"]
    capacity = int(workers * (1 + run.info.server[f"{pool}_queue_size"]))
    if capacity <= 2 * highest:
        ax.axhline(capacity, color=MODEL, ls="--", lw=1.5, label=f"capacity K = {capacity}")
    return capacity


def _title(steps: pd.DataFrame, load: str, refused: int) -> str:
    waiting, busy = int(steps["waiting"].max()), int(steps["busy"].max())
    if refused:
        return f"{load}: {refused} turned away, 503"
    if waiting:
        return f"{load}: up to {busy} run and {waiting} wait for a worker"
    return f"{load}: up to {busy} run, none waits in the queue"


def _subtitle(steps: pd.DataFrame, told: pd.DataFrame, until_s: float, capacity: int) -> str:
    lasted_s = until_s - float(steps["t_s"].iloc[0])
    if lasted_s <= 0:
        return ""
    counted = mean_jobs(steps["t_s"], steps["waiting"] + steps["busy"], until_s)
    times_s = told["left_s"] - told["submit_s"]
    rate, mean_s = len(told) / lasted_s, float(times_s.mean())
    return (
        f"Little's law: L = {number(counted)} (area over time), "
        f"X·W = {number(rate)}/s · {number(mean_s)} s = {number(rate * mean_s)}; "
        f"room for K = {capacity}"
    )
