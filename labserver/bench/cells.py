"""What each cell of a run gave, and what the models are fed. Warm-up cells stay out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from labserver.bench.records import Cell
from labserver.bench.store import Run

CHANGES = ("Step", "Spike")  # loads whose rate does not stay what it is at first


def measured_cells(run: Run) -> list[Cell]:
    """The run's cells but its warm-up, in the order in which they ran."""
    return [cell for cell in run.info.cells if cell.phase == "measured"]


def cell_of(run: Run, name: str | None = None) -> Cell:
    """The cell of that name; by default the first repeat of the largest load measured.

    Raises ValueError when there is none.
    """
    cells = measured_cells(run) if name is None else run.info.cells
    wanted = [cell for cell in cells if name in (None, cell.cell)]
    if not wanted:
        raise ValueError(f"the run has no measured cell{f' {name!r}' if name else ''}")
    return max(wanted, key=lambda cell: (cell.concurrency, cell.rate_per_s, -cell.repeat))


def is_burst(run: Run) -> bool:
    """Whether every cell is so many requests at one moment, and no more."""
    return all(cell.load.startswith("Burst") for cell in run.info.cells)


def is_open(run: Run) -> bool:
    """Whether the measured cells have a rate, and so no concurrency."""
    return any(cell.rate_per_s for cell in measured_cells(run))


def axis_of(run: Run) -> str:
    """The column that tells the measured cells apart: "rate_per_s" or "concurrency"."""
    return "rate_per_s" if is_open(run) else "concurrency"


def pool_of(run: Run) -> str:
    """The name of the pool that did the run's jobs."""
    return "message" if run.info.client.get("job") == "message" else "pdf"


def policy_of(run: Run) -> str:
    """How its server chose among the waiting jobs, such as "fifo", "lifo" or "fifo + shed"."""
    discipline = run.info.server.get("discipline") or "fifo"  # runs from before the flag lack it
    return discipline + " + shed" * bool(run.info.server.get("shed"))


def places_of(run: Run) -> int:
    """Q: how many jobs could wait in all, before all the workers."""
    server, pool = run.info.server, pool_of(run)
    return int(server[f"{pool}_workers"]) * int(server[f"{pool}_queue_size"])


def said(run: Run, cell: Cell) -> str:
    """The cell's load in words, such as "8 PDFs at once"."""
    noun = "PDF" if pool_of(run) == "pdf" else "job"
    if cell.rate_per_s:
        change = next((f" and a {kind.lower()}" for kind in CHANGES if kind in cell.load), "")
        return f"{cell.rate_per_s:.3g} {noun}s/s{change}"
    return f"{cell.concurrency} {noun}{'s' * (cell.concurrency > 1)} at once"


def during_measured(run: Run, at_s: pd.Series[float]) -> pd.Series[bool]:
    """Which of the times (seconds since the run began) lie within a measured cell."""
    inside = pd.Series(False, index=at_s.index)
    for cell in measured_cells(run):
        inside |= at_s.between(cell.started_s, cell.ended_s)
    return inside


def throughputs(run: Run) -> pd.DataFrame:
    """A row a measured cell: concurrency, rate_per_s, requests, completed, duration_s, docs_per_s,
    pages_per_s.

    A cell lasts from its first intended request to its last reply of any status, so that a 504
    costs the time that it took.
    """
    cells = run.measured.assign(ok=lambda rows: rows["status"] == 200).groupby("cell", sort=False)
    table = cells.agg(
        concurrency=("concurrency", "first"),
        rate_per_s=("rate_per_s", "first"),
        requests=("request", "size"),
        completed=("ok", "sum"),
        pages=("pages", "sum"),
        first_s=("intended_s", "min"),
        last_s=("done_s", "max"),
    ).sort_values(["concurrency", "rate_per_s"], kind="stable")
    table["duration_s"] = table["last_s"] - table["first_s"]
    table["docs_per_s"] = table["completed"] / table["duration_s"]
    table["pages_per_s"] = table["pages"] / table["duration_s"]
    return table.drop(columns=["first_s", "last_s"])


def capacity_per_s(run: Run) -> float:
    """c/S: the jobs per second that its workers could complete, each of them always busy.

    It is what the run measured before its points, if it did; else from the service times of the
    jobs that completed, NaN without one. Those of varied length leave out the longest then, which
    a deadline ends.
    """
    measured = run.info.client.get("capacity_per_s")
    if measured is not None:
        return float(measured)
    done = run.measured[run.measured["status"] == 200]
    workers = int(run.info.server[f"{pool_of(run)}_workers"])
    return 1000 * workers / float(done["process_ms"].mean())


def goodputs(run: Run) -> pd.DataFrame:
    """A row a measured cell of an open loop: rate_per_s, offered_per_s, goodput_per_s.

    `rate_per_s` is what was asked for and `offered_per_s` what chance made of it: requests, each
    counted once however often it was tried, over the time in which they came. `goodput_per_s`
    counts those completed, over the time up to the last answer.
    """
    first = run.measured[run.measured["attempt"] == 1].groupby("cell")["intended_s"]
    came_s = first.max() - first.min()
    cells = throughputs(run)
    offered_per_s = (first.count() / came_s).where(came_s > 0)
    return pd.DataFrame(
        {
            "rate_per_s": cells["rate_per_s"],
            "offered_per_s": offered_per_s.reindex(cells.index).fillna(cells["rate_per_s"]),
            "goodput_per_s": cells["docs_per_s"],
        }
    )


@dataclass(frozen=True, slots=True)
class Calibration:
    """The service time S of a job that is alone (seconds, from `n` jobs), and who gives it.

    `cores` is None where the work is simulated: sleeping workers do not share any.
    """

    service_s: float
    n: int
    workers: int
    cores: int | None
    think_s: float

    @property
    def servers(self) -> int:
        """m: how many jobs get a whole server's speed at once, min(workers, cores)."""
        return min(self.workers, self.cores or self.workers)


def alone_s(run: Run) -> pd.Series[float]:
    """The service times, in seconds, of the run's own completed requests at concurrency 1."""
    cells = [c.cell for c in run.info.cells if c.concurrency == 1]
    rows = run.requests[run.requests["cell"].isin(cells) & (run.requests["phase"] != "warmup")]
    return rows[rows["status"] == 200]["process_ms"].dropna() / 1000


def calibrate(run: Run) -> Calibration | None:
    """S from the run's own completed requests at concurrency 1; None when it has none."""
    service_s = alone_s(run)
    if service_s.empty:
        return None
    return Calibration(
        service_s=float(np.mean(service_s)),
        n=len(service_s),
        workers=run.info.server[f"{pool_of(run)}_workers"],
        cores=None if run.info.simulated else run.info.machine["cores"],
        think_s=run.info.client.get("think_s", 0.0),
    )
