"""A machine, and the server on it, that a sweep is predicted for. It need not exist."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labserver.bench.cells import pool_of
from labserver.bench.records import LOOP
from labserver.bench.store import Run
from labserver.errors import StartupError


@dataclass(frozen=True, slots=True)
class Target:
    """`workers`, each with a queue of `queue_size` and the deadline `timeout_s`, on `cores`.

    `threads` are the hardware threads of all cores together. `speed` is what a core does in the
    time in which one of the calibrated machine does 1.
    """

    workers: int
    cores: int
    threads: int
    queue_size: int
    timeout_s: float
    speed: float = 1.0

    def __post_init__(self) -> None:
        if min(self.workers, self.cores) < 1:
            raise StartupError("a machine to predict has 1 worker and 1 core at least")
        if self.threads < self.cores:
            raise StartupError(
                f"{self.threads} threads are less than {self.cores} cores: --threads counts those "
                "of all cores together, 16 on 8 cores that run two each"
            )
        if not 0 < self.speed < math.inf:
            raise StartupError(f"--speed is a factor above 0, not {self.speed:g}")

    @property
    def room(self) -> int:
        """K: how many jobs find a worker or a place in a queue."""
        return self.workers * (1 + self.queue_size)

    def __str__(self) -> str:
        threads = f" ({self.threads} threads)" if self.threads > self.cores else ""
        speed = f", each {self.speed:g} × as fast" if self.speed != 1 else ""
        return f"{_so_many(self.workers, 'worker')}, {_so_many(self.cores, 'core')}{threads}{speed}"


def _so_many(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n > 1)}"


def target_of(
    run: Run,
    *,
    workers: int | None = None,
    cores: int | None = None,
    threads: int | None = None,
    speed: float = 1.0,
) -> Target:
    """The run's own machine and server, but for what is given.

    Simulated work shares no cores: there each worker counts as having one. Raises StartupError for
    a machine that cannot be.
    """
    if run.info.client.get("path") == LOOP:
        raise StartupError(f"{run.info.name} is of a bare loop: name a run of a server")
    server, pool = run.info.server, pool_of(run)
    workers = server[f"{pool}_workers"] if workers is None else workers
    own_cores = workers if run.info.simulated else run.info.machine["cores"]
    cores = own_cores if cores is None else cores
    return Target(
        workers=workers,
        cores=cores,
        threads=cores if threads is None else threads,
        queue_size=server[f"{pool}_queue_size"],
        timeout_s=server[f"{pool}_timeout"] or math.inf,
        speed=speed,
    )
