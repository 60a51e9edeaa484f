"""A run's twin: the simulator under the run's own arrivals, service times and policy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from labserver.bench.cells import cell_of, places_of, pool_of
from labserver.bench.store import Run
from labserver.theory.arrivals import Times
from labserver.theory.discipline import FIFO, CoDel, DeadlineSkip, Discipline, Lifo
from labserver.theory.distributions import Empirical
from labserver.theory.simulation import Simulation
from labserver.theory.simulator import simulate


def twin(
    run: Run, cell: str | None = None, *, queue_size: int | None = None, seed: int = 0
) -> Simulation:
    """Simulate a cell of an open loop: its requests come when they came, to as many workers.

    Service times are drawn from those of the run's completed jobs. `queue_size` is Q, the places in
    all, and by default the run's own. The simulator has one queue, as the server with
    `--dispatch shared`. What `--shed` refuses at the door, it passes over at its turn.

    Raises ValueError for an unknown cell, or when no job of the run completed.
    """
    return next(twins(run, cell, queue_size=queue_size, seeds=[seed]))


def twins(
    run: Run, cell: str | None = None, *, queue_size: int | None = None, seeds: Iterable[int]
) -> Iterator[Simulation]:
    """As `twin`, one for each seed, with the run looked at once for all of them."""
    rows = run.measured[run.measured["cell"] == cell_of(run, cell).cell]
    came_s = rows["intended_s"].sort_values().to_numpy()
    server, pool = run.info.server, pool_of(run)
    deadline_s = server[f"{pool}_timeout"] or math.inf
    service = measured_service(run)
    for seed in seeds:
        yield simulate(
            Times(came_s - came_s[0]),
            service,
            servers=server[f"{pool}_workers"],
            queue_size=places_of(run) if queue_size is None else queue_size,
            deadline_s=deadline_s,
            discipline=_discipline(run, service.mean_s, deadline_s),
            seed=seed,
        )


def measured_service(run: Run) -> Empirical:
    """S, in seconds, as it was in the run itself: the times of its completed jobs."""
    completed = run.measured[run.measured["status"] == 200]
    return Empirical(completed["process_ms"] / 1000)


def _discipline(run: Run, service_s: float, deadline_s: float) -> Discipline:
    """The server's rule, with the times that the server would take for it."""
    match run.info.server.get("discipline") or "fifo":
        case "lifo":
            return Lifo()
        case "codel":
            return CoDel(deadline_s / 4, deadline_s / 2)
        case "deadline":
            return DeadlineSkip(service_s)
    return DeadlineSkip(service_s) if run.info.server.get("shed") else FIFO
