"""Figure 15: requests, attempts and goodput over time, around a spike of load."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from labserver.bench.cells import cell_of, measured_cells, pool_of
from labserver.bench.records import Cell
from labserver.bench.store import Run
from labserver.plots.style import INK, MODEL, canvas, entitle, figure_of, number, say

BINS = 50
WIDTHS_S = (0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
RECOVERED = 0.9
SHADE, ATTEMPTS = "#E4DCCB", "#7A7A7A"
SPIKE = re.compile(r"at_s=(?P<at>[\d.]+), spike_s=(?P<lasts>[\d.]+), seconds=(?P<until>[\d.]+)")


def metastability(run: Run, ax: Axes | None = None, *, cell: str | None = None) -> Figure:
    """Requests offered, attempts sent and requests completed per second, in one cell of a run.

    Offered are first attempts by the time for which they were intended, so that the gap up to the
    attempts is what the clients' retries add. A spike is shaded. `cell` is by default the first
    repeat of the largest load; ValueError if it is not there.
    """
    with canvas(run, ax) as axes:
        if cell is None and not measured_cells(run):
            say(axes, "no measured cell")
        else:
            _draw_cell(axes, run, cell_of(run, cell))
    return figure_of(axes)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A spike from `at_s` to `end_s`, in a load that ends at `until_s`: seconds of its cell."""

    at_s: float
    end_s: float
    until_s: float


def trigger_of(cell: Cell) -> Trigger | None:
    """The spike of the cell's load; None where it has none."""
    found = SPIKE.search(cell.load)
    if found is None:
        return None
    at_s, until_s = float(found["at"]), float(found["until"])
    return Trigger(at_s, at_s + float(found["lasts"]), until_s)


def has_spike(run: Run) -> bool:
    """Whether one of the measured cells has a spike."""
    return any(trigger_of(cell) for cell in measured_cells(run))


def rates_after(run: Run, cell: Cell, trigger: Trigger) -> tuple[float, float]:
    """Requests completed and requests offered per second, well after the spike.

    What comes in the first `end_s − at_s` behind it may be its backlog, and does not count. NaN
    where the load ends before that.
    """
    rows = _rows(run, cell)
    from_s = 2 * trigger.end_s - trigger.at_s
    lasts_s = trigger.until_s - from_s
    if lasts_s <= 0:
        return math.nan, math.nan
    done = rows.query("status == 200")["done_s"].between(from_s, trigger.until_s)
    offered = rows.query("attempt == 1")["intended_s"].between(from_s, trigger.until_s)
    return int(done.sum()) / lasts_s, int(offered.sum()) / lasts_s


def _rows(run: Run, cell: Cell) -> pd.DataFrame:
    """The cell's attempts, with times since it began."""
    rows = run.requests[run.requests["cell"] == cell.cell].copy()
    rows[["intended_s", "sent_s", "done_s"]] -= cell.started_s
    return rows


def _draw_cell(ax: Axes, run: Run, cell: Cell) -> None:
    rows = _rows(run, cell)
    if rows.empty:
        say(ax, f"no request in {cell.cell}")
        return
    edges = _edges(rows)
    trigger = trigger_of(cell)
    if trigger:
        ax.axvspan(trigger.at_s, trigger.end_s, color=SHADE, label="spike", zorder=0)
    highest = _steps(ax, edges, rows)
    capacity_per_s = _capacity_per_s(run, rows)
    if capacity_per_s:
        ax.axhline(capacity_per_s, color=MODEL, lw=1.2, ls=":", label="capacity, c/S")
    ax.set_ylim(0, 1.35 * max(highest, capacity_per_s))
    ax.set_xlim(0, edges[-1])
    ax.set_xlabel(f"time since the cell {cell.cell} began, s")
    ax.set_ylabel(f"per second, in steps of {edges[1]:g} s")
    ax.legend(loc="upper right", ncols=3)
    entitle(ax, _title(run, cell, trigger), _subtitle(rows, capacity_per_s))


def _edges(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Of equal steps, about BINS of them, up to the last answer."""
    until_s = float(rows["done_s"].max())
    step_s = next((width for width in WIDTHS_S if BINS * width >= until_s), until_s / BINS)
    return np.asarray(np.arange(0, until_s + step_s, step_s))


def _steps(ax: Axes, edges: NDArray[np.float64], rows: pd.DataFrame) -> float:
    """The three rates, drawn; returns the highest."""
    first, done = rows[rows["attempt"] == 1], rows[rows["status"] == 200]
    offered, sent, good = (
        np.histogram(at_s, edges)[0] / edges[1]
        for at_s in (first["intended_s"], rows["sent_s"], done["done_s"])
    )
    ax.stairs(good, edges, fill=True, color=INK["200"].colour, label="goodput: completed, 200")
    ax.stairs(sent, edges, color=ATTEMPTS, lw=2.2, label="attempts sent")
    ax.stairs(offered, edges, color=MODEL, lw=1.4, ls="--", label="requests offered")
    return float(max(offered.max(), sent.max()))


def _capacity_per_s(run: Run, rows: pd.DataFrame) -> float:
    """c/S, S being the mean service time of the cell's completed jobs; 0 where it is not known."""
    service_s = float(rows[rows["status"] == 200]["process_ms"].mean()) / 1000
    workers: int | None = run.info.server[f"{pool_of(run)}_workers"]
    return workers / service_s if workers and service_s > 0 else 0.0


def _title(run: Run, cell: Cell, trigger: Trigger | None) -> str:
    if trigger is None:
        return "What was offered, what was sent, and what came of it"
    goodput, offered = rates_after(run, cell, trigger)
    if math.isnan(offered):
        return "A spike, and no time after it"
    back = "comes back" if goodput >= RECOVERED * offered else "stays down"
    return (
        f"After the spike the goodput {back}: {number(goodput)}/s for {number(offered)}/s offered"
    )


def _subtitle(rows: pd.DataFrame, capacity_per_s: float) -> str:
    first = rows[rows["attempt"] == 1]
    served = int((rows["status"] == 200).sum())
    return (
        f"{len(first)} requests in {len(rows)} attempts ({len(rows) / len(first):.2f} each, "
        f"{rows['attempt'].max()} at most), {served} of them completed"
        + (f"; capacity {number(capacity_per_s)}/s" if capacity_per_s else "")
    )
