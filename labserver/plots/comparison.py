"""Two runs' throughput side by side, and their ratio. It is drawn from their folders alone."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.compare import Comparison, Effect
from labserver.bench.store import Run
from labserver.plots.style import INK, WAIT, Ink, canvas, entitle, figure_of, number, say

WIDTH = 0.38
LOADS = {
    "N": "PDFs at once, N",
    "of cap.": "arrival rate, share of each server's own capacity",
    "rate/s": "arrival rate, requests/s",
}


def comparison(pair: Comparison, ax: Axes | None = None) -> Figure:
    """Bars for the mean of the repeats, a dot for each, and the ratio above them."""
    with canvas(pair.other, ax) as ax:
        if not pair.effects:
            say(ax, "no point in common")
            return figure_of(ax)
        at = np.arange(len(pair.effects))
        for shift, run, ink in (
            (-WIDTH / 2, pair.base, WAIT),
            (WIDTH / 2, pair.other, INK["200"]),
        ):
            values = [e.base_per_s if run is pair.base else e.other_per_s for e in pair.effects]
            _bars(ax, at + shift, values, run.info.name, ink)
            _repeats(ax, at + shift, run, pair)
        for x, effect in zip(at, pair.effects, strict=True):
            top = max(effect.base_per_s, effect.other_per_s)
            ax.annotate(
                _ratio(effect), (x, top), (0, 7), textcoords="offset points", ha="center",
                fontsize=8.5,
            )  # fmt: skip
        ax.set_xticks(at, [f"{e.load:.4g}" for e in pair.effects])
        ax.set_xlabel(LOADS[pair.axis])
        ax.set_ylabel("throughput, " + pair.unit.replace("_per_s", "/s"))
        ax.margins(y=0.2)
        ax.legend(loc="upper left", ncols=2)
        entitle(ax, _title(pair), _subtitle(pair))
        return figure_of(ax)


def _bars(ax: Axes, x: np.ndarray, values: list[float], name: str, ink: Ink) -> None:
    ax.bar(
        x, values, WIDTH, color=ink.colour, hatch=ink.hatch, edgecolor="#222222", linewidth=0.6,
        label=name,
    )  # fmt: skip


def _repeats(ax: Axes, x: np.ndarray, run: Run, pair: Comparison) -> None:
    points = pair.points(run)
    for place, effect in zip(x, pair.effects, strict=True):
        dots = points.loc[[effect.load]]
        ax.plot([place] * len(dots), dots, "o", ms=4, mfc="white", mec="#222222", mew=0.8)


def _ratio(effect: Effect) -> str:
    if math.isnan(effect.ratio) or math.isinf(effect.ratio):
        return ""
    spread = "" if math.isnan(effect.low) else f"\n[{effect.low:.2f}, {effect.high:.2f}]"
    return f"{effect.ratio:.2f}×{spread}"


def _title(pair: Comparison) -> str:
    if pair.reasons:
        return "No winner is called: " + pair.reasons[0]
    most = pair.effects[-1]
    at = {
        "N": f"{most.load:.0f} PDFs at once",
        "of cap.": f"At {most.load:.4g} of the capacity",
        "rate/s": f"At {most.load:.4g} requests/s",
    }[pair.axis]
    what = "pages/s" if pair.unit == "pages_per_s" else "documents/s"
    return (
        f"{at}: {pair.other.info.name} makes "
        f"{number(most.other_per_s)} {what}, {pair.base.info.name} {number(most.base_per_s)}"
    )


def _subtitle(pair: Comparison) -> str:
    several = any(effect.repeats > 1 for effect in pair.effects)
    interval = ", with the 95 % t-interval of the repeats' ratios" if several else ""
    return f"above the bars: their ratio{interval}; dots: single repeats"
