"""How fast a pool really gets through its jobs, and so when it is worth asking again."""

from __future__ import annotations

from collections import deque
from statistics import fmean

from labserver.jobs.crew import PoolSnapshot

WINDOW = 50  # the jobs that ended last
LEAST_S, MOST_S = 1.0, 300.0


class DrainRate:
    """The rate at which a busy pool's workers become free, from the jobs that ended last.

    Completions are counted per second that a worker was busy, not per second of the clock: after
    an idle hour the rate is still that of the jobs before it.
    """

    def __init__(self, deadline_s: float) -> None:
        """`deadline_s` is what a job is taken to need for as long as none has ended."""
        self._deadline_s = deadline_s
        self._busy_s: deque[float] = deque(maxlen=WINDOW)

    def job_ended(self, busy_s: float) -> None:
        """Note a job that held its worker for `busy_s`."""
        self._busy_s.append(busy_s)

    def per_s(self, workers: int) -> float:
        """Jobs that `workers`, all of them busy, end in a second."""
        mean_s = fmean(self._busy_s) if self._busy_s else self._deadline_s
        return workers / max(mean_s, 1e-3)

    def retry_after_s(self, pool: PoolSnapshot) -> float:
        """Seconds until those who wait now have been taken; from 1 to 300."""
        return min(max(LEAST_S, pool.waiting / self.per_s(pool.workers)), MOST_S)
