"""What a simulation gives: what became of each job, and the figures that follow from it.

Only holds and derives; the events are the simulator's.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from labserver.theory.arguments import Floats


class Outcome(IntEnum):
    """How a job ended, as the server's outcomes of the same names."""

    COMPLETED = 0
    REJECTED = 1  # the queue was full
    SHED = 2  # its turn came, and the discipline would not begin it
    EXPIRED = 3  # its deadline passed while it waited
    KILLED = 4  # its deadline passed while it ran
    ABANDONED = 5  # its client lost patience


@dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """A simulated run of `servers` before a queue of `queue_size`, from `begin_s` to `until_s`.

    The arrays have an element a job, in order of arrival, with times in seconds: `arrival_s` of its
    first attempt, `entered_s` of its last; `start_s` on a server, NaN if the last attempt never
    got one; `end_s` of the final answer, as the client sees it; `outcome`, a code of `Outcome`;
    `attempts`; `wasted_s` of servers' time spent on attempts that nobody waited for in the end.
    `retry_s`, ascending, are the times of all attempts after a job's first.
    """

    servers: int
    queue_size: float
    seed: int
    begin_s: float
    until_s: float
    arrival_s: Floats
    entered_s: Floats
    start_s: Floats
    end_s: Floats
    outcome: NDArray[np.int8]
    attempts: NDArray[np.int64]
    wasted_s: Floats
    retry_s: Floats

    def after(self, begin_s: float) -> "Simulation":
        """The same without the jobs that arrived before `begin_s`: without warm-up, or a spike.

        What those still had in the house is left out, too, but for their retries. Raises
        ValueError when no job arrived later.
        """
        kept = self.arrival_s >= begin_s
        if not kept.any():
            raise ValueError(
                f"no job arrived after {begin_s} s; the last did at {self.arrival_s[-1]:g} s"
            )
        per_job = ("arrival_s", "entered_s", "start_s", "end_s", "outcome", "attempts", "wasted_s")
        arrays = {name: getattr(self, name)[kept] for name in per_job}
        retry_s = self.retry_s[self.retry_s >= begin_s]
        return replace(self, begin_s=begin_s, retry_s=retry_s, **arrays)

    @property
    def jobs(self) -> int:
        """How many jobs there were."""
        return self.arrival_s.size

    @property
    def duration_s(self) -> float:
        """From the begin to the last answer, or to the end of the last work for nobody."""
        return self.until_s - self.begin_s

    @property
    def wait_s(self) -> Floats:
        """Each job's wait for a server, in its last attempt; NaN if it never got one."""
        return self.start_s - self.entered_s

    @property
    def response_s(self) -> Floats:
        """Each job's time from its first attempt to its final answer, whatever that was."""
        return self.end_s - self.arrival_s

    @property
    def attempt_s(self) -> Floats:
        """The times of all attempts, ascending."""
        return np.sort(np.concatenate([self.arrival_s, self.retry_s]))

    def share(self, outcome: Outcome) -> float:
        """The share of the jobs that ended so."""
        return float(np.mean(self.outcome == outcome))

    @property
    def p_reject(self) -> float:
        """The share of the jobs whose final answer was that the queue is full."""
        return self.share(Outcome.REJECTED)

    @property
    def goodput_per_s(self) -> float:
        """Jobs completed per second."""
        return self.share(Outcome.COMPLETED) * self.jobs / self.duration_s

    @property
    def throughput_per_s(self) -> float:
        """Jobs that got a server in their last attempt per second, in time or not."""
        return float(np.isfinite(self.start_s).sum()) / self.duration_s

    @property
    def mean_wait_s(self) -> float:
        """The mean wait of the jobs that got a server; NaN if none did."""
        return _mean(self.wait_s[np.isfinite(self.start_s)])

    @property
    def mean_response_s(self) -> float:
        """The mean response time of the completed jobs; NaN if there are none."""
        return _mean(self.response_s[self.outcome == Outcome.COMPLETED])

    @property
    def useful_s(self) -> float:
        """Servers' seconds spent on jobs that completed."""
        completed = self.outcome == Outcome.COMPLETED
        return float(np.sum((self.end_s - self.start_s)[completed]))

    @property
    def utilisation(self) -> float:
        """The share of the servers' time in which they ran anything, wanted or not."""
        return (self.useful_s + float(self.wasted_s.sum())) / (self.servers * self.duration_s)

    def __repr__(self) -> str:
        rates = (self.throughput_per_s, self.goodput_per_s, self.attempt_s.size / self.duration_s)
        nobody = self.wasted_s.sum() / (self.servers * self.duration_s)
        ends = [f"{o.name.lower()} {self.share(o):.2%}" for o in Outcome if self.share(o)]
        return f"""\
{self.jobs:,} jobs in {self.duration_s:,.5g} s, simulated (seed {self.seed})
  house       {self.servers} servers, a queue of {self.queue_size:g}
  per second  throughput {rates[0]:.4g}, goodput {rates[1]:.4g}, attempts {rates[2]:.4g}
  mean        wait {self.mean_wait_s:.4g} s, response {self.mean_response_s:.4g} s
  servers     busy {self.utilisation:.1%}, for nobody {nobody:.1%}
  outcomes    {", ".join(ends)}"""


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
