"""The simulator: arrivals, work and policies in, what became of each job out. Never sleeps."""

import math
from typing import Literal

import numpy as np

from labserver.theory.arguments import counts, positive
from labserver.theory.arrivals import Arrivals, Clients
from labserver.theory.chance import draw
from labserver.theory.discipline import FIFO, Discipline
from labserver.theory.distributions import Distribution
from labserver.theory.house import House
from labserver.theory.retries import NO_RETRY, Retry
from labserver.theory.simulation import Simulation


def simulate(
    arrivals: Arrivals,
    service: Distribution,
    *,
    servers: int,
    queue_size: float = math.inf,
    deadline_s: float = math.inf,
    patience: Distribution | None = None,
    overrun: Literal["kill", "zombie"] = "kill",
    retry: Retry = NO_RETRY,
    discipline: Discipline = FIFO,
    seed: int = 0,
) -> Simulation:
    """Runs `arrivals` through `servers` behind a queue in which `queue_size` jobs may wait.

    A job's work is drawn from `service`, once for all its attempts. An attempt is answered
    `deadline_s` after it came, or left by its client after a time drawn from `patience` if that is
    sooner, be the job waiting or running; if running, its work is stopped ("kill") or goes on for
    nobody ("zombie"). What failed is tried again as `retry` says.

    The same arguments give the same result, and under one seed two policies meet the same jobs.

    Raises ValueError for servers below 1, queue_size below 0, deadline_s not above 0, or an overrun
    of another name.
    """
    counts(1, servers=servers)
    counts(0, queue_size=0 if queue_size == math.inf else queue_size)
    positive(deadline_s=deadline_s)
    if overrun not in ("kill", "zombie"):
        raise ValueError(f"overrun must be 'kill' or 'zombie', got {overrun!r}")
    chance = draw(arrivals, service, patience, seed)
    house = House(chance, servers, queue_size, deadline_s, overrun == "zombie", retry, discipline)
    house.run(first=arrivals.n if isinstance(arrivals, Clients) else 1)
    order = np.argsort(house.arrival_s, kind="stable")  # a short think overtakes a long one
    return Simulation(
        servers=servers,
        queue_size=queue_size,
        seed=seed,
        begin_s=0.0,
        until_s=max(house.freed_s, max(house.end_s)),
        arrival_s=np.array(house.arrival_s)[order],
        entered_s=np.array(house.entered_s)[order],
        start_s=np.array(house.start_s)[order],
        end_s=np.array(house.end_s)[order],
        outcome=np.array(house.outcome, dtype=np.int8)[order],
        attempts=np.array(house.attempts, dtype=np.int64)[order],
        wasted_s=np.array(house.wasted_s)[order],
        retry_s=np.sort(house.retry_s),
    )
