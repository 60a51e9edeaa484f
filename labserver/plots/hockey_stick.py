"""Figure 7: the time in the house against the utilisation, measured, computed and simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from labserver.bench.cells import measured_cells
from labserver.bench.forecasts import (
    SECONDS,
    SETTLING,
    Forecasts,
    Pool,
    forecasts,
    pool_to_forecast,
)
from labserver.bench.store import Run
from labserver.plots.style import MODEL, canvas, entitle, figure_of, number, say
from labserver.theory.arrivals import Times
from labserver.theory.distributions import Distribution, Exponential, Fixed
from labserver.theory.queues import mdc_wait, mmc_wait
from labserver.theory.simulator import simulate

HIGHEST = 0.97  # of the utilisations that are drawn: at 1 the curves leave every page
SIMULATIONS = 60
BAND = (0.05, 0.95)
# By service and arrivals: colour, marker, and the way the formula is dashed.
LOOKS = {
    ("exponential", "poisson"): ("#00507F", "o", "-"),
    ("fixed", "poisson"): ("#009E73", "s", "--"),
    ("exponential", "even"): ("#56B4E9", "^", ":"),
    ("fixed", "even"): ("#44586B", "v", ":"),
}


def hockey_stick(data: Run | Sequence[Run], ax: Axes | None = None) -> Figure:
    """(Wait + service)/S against ρ, of one sweep of rates or of several, below ρ = 1.

    Dots are means over the repeats with their 95 % t-interval; both axes take S from the run's own
    service times. Lines are M/M/c and M/D/c, the bands where 9 of 10 simulated repeats of just such
    a point come out. Only what `forecasts` has a model of is drawn.
    """
    runs = [data] if isinstance(data, Run) else list(data)
    known = [found for found in map(forecasts, runs) if found is not None]
    with canvas(data, ax) as axes:
        if any(len(points(found)) for found in known):
            _draw(axes, known)
        else:
            say(axes, "no point below the capacity that theory has a model of")
    return figure_of(axes)


def suits_hockey_stick(runs: Sequence[Run]) -> bool:
    """Whether each run is a sweep of rates, some below the capacity, that theory has a model of."""
    return all(
        pool_to_forecast(run) is not None
        and any(c.rate_per_s < run.info.client["capacity_per_s"] for c in measured_cells(run))
        for run in runs
    )


def points(found: Forecasts) -> pd.DataFrame:
    """The waits measured below ρ = 1: rho, and mean, low and high of R in units of S."""
    table = found.table[(found.table["quantity"] == "wait_s") & (found.table["rho"] < HIGHEST)]
    service_s = table["service_ms"] / 1000
    units = {name: 1 + table[name] / service_s for name in ("measured", "low", "high", "expected")}
    return pd.DataFrame({"rho": table["rho"], "model": table["model"], **units})


def _draw(ax: Axes, known: Sequence[Forecasts]) -> None:
    shown = [points(found) for found in known]
    top = max(float(table[["measured", "high", "expected"]].max().max()) for table in shown)
    _curves(ax, {found.pool.workers for found in known}, {found.pool.arrivals for found in known})
    for found, table in zip(known, shown, strict=True):
        colour, marker, _ = LOOKS[found.pool.service, found.pool.arrivals]
        arrivals = "Poisson" if found.pool.arrivals == "poisson" else "even"
        name = f"{found.pool.service} service, {arrivals} arrivals"
        _band(ax, found, table, colour)
        spread = np.array([table["measured"] - table["low"], table["high"] - table["measured"]])
        ax.errorbar(
            table["rho"], table["measured"], yerr=np.nan_to_num(spread), fmt=marker, color=colour,
            capsize=3, mfc="white", mew=1.5, label=f"measured: {name}", zorder=4,
        )  # fmt: skip
    ax.axhline(1, color=MODEL, lw=0.8, ls=":", label="naive: R = S")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.15 * top)
    ax.set_xlabel("utilisation ρ of the workers, arrival rate × S / c")
    ax.set_ylabel("mean of (wait + service) / S")
    ax.legend(loc="upper left")
    entitle(ax, _title(shown), _subtitle(known))


def _curves(ax: Axes, workers: set[int], arrivals: set[str]) -> None:
    """Both formulas for Poisson arrivals; of evenly spaced ones neither is."""
    rho = np.linspace(0.02, HIGHEST, 200)
    for c in sorted(workers) if "poisson" in arrivals else ():
        for service, wait in (("exponential", mmc_wait), ("fixed", mdc_wait)):
            colour, _, dashes = LOOKS[service, "poisson"]
            letter = service.replace("exponential", "M").replace("fixed", "D")
            ax.plot(rho, 1 + wait(c * rho, 1.0, c), dashes, color=colour, lw=1.5,
                    label=f"M/{letter}/{c}")  # fmt: skip


def _band(ax: Axes, found: Forecasts, table: pd.DataFrame, colour: str) -> None:
    """What single repeats of these points give in the simulator, which are as short and as rare."""
    seconds = {c.rate_per_s: float(SECONDS.findall(c.load)[0]) for c in measured_cells(found.run)}
    rows = found.table.loc[table.index]
    low, high = np.transpose(
        [
            np.quantile(
                simulated_response(found.pool, rho, seconds[rate] * 1000 / service_ms), BAND
            )
            for rho, rate, service_ms in zip(
                rows["rho"], rows["rate_per_s"], rows["service_ms"], strict=True
            )
        ]
    )
    if len(table) > 1:
        ax.fill_between(table["rho"], low, high, color=colour, alpha=0.15, lw=0,
                        label="simulated: 9 of 10 repeats")  # fmt: skip


def simulated_response(pool: Pool, rho: float, lasts: float) -> NDArray[np.float64]:
    """R/S of many repeats of a point that lasts `lasts` service times, its first part left out."""
    rate = rho * pool.workers
    law: Distribution = Exponential(1.0) if pool.service == "exponential" else Fixed(1.0)
    rng = np.random.default_rng(0)
    means = []
    for seed in range(SIMULATIONS):
        n = rng.poisson(rate * lasts)
        came = np.arange(n) / rate if pool.arrivals == "even" else np.sort(rng.uniform(0, lasts, n))
        told = simulate(Times(came), law, servers=pool.workers, seed=seed)
        means.append(1 + told.wait_s[came >= SETTLING * lasts].mean())
    return np.array(means)


def _title(shown: Sequence[pd.DataFrame]) -> str:
    last = pd.concat(shown).sort_values("rho").iloc[-1]
    return f"At {100 * last['rho']:.0f} % busy, a job takes {number(last['measured'])} times its S"


def _subtitle(known: Sequence[Forecasts]) -> str:
    repeats = sorted({int(n) for found in known for n in found.table["repeats"]})
    of = " to ".join(str(n) for n in dict.fromkeys([repeats[0], repeats[-1]]))
    dots = f"means of {of} repeats with their 95 % t-interval" if repeats[-1] > 1 else "one repeat"
    return f"dots: {dots}; c: workers, S: mean service"
