"""Figure 17: may this run be trusted? Its sender, its machine and its arithmetic at a glance."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labserver.bench.cells import measured_cells, pool_of
from labserver.bench.checks import (
    CLIENT_CPU_LIMIT,
    DRIFT_LIMIT,
    LITTLE_LIMIT,
    SEND_LAG_LIMIT,
    Check,
    checks,
    client_cpu,
    drift,
    little_law,
    send_lag,
)
from labserver.bench.store import Run
from labserver.bench.timeline import depth, jobs_of
from labserver.plots.style import MODEL, WORK, canvas, entitle, figure_of, number, panels, say
from labserver.theory.little import mean_jobs

LIMIT = "#B00020"
CPU_WINDOW = 20  # samples, so 1 s: the system counts CPU time in steps of 10 ms


def validity(run: Run, ax: Axes | None = None) -> Figure:
    """Four of the run's checks, each with its data and its limit: send lag, the sender's CPU, the
    drift of the machine and Little's law. The title counts all of the checks.
    """
    with canvas(run, ax) as axes:
        for panel, (check, draw, why_not) in zip(
            panels(axes, (1, 1), (1, 1), gap=0.24, head=0.07), PANELS, strict=True
        ):
            made = check(run)
            if made is None:
                say(panel, why_not, size=10)
                continue
            draw(panel, run)
            percent = number(round(100 * made.value, 4))
            found = f"{'' if made.ok else 'FAILS: '}{made.name}: {percent} %"
            ink = MODEL if made.ok else LIMIT
            panel.set_title(found, loc="left", fontsize=9, color=ink)
        entitle(axes, _title(run), "red: the limit of each check")
    return figure_of(axes)


def little_ratios(run: Run) -> pd.Series[float]:
    """L / (X·W) of each measured cell with a trace, by the cell's number in order of time.

    L is the mean of the pool's own counts of jobs, X·W the sum of its jobs' times, both over the
    time from the first job's coming to the last one's going.
    """
    steps = depth(run.events, pool_of(run))
    ratios = {}
    for place, cell in enumerate(measured_cells(run), start=1):
        mine = jobs_of(run.events, cell)
        if mine.empty:
            continue
        from_s, until_s = float(mine["submit_s"].min()), float(mine["left_s"].max())
        inside = steps[steps["t_s"].between(from_s, until_s)]
        inside_s = float((mine["left_s"] - mine["submit_s"]).sum())
        if until_s > from_s and inside_s > 0:
            counted = mean_jobs(inside["t_s"], inside["waiting"] + inside["busy"], until_s)
            ratios[place] = counted * (until_s - float(inside["t_s"].iloc[0])) / inside_s
    return pd.Series(ratios, dtype=float)


def _send_lag(ax: Axes, run: Run) -> None:
    rows = run.measured
    service_ms = rows[rows["status"] == 200]["process_ms"].mean()
    ax.ecdf(1000 * (rows["sent_s"] - rows["intended_s"]), color=WORK.colour, lw=1.5)
    ax.axvline(SEND_LAG_LIMIT * service_ms, color=LIMIT, ls="--", lw=1)
    ax.set_xscale("symlog", linthresh=0.1)
    ax.set_xlim(0, None)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("sent late by, ms")
    ax.set_ylabel("share of requests")


def _client_cpu(ax: Axes, run: Run) -> None:
    samples = run.samples[["t_s", "client_cpu_s"]].dropna().astype(float)
    highest = CLIENT_CPU_LIMIT
    for cell in measured_cells(run):  # what it does between cells is not the load's
        mine = samples[samples["t_s"].between(cell.started_s, cell.ended_s)]
        window = min(CPU_WINDOW, max(1, len(mine) // 2))
        share = (mine["client_cpu_s"].diff(window) / mine["t_s"].diff(window)).dropna()
        ax.plot(mine["t_s"][share.index], share, color=WORK.colour, lw=1, marker="o", ms=1.5)
        highest = max(highest, share.max()) if len(share) else highest
    ax.axhline(CLIENT_CPU_LIMIT, color=LIMIT, ls="--", lw=1)
    ax.set_ylim(0, 1.1 * highest)
    ax.set_xlabel("time, s")
    ax.set_ylabel("of a core")


def _drift(ax: Axes, run: Run) -> None:
    cells = measured_cells(run)
    read = [(cell.started_s, cell.sentinel_before_ms) for cell in cells]
    read += [(cell.ended_s, cell.sentinel_after_ms) for cell in cells]
    shortest_ms = pd.Series({at_s: min(ms) for at_s, ms in sorted(read) if ms})
    off = 100 * (shortest_ms / shortest_ms.median() - 1)
    ax.plot(off.index, off, "o-", color=WORK.colour, ms=3, lw=0.8)
    _band(ax, 0, 100 * DRIFT_LIMIT)
    ax.set_xlabel("time, s")
    ax.set_ylabel("off the median, %")


def _little(ax: Axes, run: Run) -> None:
    ratios = little_ratios(run)
    ax.plot(ratios.index, ratios, "o", color=WORK.colour, ms=4)
    _band(ax, 1, LITTLE_LIMIT)
    ax.set_xlim(0.5, max(1, len(measured_cells(run))) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("cell, in order of time")
    ax.set_ylabel("L / (X·W)")


def _band(ax: Axes, middle: float, limit: float) -> None:
    """The middle, and the limits on either side of it, which stay in sight."""
    ax.axhline(middle, color=MODEL, lw=0.8)
    for at in (middle - limit, middle + limit):
        ax.axhline(at, color=LIMIT, ls="--", lw=1)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, middle - 1.2 * limit), max(high, middle + 1.2 * limit))


PANELS: tuple[tuple[Callable[[Run], Check | None], Callable[[Axes, Run], None], str], ...] = (
    (send_lag, _send_lag, "send lag: no job was completed"),
    (client_cpu, _client_cpu, "generator's CPU: not sampled"),
    (drift, _drift, "drift: the work is simulated,\nor no sentinel was read"),
    (little_law, _little, "Little's law: the server\nhas told of no job"),
)


def _title(run: Run) -> str:
    made = checks(run)
    failed = [check.name for check in made if not check.ok]
    if not failed:
        return f"All {len(made)} checks of this run hold"
    return f"{len(failed)} of {len(made)} checks fail: {'; '.join(failed)}"
