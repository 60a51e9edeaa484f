"""Workers that share cores: what the simulator's independent servers do not do. No deadlines."""

import math
from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from labserver.theory.arguments import counts
from labserver.theory.arrivals import Arrivals, Clients
from labserver.theory.chance import Chance, draw
from labserver.theory.distributions import Distribution
from labserver.theory.simulation import Simulation


@dataclass(frozen=True)
class Cores:
    """Cores that all running jobs share fairly: n of them are done at the rate min(n, cores)/S.

    `full_speed` is what a core does while all are busy, of what one does that is alone (memory and
    the clock are shared, too); between these it falls evenly with each core that is busy. Raises
    ValueError for cores below 1, or a full_speed not within (0, 1].

    Source: the rate is that of processor sharing, Kleinrock, *Queueing Systems* vol. 2, ch. 4.
    """

    cores: int
    full_speed: float = 1.0

    def __post_init__(self) -> None:
        counts(1, cores=self.cores)
        if not 0 < self.full_speed <= 1:
            raise ValueError(f"full_speed must be above 0 and 1 at most, got {self.full_speed!r}")

    def speed(self, running: int) -> float:
        """Seconds of work that each of `running` jobs gets done in a second."""
        busy = min(running, self.cores)
        lost = (1 - self.full_speed) * (busy - 1) / max(1, self.cores - 1)
        return (1 - lost) * busy / running


def simulate_shared(
    arrivals: Arrivals, service: Distribution, *, workers: int, cores: Cores, seed: int = 0
) -> Simulation:
    """Runs `arrivals` through `workers` behind one endless queue, first come, first served.

    A job's work is drawn from `service`, the time that it takes alone. With a core for each worker
    this is `simulate`. The same arguments give the same result. Raises ValueError for workers < 1.
    """
    counts(1, workers=workers)
    room = _Room(draw(arrivals, service, None, seed), workers, cores)
    room.run(first=arrivals.n if isinstance(arrivals, Clients) else arrivals.jobs)
    order = np.argsort(room.arrival_s, kind="stable")
    arrival_s = np.array(room.arrival_s)[order]
    return Simulation(
        servers=workers,
        queue_size=math.inf,
        seed=seed,
        begin_s=0.0,
        until_s=max(room.end_s),
        arrival_s=arrival_s,
        entered_s=arrival_s,
        start_s=np.array(room.start_s)[order],
        end_s=np.array(room.end_s)[order],
        outcome=np.zeros(order.size, dtype=np.int8),  # completed, all of them
        attempts=np.ones(order.size, dtype=np.int64),
        wasted_s=np.zeros(order.size),
        retry_s=np.empty(0),
    )


class _Room:
    """The state of a run. A job is its index; what is known of it stands in lists."""

    # Sharing is fair, so a second does as much for each job that runs. `share_s` adds that up, and
    # a job that began at one share ends when the share is larger by its work: one heap is enough.

    def __init__(self, chance: Chance, workers: int, cores: Cores) -> None:
        self.chance, self.workers, self.cores = chance, workers, cores
        jobs = len(chance.work_s)
        self.arrival_s = chance.arrival_s or [0.0] * jobs
        self.start_s, self.end_s = [0.0] * jobs, [0.0] * jobs
        self.coming: list[tuple[float, int]] = []  # when, which job
        self.running: list[tuple[float, int]] = []  # at which share it ends, which job
        self.waiting: deque[int] = deque()
        self.now_s = self.share_s = 0.0
        self.issued = 0

    def run(self, first: int) -> None:
        """Sends the `first` jobs on their way, and lets happen what comes of it."""
        for _ in range(first):
            self.issue()
        while self.coming or self.running:
            end_s = self.next_end_s()
            if self.coming and self.coming[0][0] < end_s:
                self.arrive()
            else:
                self.finish(end_s)

    def issue(self) -> None:
        """The next job is on its way: at its own time, or after its client's think."""
        job = self.issued
        if job < len(self.arrival_s):
            self.issued += 1
            if self.chance.closed:
                self.arrival_s[job] = self.now_s + self.chance.think_s[job]
            heappush(self.coming, (self.arrival_s[job], job))

    def next_end_s(self) -> float:
        """When the next job ends if none comes before."""
        if not self.running:
            return math.inf
        left_s = self.running[0][0] - self.share_s
        return self.now_s + left_s / self.cores.speed(len(self.running))

    def arrive(self) -> None:
        """A job starts or waits."""
        at_s, job = heappop(self.coming)
        if self.running:
            self.share_s += (at_s - self.now_s) * self.cores.speed(len(self.running))
        self.now_s = at_s
        if len(self.running) < self.workers:
            self.start(job)
        else:
            self.waiting.append(job)

    def finish(self, end_s: float) -> None:
        """A job is done, and its worker takes the next."""
        self.share_s, job = heappop(self.running)
        self.now_s = self.end_s[job] = end_s
        if self.waiting:
            self.start(self.waiting.popleft())
        if self.chance.closed:
            self.issue()

    def start(self, job: int) -> None:
        """A worker begins a job."""
        self.start_s[job] = self.now_s
        heappush(self.running, (self.share_s + self.chance.work_s[job], job))
