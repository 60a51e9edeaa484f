"""One look for every figure, without pyplot: no window and no lasting setting. It holds no data."""

from __future__ import annotations

import re
import textwrap
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image

from labserver.bench.provenance import provenance, provenance_of
from labserver.bench.store import Run
from labserver.bench.wording import joined

SIZE_IN = (7.2, 4.6)
FILE_DPI = 150
NOTEBOOK_DPI = 100
PALETTE = 256
BOLD_PER_INCH, SMALL_PER_INCH = 12.2, 16.5  # letters that fit, of the title and below it

LOOK: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "#DDDDDD",
    "hatch.linewidth": 0.8,
}
_rc_lock = threading.RLock()  # matplotlib's settings are the process's own, for as long as we draw


@dataclass(frozen=True, slots=True)
class Ink:
    """How one kind of thing looks, wherever it is drawn; hatch and marker tell it in grey."""

    label: str
    colour: str
    hatch: str
    marker: str


@dataclass(frozen=True, slots=True)
class Line:
    """How one of several runs looks beside the others; dashes and marker tell it in grey."""

    colour: str
    dashes: str
    marker: str


# Okabe and Ito's colours, which the colour-blind tell apart; the blue is darkened so that the
# statuses are also four steps of grey.
INK = {
    "200": Ink("200 completed", "#00507F", "", "o"),
    "429": Ink("429 your quota", "#F0E442", "..", "D"),
    "503": Ink("503 turned away", "#E69F00", "//", "s"),
    "504": Ink("504 deadline passed", "#D55E00", "\\\\", "X"),
    "other": Ink("failed or no answer", "#8A8A8A", "++", "v"),
    "wasted": Ink("work for nobody", "#CC79A7", "////", "P"),
}
WAIT = Ink("wait in the queue", "#B8C4CE", "...", "s")
WORK = Ink("service by a worker", "#44586B", "", "o")
OVERHEAD = Ink("overhead: the rest", "#FFFFFF", "xxxx", "^")
MODEL = "#222222"
LAW = "#009E73"
# Runs side by side, in colours that mean nothing else.
SERIES = (
    Line("#222222", "-", "o"),
    Line("#56B4E9", "--", "s"),
    Line("#8C6BB1", "-.", "^"),
    Line("#9A8F4F", ":", "D"),
)

STATUS = {
    "completed": "200",
    "rate_limited": "429",
    "rejected": "503",
    "shed": "503",
    "drained": "503",
    "lost": "503",
    "expired": "504",
    "killed": "504",
}


def ink_of_status(status: float) -> str:
    """The key in INK of an HTTP status, 0 for none."""
    key = str(int(status))
    return key if key in INK else "other"


def ink_of_outcome(outcome: str) -> str:
    """The key in INK of an outcome in the server's ledger."""
    return STATUS.get(outcome, "other")


class Picture(Figure):
    """A Figure that a notebook shows as it is, without pyplot and its backends."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        save(self, buffer, dpi=NOTEBOOK_DPI)
        return buffer.getvalue()


@contextmanager
def canvas(data: Run | Sequence[Run], ax: Axes | None = None) -> Iterator[Axes]:
    """Axes to draw one run or several on: the caller's own, or those of a new Picture with its
    footer. They are stamped INVALID if one of the runs is.
    """
    runs = [data] if isinstance(data, Run) else list(data)
    with _rc_lock, mpl.rc_context(LOOK):
        if ax is None:
            picture = Picture(figsize=SIZE_IN, layout="constrained", dpi=NOTEBOOK_DPI)
            ax = picture.subplots()
            told = provenance(runs[0]) if len(runs) == 1 else provenance_of(runs)
            # As a label of the figure it has its room in the layout, which plain text has not.
            picture.supxlabel(
                "\n".join(joined(told, 118)),
                x=0.01,
                ha="left",
                fontsize=7.5,
                color="#555555",
            )
        yield ax
        if any(run.info.verdict == "INVALID" for run in runs):
            _stamp(ax, "INVALID")


def figure_of(ax: Axes) -> Figure:
    """The figure that the axes are part of."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def panels(
    ax: Axes,
    widths: Sequence[float],
    heights: Sequence[float] = (1,),
    gap: float = 0.14,
    head: float = 0.0,
) -> list[Axes]:
    """A grid of axes in place of `ax`, row by row from the top, of these relative sizes.

    `gap` is the room between two for ticks and labels, `head` that above the first row for titles
    of its own, as shares of `ax`.
    """
    ax.set_axis_off()
    return [
        ax.inset_axes((x, (1 - head) * (1 - y - height), width, (1 - head) * height))
        for y, height in _spans(heights, gap)
        for x, width in _spans(widths, gap)
    ]


def _spans(sizes: Sequence[float], gap: float) -> list[tuple[float, float]]:
    """(start, length) of each part of [0, 1], with a gap between two."""
    lengths = [size * (1 - gap * (len(sizes) - 1)) / sum(sizes) for size in sizes]
    return [(sum(lengths[:i]) + i * gap, length) for i, length in enumerate(lengths)]


def entitle(ax: Axes, title: str, subtitle: str = "") -> None:
    """Say what is to be seen, as a sentence, and below it smaller what one needs to read it."""
    width_in = ax.get_position().width * figure_of(ax).get_figwidth()
    small = _filled(subtitle, SMALL_PER_INCH * width_in)
    ax.set_title(small, loc="left", fontsize=8.5, color="#444444")
    height_pt = 11.5 * len(small.splitlines())
    ax.annotate(
        _filled(title, BOLD_PER_INCH * width_in),
        xy=(0, 1),
        xytext=(0, 8 + height_pt),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=11.5,
        fontweight="bold",
        annotation_clip=False,
    )


def say(ax: Axes, what: str, size: float = 14) -> None:
    """In place of a figure that the run has no data for."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, what, transform=ax.transAxes, ha="center", va="center", fontsize=size)


def number(value: float) -> str:
    """Three digits, as a reader says it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def log_axis(axis: Axis) -> None:
    """Make an axis whose data is drawn logarithmic, with plain numbers: 0.5, not 5 × 10⁻¹.

    Where it spans little more than a decade, 2 and 5 have theirs too.
    """
    (axis.axes.set_xscale if isinstance(axis, XAxis) else axis.axes.set_yscale)("log")
    low, high = axis.get_view_interval()
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_minor_formatter("{x:g}" if high < 30 * low else NullFormatter())


def concurrency_axis(ax: Axes, values: Iterable[int]) -> None:
    """N from 0 on, with ticks at the values measured, as many as have room."""
    wanted = sorted(values)
    room = (wanted[-1] - wanted[0]) / 24
    kept: list[int] = []
    for value in wanted:
        if not kept or value - kept[-1] >= room:
            kept.append(value)
    ax.set_xticks(kept)
    ax.set_xlim(0, (1.05 if len(wanted) > 1 else 2) * wanted[-1] + 0.2)
    ax.set_xlabel("PDFs at once, N")


def pages_axis(ax: Axes, pages: int) -> None:
    """On the right, pages per second beside documents per second, for work that has pages."""
    if pages > 0:
        scales = (lambda y: np.multiply(y, pages), lambda y: np.divide(y, pages))
        ax.secondary_yaxis("right", functions=scales).set_ylabel("pages/s")


def save(figure: Figure, target: Path | BinaryIO, dpi: int = FILE_DPI) -> None:
    """Write a PNG; the same figure gives the same bytes, as nothing in it says when or by what.

    A palette of its own, which the eye does not notice, makes the file a third of the size.
    """
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    image = Image.open(drawn).convert("RGB")
    image = image.quantize(PALETTE, kmeans=1, dither=Image.Dither.NONE)
    image.save(target, format="PNG", optimize=True)


def _filled(sentence: str, width: float) -> str:
    """The sentence in lines, unbroken around an equals sign and before a unit."""
    tied = re.sub(r" (?==)|(?<==) |(?<=\d) (?=%|×|m?s\b)", "\N{NO-BREAK SPACE}", sentence)
    return textwrap.fill(tied, max(20, int(width)))


def _stamp(ax: Axes, word: str) -> None:
    stamp = ax.text(0.5, 0.5, word, transform=ax.transAxes, ha="center", va="center")
    stamp.set(fontsize=64, fontweight="bold", rotation=20, color="#B00020", alpha=0.22, zorder=20)
    stamp.set_in_layout(False)
