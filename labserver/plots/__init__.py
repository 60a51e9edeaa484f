"""The figures of a saved run: each a function of its data, none needs a server or a display."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from labserver.bench.cells import is_open
from labserver.bench.store import Run
from labserver.plots.comparison import comparison
from labserver.plots.gantt import gantt
from labserver.plots.latency import latency
from labserver.plots.latency_ecdf import latency_ecdf
from labserver.plots.queue_depth import queue_depth
from labserver.plots.style import save
from labserver.plots.throughput import throughput
from labserver.plots.time_bars import time_bars

FIGURES: dict[str, Callable[[Run], Figure]] = {
    "01-throughput": throughput,
    "02-latency": latency,
    "03-gantt": gantt,
    "04-queue": queue_depth,
    "11-latency-ecdf": latency_ecdf,
    "12-time-bars": time_bars,
}
# These are drawn over a concurrency, which an open loop does not have.
CLOSED = {"01-throughput", "02-latency", "12-time-bars"}

__all__ = [
    "FIGURES", "comparison", "draw_all", "gantt", "latency", "latency_ecdf", "queue_depth", "save",
    "throughput", "time_bars",
]  # fmt: skip


def draw_all(run: Run, folder: Path) -> list[Path]:
    """Draw every figure of the run into `folder`, made if not there; returns the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in FIGURES if name not in CLOSED or not is_open(run)]
    paths = [folder / f"{name}.png" for name in names]
    for name, path in zip(names, paths, strict=True):
        save(FIGURES[name](run), path)
    return paths
