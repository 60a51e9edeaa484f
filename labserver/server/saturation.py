"""Whether there has been room for no job for a while: a balancer should then look elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from labserver.jobs.crew import PoolSnapshot

SUSTAINED_S = 5.0


class Saturation:
    """Fed with snapshots, it tells a queue that is full for a moment from one that stays full."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_since_s: float | None = None

    def observe(self, pools: Mapping[str, PoolSnapshot]) -> None:
        """Note whether every pool is full now: all workers busy and no place left to wait."""
        full = all(
            pool.busy == pool.workers and pool.waiting >= pool.capacity for pool in pools.values()
        )
        if not full:
            self._full_since_s = None
        elif self._full_since_s is None:
            self._full_since_s = self._clock()

    @property
    def sustained(self) -> bool:
        """Whether every pool has been full for `SUSTAINED_S`."""
        return self._full_since_s is not None and self._clock() - self._full_since_s >= SUSTAINED_S
