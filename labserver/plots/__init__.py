"""The figures of saved runs: each a function of their data, none needs a server or a display."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from matplotlib.figure import Figure

from labserver.bench.cells import is_open
from labserver.bench.predict import can_backtest
from labserver.bench.replay import can_replay
from labserver.bench.store import Run
from labserver.plots.cliff import cliff, is_cliff
from labserver.plots.comparison import comparison
from labserver.plots.gantt import gantt
from labserver.plots.goodput import goodput, has_rates
from labserver.plots.hockey_stick import hockey_stick, suits_hockey_stick
from labserver.plots.inflation import has_service, inflation
from labserver.plots.latency import latency
from labserver.plots.latency_ecdf import latency_ecdf
from labserver.plots.loop_lag import has_probes, loop_lag
from labserver.plots.loss import has_losses, loss
from labserver.plots.metastability import has_spike, metastability
from labserver.plots.parity import parity
from labserver.plots.percentiles import percentiles, suits_percentiles
from labserver.plots.prediction import prediction
from labserver.plots.queue_depth import queue_depth
from labserver.plots.status import status
from labserver.plots.style import save
from labserver.plots.throughput import throughput
from labserver.plots.time_bars import time_bars
from labserver.plots.validity import validity

__all__ = [
    "FIGURES",
    "STUDIES",
    "cliff",
    "comparison",
    "draw_all",
    "draw_study",
    "gantt",
    "goodput",
    "hockey_stick",
    "inflation",
    "latency",
    "latency_ecdf",
    "loop_lag",
    "loss",
    "metastability",
    "parity",
    "percentiles",
    "prediction",
    "queue_depth",
    "save",
    "status",
    "throughput",
    "time_bars",
    "validity",
]

Data = TypeVar("Data")


@dataclass(frozen=True, slots=True)
class Drawing(Generic[Data]):
    """A figure, and whether the data has what it shows."""

    draw: Callable[[Data], Figure]
    suits: Callable[[Data], bool] = lambda _: True


def is_closed(run: Run) -> bool:
    """Whether the run's cells have a concurrency."""
    return not is_open(run)


def has_forecasts(runs: Sequence[Run]) -> bool:
    """Whether any of the runs can be held against a forecast."""
    return any(can_replay(run) or can_backtest(run) for run in runs)


FIGURES: dict[str, Drawing[Run]] = {
    "01-throughput": Drawing(throughput, is_closed),
    "02-latency": Drawing(latency, is_closed),
    "03-gantt": Drawing(gantt),
    "04-queue": Drawing(queue_depth),
    "05-status": Drawing(status, is_open),
    "07-hockey-stick": Drawing(hockey_stick, lambda run: suits_hockey_stick([run])),
    "10-percentiles": Drawing(percentiles, lambda run: suits_percentiles([run])),
    "11-latency-ecdf": Drawing(latency_ecdf),
    "12-time-bars": Drawing(time_bars, is_closed),
    "13-loop-lag": Drawing(loop_lag, has_probes),
    "14-inflation": Drawing(inflation, has_service),
    "15-metastability": Drawing(metastability, has_spike),
    "17-validity": Drawing(validity),
}

# Of several runs, which differ in one thing.
STUDIES: dict[str, Drawing[Sequence[Run]]] = {
    "06-goodput": Drawing(goodput, has_rates),
    "07-hockey-stick": Drawing(hockey_stick, suits_hockey_stick),
    "08-loss": Drawing(loss, has_losses),
    "09-cliff": Drawing(cliff, is_cliff),
    "10-percentiles": Drawing(percentiles, suits_percentiles),
    "13-loop-lag": Drawing(loop_lag, has_probes),
    "14-inflation": Drawing(inflation, has_service),
    "16-parity": Drawing(parity, has_forecasts),
}


def draw_all(run: Run, folder: Path) -> list[Path]:
    """Draw each figure that the run has data for into `folder`; returns the PNG files."""
    return _draw(FIGURES, run, folder)


def draw_study(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Draw each figure of several runs that these have data for; returns the PNG files."""
    return _draw(STUDIES, runs, folder)


def _draw(drawings: Mapping[str, Drawing[Data]], data: Data, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    fitting = {name: drawing for name, drawing in drawings.items() if drawing.suits(data)}
    paths = [folder / f"{name}.png" for name in fitting]
    for path, drawing in zip(paths, fitting.values(), strict=True):
        save(drawing.draw(data), path)
    return paths
