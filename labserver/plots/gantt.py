"""Figure 3: what each worker did, and for whom, in one cell of a run."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from labserver.bench.cells import cell_of, measured_cells, pool_of, said
from labserver.bench.records import Cell
from labserver.bench.store import Run
from labserver.bench.timeline import jobs_of, lost_tries
from labserver.plots.style import INK, canvas, entitle, figure_of, ink_of_outcome, say

BAR_HEIGHT = 0.7
FEW_PAGES = 400


def gantt(run: Run, ax: Axes | None = None, *, cell: str | None = None) -> Figure:
    """A row a worker; a bar a job in the colour of its outcome, hatched where it was for nothing.

    That is a job which did not complete, the work that went on when its request was over, and a
    try whose worker was lost.

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
    ran = told.dropna(subset=["start_s"])
    if ran.empty:
        say(ax, f"the trace has no job that ran in {cell.cell}")
        return
    ran = ran.assign(
        row=_rows(ran),
        over_s=ran["settle_s"].clip(lower=ran["start_s"]).fillna(ran["left_s"]),
    )
    lost = lost_tries(run.events)
    lost = lost[lost["job_id"].isin(ran.index)].assign(row=_rows(lost), over_s=lost["start_s"])
    tries = pd.concat([ran, lost])
    rows = range(1, max(int(tries["row"].max()), run.info.server[f"{pool_of(run)}_workers"]) + 1)
    lasted_s = float(ran["left_s"].max()) - cell.started_s
    _bars(ax, tries, cell.started_s)
    _page_marks(ax, run.events, ran, cell.started_s)
    _utilisation(ax, tries, rows, lasted_s)
    ax.set_xlim(0, 1.005 * lasted_s)
    ax.set_ylim(len(rows) + 0.5, 0.4 - 0.13 * len(rows))  # above: the legend
    ax.set_yticks(rows, [f"worker {row}" for row in rows])
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(f"time since the cell {cell.cell} began, s")
    ax.legend(handles=_legend(tries), loc="upper right", ncols=4)
    entitle(ax, _title(tries, said(run, cell), len(rows), lasted_s), _subtitle(run, len(rows)))


def _rows(told: pd.DataFrame) -> pd.Series[int]:
    """The row of each job or try: the number with which its worker's name ends."""
    return told["worker"].str.extract(r"(\d+)$", expand=False).astype(int)


def _bars(ax: Axes, ran: pd.DataFrame, origin_s: float) -> None:
    for outcome, mine in ran.groupby("outcome"):
        ink = INK[ink_of_outcome(str(outcome))]
        ax.barh(
            mine["row"],
            mine["over_s"] - mine["start_s"],
            BAR_HEIGHT,
            left=mine["start_s"] - origin_s,
            color=ink.colour,
            hatch=ink.hatch,
            edgecolor="black",
            lw=0.5,
        )
    wasted = ran[ran["left_s"] > ran["over_s"]]
    ink = INK["wasted"]
    ax.barh(
        wasted["row"],
        wasted["left_s"] - wasted["over_s"],
        BAR_HEIGHT,
        left=wasted["over_s"] - origin_s,
        color=ink.colour,
        hatch=ink.hatch,
        edgecolor="black",
        lw=0.5,
    )


def _page_marks(ax: Axes, events: pd.DataFrame, ran: pd.DataFrame, origin_s: float) -> None:
    """White marks where a page was done, unless they are so many that they hide the bars."""
    pages = events[(events["event"] == "page") & events["job_id"].isin(ran.index)]
    pages = pages[pages["t_s"] >= ran["start_s"].reindex(pages["job_id"]).to_numpy()]
    if len(pages) <= FEW_PAGES:
        row = ran["row"].reindex(pages["job_id"]).to_numpy()
        half = 0.5 * BAR_HEIGHT
        ax.vlines(pages["t_s"] - origin_s, row - half, row + half, color="white", lw=0.5)


def _utilisation(ax: Axes, ran: pd.DataFrame, rows: range, lasted_s: float) -> None:
    busy_s = (ran["left_s"] - ran["start_s"]).groupby(ran["row"]).sum().reindex(rows, fill_value=0)
    for row, share in (busy_s / lasted_s).items():
        ax.annotate(
            f"{100 * share:.0f} %",
            (1, row),
            xycoords=ax.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )


def _legend(ran: pd.DataFrame) -> list[Patch]:
    outcomes = sorted(ran["outcome"].dropna())
    keys = list(dict.fromkeys(map(ink_of_outcome, outcomes)))
    if (ran["left_s"] > ran["over_s"]).any():
        keys.append("wasted")
    return [
        Patch(
            facecolor=ink.colour,
            edgecolor="black",
            lw=0.5,
            label=ink.label,
            hatch=ink.hatch,
        )
        for ink in (INK[key] for key in keys)
    ]


def _title(ran: pd.DataFrame, load: str, workers: int, lasted_s: float) -> str:
    took_s = ran["left_s"] - ran["start_s"]
    in_vain = (ran["outcome"] != "completed").fillna(True)  # a lost try has no outcome
    busy_s, lost_s = float(took_s.sum()), float(took_s[in_vain].sum())
    share = 100 * busy_s / (lasted_s * workers)
    title = f"{load}: {workers} workers are busy {share:.0f} % of the time"
    if lost_s == 0:
        return title
    return f"{title}, {100 * lost_s / busy_s:.0f} % of it on work that did not complete"


def _subtitle(run: Run, workers: int) -> str:
    cores = run.info.machine["cores"]
    said = "white: a page is done; right: share of the time with a job"
    shared = workers > cores and not run.info.simulated
    return f"{said}; {workers} workers share {cores} cores" if shared else said
