"""All chance of a simulation that can be drawn before it runs, in bulk and from one seed.

Each source has a stream of its own, so that two policies under one seed meet the same jobs.
"""

import math
from dataclasses import dataclass

import numpy as np

from labserver.theory.arrivals import Arrivals, Clients
from labserver.theory.distributions import Distribution


@dataclass(frozen=True, slots=True)
class Chance:
    """What was drawn: lists with an element a job, in seconds.

    Jobs of an open run come at `arrival_s`; those of a `closed` one `think_s` after an answer, and
    the other list is empty. An attempt is left by its client after `patience_s`, inf for never.
    `jitter` is drawn from as retries happen: how many there will be, nobody knows before.
    """

    arrival_s: list[float]
    think_s: list[float]
    work_s: list[float]
    patience_s: list[float]
    jitter: np.random.Generator

    @property
    def closed(self) -> bool:
        """Whether the next job waits for an answer to one before it."""
        return not self.arrival_s


def draw(
    arrivals: Arrivals, service: Distribution, patience: Distribution | None, seed: int
) -> Chance:
    """Draws it all; the same arguments give the same."""
    when, work, patient, jitter = np.random.default_rng(seed).spawn(4)
    jobs = arrivals.jobs
    arrival_s: list[float] = []
    think_s: list[float] = []
    if isinstance(arrivals, Clients):
        think_s = arrivals.think.draw(when, jobs).tolist()
    else:
        arrival_s = arrivals.times_s(when).tolist()
    return Chance(
        arrival_s,
        think_s,
        service.draw(work, jobs).tolist(),
        patience.draw(patient, jobs).tolist() if patience else [math.inf] * jobs,
        jitter,
    )
