"""Figure 13: how late the event loop is, as a probe from outside meets it and by its own clock."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.cells import during_measured, measured_cells
from labserver.bench.stats import samples_needed
from labserver.bench.store import Run
from labserver.plots.style import (
    SERIES,
    Line,
    canvas,
    entitle,
    figure_of,
    log_axis,
    number,
    panels,
    say,
)

LEAST_MS = 0.1  # of a lag on the logarithmic axis: the loop's own clock may say 0
Q = 0.99


def loop_lag(data: Run | Sequence[Run], ax: Axes | None = None) -> Figure:
    """The time to each answer of /livez during the measured cells, and its distribution.

    The loop that answers /livez does nothing else for it, so that it tells how long that loop let
    the world wait. The thin line is the loop's own clock, which times its sleeps: it sleeps less
    often while the loop is blocked, so that it sees less of it. Several runs are told apart by
    their names.
    """
    runs = [data] if isinstance(data, Run) else list(data)
    with canvas(data, ax) as axes:
        probes = [answered(run) for run in runs]
        if any(map(len, probes)):
            _draw(axes, runs, probes)
        else:
            say(axes, "no answer of /livez")
    return figure_of(axes)


def has_probes(data: Run | Sequence[Run]) -> bool:
    """Whether every run has answers of /livez to show."""
    runs = [data] if isinstance(data, Run) else data
    return all(len(answered(run)) > 0 for run in runs)


def answered(run: Run) -> pd.DataFrame:
    """The answered probes sent during the measured cells: `t_s` since the first, `took_ms`."""
    probes = run.probes[during_measured(run, run.probes["sent_s"]) & (run.probes["status"] == 200)]
    begin_s = min((cell.started_s for cell in measured_cells(run)), default=0.0)
    took_ms = 1000 * (probes["done_s"] - probes["sent_s"])
    return pd.DataFrame({"t_s": probes["sent_s"] - begin_s, "took_ms": took_ms}).sort_values("t_s")


def _draw(ax: Axes, runs: list[Run], probes: list[pd.DataFrame]) -> None:
    several = len(runs) > 1
    time, share = panels(ax, widths=(3, 2))
    for run, mine, line in zip(runs, probes, SERIES, strict=False):
        name = run.info.name if several else "/livez, from outside"
        time.plot(mine["t_s"], mine["took_ms"], line.marker, color=line.colour, ms=2, label=name)
        _ecdf(share, mine["took_ms"], line, 2, name)
        own_ms = run.samples["loop_lag_ms"][during_measured(run, run.samples["t_s"])].dropna()
        _ecdf(share, own_ms.astype(float), line, 0.8, "" if several else "the loop's own clock")
    log_axis(time.yaxis)
    time.set_xlabel("time, s")
    time.set_ylabel("/livez answered after, ms")
    log_axis(share.xaxis)
    share.set_xlabel("late by, ms")
    share.set_ylabel("share")
    share.set_ylim(0, 1.03)
    share.legend(loc="lower right")
    entitle(ax, _title(runs, probes), _subtitle(probes, several))


def _ecdf(ax: Axes, late_ms: pd.Series[float], line: Line, width: float, name: str) -> None:
    if len(late_ms):
        at_least = late_ms.clip(lower=LEAST_MS)
        ax.ecdf(at_least, color=line.colour, ls=line.dashes, lw=width, label=name)


def _title(runs: list[Run], probes: list[pd.DataFrame]) -> str:
    """The late answers: 99 % where that can be said of every run, else the latest."""
    told = [(run.info.name, mine["took_ms"]) for run, mine in zip(runs, probes, strict=True)]
    told = [(name, took_ms) for name, took_ms in told if len(took_ms)]
    q = Q if min(len(took_ms) for _, took_ms in told) >= samples_needed(Q) else 1
    late = sorted((float(took_ms.quantile(q)), name) for name, took_ms in told)
    which = "99 % of the /livez probes were answered" if q < 1 else "Each /livez probe was answered"
    if len(runs) == 1:
        half = number(told[0][1].median())
        return f"{which} within {number(late[0][0])} ms, half of them within {half} ms"
    (best_ms, best), (worst_ms, worst) = late[0], late[-1]
    return f"{which} within {number(best_ms)} ms by {best}, {number(worst_ms)} ms by {worst}"


def _subtitle(probes: list[pd.DataFrame], several: bool) -> str:
    count = " + ".join(str(len(mine)) for mine in probes)
    thin = "; thin lines: the loop's own clock, which stands still while the loop is blocked"
    return f"{count} probes while jobs were at work" + (thin if several else "")
