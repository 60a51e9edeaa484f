"""The sweep that a machine is predicted to give. Nothing on it is measured, and it says so."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.prediction import Prediction
from labserver.plots.style import (
    LAW,
    MODEL,
    WORK,
    canvas,
    concurrency_axis,
    entitle,
    figure_of,
    number,
    pages_axis,
)

LOOKS = {"cores": (MODEL, "o-"), "slowed": (WORK.colour, "s--")}


def prediction(said: Prediction, ax: Axes | None = None) -> Figure:
    """Documents (left) and pages (right) per second against N, a line for each case.

    The bands are 95 % of the draws.
    """
    with canvas(said.run, ax) as ax:
        target = said.model.target
        for name, sweep in said.sweeps.items():
            colour, line = LOOKS.get(name, (LAW, "^:"))
            label = f"{name}, each a core" if name not in LOOKS else _label(name, said)
            ax.plot(sweep.index, sweep["docs_per_s"], line, ms=4, color=colour, label=label)
            ax.fill_between(
                sweep.index, sweep["docs_per_s_low"], sweep["docs_per_s_high"], color=colour,
                alpha=0.2, lw=0,
            )  # fmt: skip
        top = max(float(sweep["docs_per_s"].max()) for sweep in said.sweeps.values())
        ax.set_ylim(0, 1.15 * top)
        concurrency_axis(ax, said.sweeps["cores"].index)
        ax.set_ylabel("throughput, documents/s")
        pages_axis(ax, said.run.info.document.get("pages", 0))
        ax.legend(loc="lower right")
        entitle(
            ax,
            f"Forecast: {target} give {_most(said)} documents/s at most",
            "nothing here was measured on such a machine, S was on the one below; bands: 95 % of "
            "the draws, which know how sure S is, and not how good the model",
        )
        return figure_of(ax)


def _label(name: str, said: Prediction) -> str:
    if name == "cores":
        return "cores that do not slow each other"
    return f"cores at {said.full_speed:.0%} when all are busy"


def _most(said: Prediction) -> str:
    """The largest throughput of each case, from the least of them to the largest."""
    best = sorted(float(sweep["docs_per_s"].max()) for sweep in said.sweeps.values())
    ends = list(dict.fromkeys(map(number, (best[0], best[-1]))))
    return " to ".join(ends)
