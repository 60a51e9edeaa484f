"""A sweep forecast from the jobs that a saved run had alone, for a machine that is described.

It measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from labserver.bench.cells import alone_s, is_open, measured_cells, pool_of, throughputs
from labserver.bench.compare import Comparison
from labserver.bench.model import Model
from labserver.bench.prediction import Backtest, Prediction
from labserver.bench.records import LOOP
from labserver.bench.store import Run
from labserver.bench.target import Target, target_of
from labserver.errors import StartupError
from labserver.theory.distributions import Empirical
from labserver.theory.sharing import Cores

SERVER = ("engine", "runner", "png", "turn", "dpi", "pdf_workers", "dispatch")
VERSIONS = ("poppler", "pdf2image", "pypdfium2", "isal", "pyvips", "pyvips-binary")
AT_ONCE = tuple(range(1, 17))


def predict(
    run: Run, target: Target | None = None, at_once: Sequence[int] = (), *, seed: int = 0
) -> Prediction:
    """The sweep that `target` (by default the run's own machine and server) would give.

    `at_once` are the numbers of PDFs; by default the run's own, and 1 to 16 if it has one only. The
    same arguments give the same. Raises StartupError when the run has no completed job at N = 1.
    """
    own = model_of(run, seed)
    alone = own.on(target or own.target)
    speed, loads = full_speed(run, seed), at_once or own_loads(run)
    sweeps = {
        name: alone.on(alone.target, cores).sweep(loads)
        for name, cores in _cases(alone.target, speed).items()
    }
    return Prediction(run, alone, speed, sweeps, backtests(run, seed))


def model_of(run: Run, seed: int = 0) -> Model:
    """The run's jobs at N = 1 on its own machine. Raises StartupError when none completed."""
    service_s = alone_s(run)
    if service_s.empty:
        raise StartupError(
            f"{run.info.name} has no completed job at concurrency 1, and so no service time to "
            "predict from: measure some with sweep --concurrency 1 --repeats 5 --out FOLDER"
        )
    own = target_of(run)
    closed = any(cell.load.startswith("ClosedLoop") for cell in measured_cells(run))
    think_s = run.info.client.get("think_s", 0.0) if closed else None
    return Model(Empirical(service_s), own, Cores(own.cores), think_s, seed=seed)


def full_speed(run: Run, seed: int = 0) -> float:
    """What a core of the run's machine did while all were busy, of what one did that was alone.

    The measured throughput where N first filled the cores over that which the jobs alone foretell
    of it; 1 where it was no less, or nothing tells.
    """
    if not can_backtest(run) or run.info.simulated:
        return 1.0
    model, measured = model_of(run, seed), _measured(run)
    full = measured.loc[model.servers :]
    if full.empty or model.servers == 1:
        return 1.0
    foretold = model.sweep([int(full.index[0])])["docs_per_s"]
    return min(1.0, float(full.iloc[0] / foretold.iloc[0]))


def backtests(run: Run, seed: int = 0) -> list[Backtest]:
    """The model held against what the run itself measured above N = 1; [] where it has nothing.

    First the model of its jobs alone; then, if it lost speed when full, the model that knows so, on
    the N larger than the one that told.
    """
    if not can_backtest(run):
        return []
    model, measured = model_of(run, seed), _measured(run)
    tests = [_backtest(model, measured)]
    later = measured.loc[model.servers :].iloc[1:]
    if (speed := full_speed(run, seed)) < 1 and len(later):
        slowed = model.on(model.target, Cores(model.target.cores, speed))
        tests.append(_backtest(slowed, later))
    return tests


def _measured(run: Run) -> pd.Series[float]:
    """The mean throughput of the repeats at each N above 1, by N."""
    table = throughputs(run)
    return table[table["concurrency"] > 1].groupby("concurrency")["docs_per_s"].mean()


def can_backtest(run: Run) -> bool:
    """Whether the run is of a server, and has jobs alone and more at once."""
    if run.info.client.get("path") == LOOP:
        return False
    several = any(cell.concurrency > 1 for cell in measured_cells(run))
    return several and not is_open(run) and not alone_s(run).empty


def same_work(a: Run, b: Run) -> bool:
    """Whether a model of one may be held against the other: alike in all that decides S and X."""
    return not Comparison(a, b).reasons and _work(a) == _work(b)


def _work(run: Run) -> list[object]:
    """What a server's own times depend on, beside its machine and the document."""
    info = run.info
    return [
        info.client.get("path", "/put"),
        pool_of(run),
        *(info.server.get(key) for key in SERVER),
        *(info.versions.get(key) for key in VERSIONS),
    ]


def own_loads(run: Run) -> tuple[int, ...]:
    """The numbers of PDFs at once that the run measured; 1 to 16 if that is one only."""
    own = sorted({cell.concurrency for cell in measured_cells(run)})
    return AT_ONCE if len(own) < 2 or is_open(run) else tuple(own)


def _backtest(model: Model, measured: pd.Series[float]) -> Backtest:
    said = model.sweep([int(n) for n in measured.index])
    return Backtest(model.service, model.cores, said.assign(measured_per_s=measured))


def _cases(target: Target, speed: float) -> dict[str, Cores]:
    """The cores that the forecast is made for, by the column that shows it."""
    cases = {"cores": Cores(target.cores)}
    if speed < 1 and min(target.workers, target.cores) > 1:
        cases["slowed"] = Cores(target.cores, speed)
    if min(target.threads, target.workers) > target.cores:
        cases[f"{target.threads} threads"] = Cores(target.threads)
    return cases
