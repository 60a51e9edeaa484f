"""Figure 14: how much longer a job takes when others are at work beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labserver.bench.cells import Calibration, calibrate, is_open
from labserver.bench.store import Run
from labserver.plots.style import MODEL, SERIES, canvas, entitle, figure_of, number, say

Measured = tuple[Run, Calibration, pd.DataFrame]


def inflation(data: Run | Sequence[Run], ax: Axes | None = None) -> Figure:
    """S(n)/S(1): the mean service time with n jobs at work, over that of a job alone.

    n is min(N, workers), as no more are at work at once. A dot is the mean of a cell, the line
    joins the means of the cells. The dashed line is max(1, n/cores): jobs that share the cores and
    nothing else. Several runs are told apart by their names.
    """
    runs = [data] if isinstance(data, Run) else list(data)
    with canvas(data, ax) as axes:
        told = [(run, given, table) for run in runs if (given := calibrate(run)) is not None
                and len(table := service(run, given))]  # fmt: skip
        if told:
            _draw(axes, told)
        else:
            say(axes, "no job was alone, so no S(1)")
    return figure_of(axes)


def has_service(data: Run | Sequence[Run]) -> bool:
    """Whether every run has jobs alone and jobs together, of a closed load."""
    runs = [data] if isinstance(data, Run) else data
    return all(not is_open(run) and _levels(run) > 1 for run in runs)


def service(run: Run, given: Calibration) -> pd.DataFrame:
    """A row a measured cell: `at_work` jobs at once, and `grown`, its mean service time over S."""
    done = run.measured[run.measured["status"] == 200].dropna(subset=["process_ms"])
    cells = done.groupby("cell").agg(
        concurrency=("concurrency", "first"), process_ms=("process_ms", "mean")
    )
    at_work = np.minimum(cells["concurrency"], given.workers)
    grown = cells["process_ms"] / 1000 / given.service_s
    return pd.DataFrame({"at_work": at_work, "grown": grown}).sort_values("at_work")


def _levels(run: Run) -> int:
    given = calibrate(run)
    return 0 if given is None else int(service(run, given)["at_work"].nunique())


def _draw(ax: Axes, told: list[Measured]) -> None:
    for (run, _, table), line in zip(told, SERIES, strict=False):
        means = table.groupby("at_work")["grown"].mean()
        name = run.info.name if len(told) > 1 else "measured"
        ax.plot(table["at_work"], table["grown"], line.marker, color=line.colour, ms=5, mfc="none")
        ax.plot(means.index, means, color=line.colour, ls=line.dashes, marker=line.marker, ms=3,
                label=name)  # fmt: skip
    given, most = told[0][1], max(int(table["at_work"].max()) for _, _, table in told)
    n = np.arange(1, most + 1)
    ax.plot(n, _shared(n, given), color=MODEL, ls=(0, (1, 2)), lw=1.5, label=_shared_name(given))
    ax.set_xlim(0, most + 0.5)
    ax.set_ylim(0, None)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("jobs at work at once, n = min(N, workers)")
    ax.set_ylabel("service time S(n) / S(1)")
    ax.legend(loc="upper left")
    entitle(ax, _title(told), _subtitle(told))


def _shared(n: np.ndarray, given: Calibration) -> np.ndarray:
    return np.maximum(1.0, n / (given.cores or np.inf))


def _shared_name(given: Calibration) -> str:
    if given.cores is None:
        return "1: simulated work shares no core"
    return f"max(1, n/{given.cores}): shares {given.cores} cores, and nothing else"


def _title(told: list[Measured]) -> str:
    most = max(int(table["at_work"].max()) for _, _, table in told)
    said = []
    for run, _, table in told:
        grown = number(float(table[table["at_work"] == most]["grown"].mean()))
        said.append(f"{grown} × ({run.info.name})" if len(told) > 1 else f"{grown} ×")
    return f"With {most} at work a job takes {', '.join(said)} as long as alone"


def _subtitle(told: list[Measured]) -> str:
    alone = ", ".join(f"{number(given.service_s)} s" for _, given, _ in told)
    return f"S(1) = {alone}; a hollow mark: the mean of one cell"
