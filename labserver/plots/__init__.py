"""The figures of a saved run: each a function of its data, none needs a server or a display."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from labserver.bench.store import Run
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

__all__ = [
    "FIGURES", "draw_all", "gantt", "latency", "latency_ecdf", "queue_depth", "save", "throughput",
    "time_bars",
]  # fmt: skip


def draw_all(run: Run, folder: Path) -> list[Path]:
    """Draw every figure into `folder`, which is made if it is not there; returns the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in FIGURES.items():
        path = folder / f"{name}.png"
        save(draw(run), path)
        paths.append(path)
    return paths
