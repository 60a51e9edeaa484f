"""Figure 8: how many requests a queue of each size turns away, as measured and as forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from labserver.bench.cells import capacity_per_s, is_open, places_of, policy_of, pool_of
from labserver.bench.stats import wilson
from labserver.bench.store import Run
from labserver.plots.style import INK, MODEL, canvas, entitle, figure_of, say
from labserver.theory.arrivals import Poisson
from labserver.theory.distributions import Fixed
from labserver.theory.queues import mmck
from labserver.theory.simulator import simulate

JOBS = 20_000  # of a simulated point
POINTS = 9  # of a simulated curve
SEEN = 10  # refusals that make a simulated share worth showing
LEAST = 1e-6  # the least share that the axis goes down to
# Of each kind of work: its marker, its face, and how far it stands aside, as a share of the axis.
SERVICES = {"exponential": ("s", INK["503"].colour, 0.0), "fixed": ("o", "white", 0.015)}


def loss(runs: Sequence[Run], ax: Axes | None = None) -> Figure:
    """The share of 503s against the queue's size Q, on a log axis, at each load ρ.

    Each run is an open load on a shared queue; their Q differ. Measured shares have Wilson's
    interval; where none was turned away, only its upper end is marked. Of Poisson arrivals there
    are M/M/c/K and a simulated M/D/c/K, in which the work is always the same.
    """
    with canvas(runs, ax) as axes:
        losses = losses_of(runs)
        if losses.empty:
            say(axes, "no open load on a shared queue")
        else:
            _draw(axes, losses)
    return figure_of(axes)


def has_losses(runs: Sequence[Run]) -> bool:
    """Whether the runs are open loads on shared queues, and not all of one size."""
    return all(_suits(run) for run in runs) and len({places_of(run) for run in runs}) > 1


def losses_of(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a run and load: rho, servers, queue_size, service, requests, refused (503).

    ρ is the rate over the run's capacity, or where it does not know that, λS/c with the S of its
    completed jobs. Repeats are pooled.
    """
    rows = [row for run in runs if _suits(run) for row in _rows(run)]
    return pd.DataFrame(
        rows, columns=["rho", "servers", "queue_size", "service", "requests", "refused"]
    )


def _suits(run: Run) -> bool:
    plain = policy_of(run) == "fifo"  # others refuse (503) for more reasons than a full queue
    return is_open(run) and plain and run.info.server.get("dispatch") == "shared"


def _rows(run: Run) -> list[tuple[float, int, int, str, int, int]]:
    servers = int(run.info.server[f"{pool_of(run)}_workers"])
    service = run.info.server.get("service") or "fixed"
    return [
        (
            round(float(str(rate)) / capacity_per_s(run), 2),
            servers,
            places_of(run),
            service,
            len(rows),
            int((rows["status"] == 503).sum()),
        )
        for rate, rows in run.measured.groupby("rate_per_s")
    ]


def _draw(ax: Axes, losses: pd.DataFrame) -> None:
    sizes = sorted(losses["queue_size"].unique())
    low = min(
        _models(ax, rho, servers, int(sizes[-1]))
        for rho, servers in sorted(set(zip(losses["rho"], losses["servers"], strict=True)))
    )
    for service, rows in losses.groupby("service"):
        _measured(ax, str(service), rows)
    ax.set_yscale("log")
    ax.set_ylim(10 ** np.floor(np.log10(max(low, LEAST))), 5)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    ax.set_xlim(-0.05 * sizes[-1], 1.15 * sizes[-1])
    ax.set_xticks(sizes)
    ax.set_xlabel("places in the queue, Q")
    ax.set_ylabel("share turned away, 503")
    handles, names = ax.get_legend_handles_labels()
    legend = dict(zip(names, handles, strict=True))  # one entry a name
    ax.legend(legend.values(), legend.keys(), loc="upper center", ncols=2)
    entitle(ax, _title(losses), _subtitle(losses))


def _models(ax: Axes, rho: float, servers: int, largest: int) -> float:
    """Both curves of a load; returns the least share on them."""
    q = np.arange(largest + 1)
    random = [float(mmck(rho * servers, 1, servers, int(size)).p_reject) for size in q]
    ax.plot(q, random, color=MODEL, lw=1.4, label="M/M/c/K: random work")
    ax.annotate(f"ρ = {rho:g}", (1.03 * largest, random[-1]), va="center", annotation_clip=False)
    points = np.unique(np.linspace(0, largest, POINTS).round().astype(int))
    equal = np.array([_equal_work(rho, servers, int(size)) for size in points])
    shown = np.where(equal > SEEN / JOBS, equal, np.nan)
    ax.plot(points, shown, ":", color=MODEL, lw=1.8, label="M/D/c/K, simulated: equal work")
    return random[-1]


def _equal_work(rho: float, servers: int, queue_size: int) -> float:
    arrivals = Poisson(rho * servers, JOBS)
    return simulate(arrivals, Fixed(1), servers=servers, queue_size=queue_size).p_reject


def _measured(ax: Axes, service: str, rows: pd.DataFrame) -> None:
    marker, face, aside = SERVICES.get(service, ("D", INK["other"].colour, 0.0))
    name = f"measured, {service if service in SERVICES else 'given'} work"
    look: dict[str, Any] = {"color": "black", "mfc": face, "mec": "black", "zorder": 5, "ms": 6}
    for row in rows.to_dict("records"):
        at = row["queue_size"] + aside * ax.get_xlim()[1]
        share = wilson(row["refused"], row["requests"])
        if share.estimate == 0:
            ax.plot([at], [share.high], "v", **look)
            continue
        bars = [[share.estimate - share.low], [share.high - share.estimate]]
        ax.errorbar([at], [share.estimate], bars, fmt=marker, capsize=3, label=name, **look)


def _title(losses: pd.DataFrame) -> str:
    """What the longest queue does for the largest load, against the shortest."""
    most = losses[losses["rho"] == losses["rho"].max()].sort_values("queue_size")
    share = most["refused"] / most["requests"]
    first, last = most["queue_size"].iloc[[0, -1]]
    return (
        f"At ρ = {most['rho'].iloc[0]:g}, Q = {first} turns away {100 * share.iloc[0]:.0f} %, "
        f"Q = {last} still {100 * share.iloc[-1]:.0f} %"
    )


def _subtitle(losses: pd.DataFrame) -> str:
    servers = ", ".join(f"{c}" for c in sorted(losses["servers"].unique()))
    return (
        f"{servers} workers; bars are Wilson's 95 % intervals, ▾ the upper end where none was "
        f"turned away; {losses['requests'].sum():,} requests"
    )
