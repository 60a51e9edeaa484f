"""Who comes, and when: at times of their own (open), or when their last answer is there (closed).

Only describes; the simulator makes it happen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labserver.theory.arguments import Floats, counts, floats, not_negative, positive
from labserver.theory.distributions import NO_TIME, Distribution


@dataclass(frozen=True)
class Poisson:
    """`jobs` arrivals at `rate_per_s`, each gap exponential. Raises ValueError for rate ≤ 0."""

    rate_per_s: float
    jobs: int

    def __post_init__(self) -> None:
        positive(rate_per_s=self.rate_per_s)
        counts(1, jobs=self.jobs)

    def times_s(self, rng: np.random.Generator) -> Floats:
        """The arrivals, ascending, from 0 s on."""
        return np.cumsum(rng.exponential(1 / self.rate_per_s, self.jobs))


@dataclass(frozen=True)
class Even:
    """`jobs` arrivals at `rate_per_s`, each gap the same. Raises ValueError for rate ≤ 0."""

    rate_per_s: float
    jobs: int

    def __post_init__(self) -> None:
        positive(rate_per_s=self.rate_per_s)
        counts(1, jobs=self.jobs)

    def times_s(self, rng: np.random.Generator) -> Floats:
        """The arrivals, ascending, the first at 0 s; takes nothing from `rng`."""
        return np.arange(self.jobs) / self.rate_per_s


class Times:
    """Arrivals at given times in seconds, 0 or later; raises ValueError if they do not ascend."""

    def __init__(self, at_s: ArrayLike) -> None:
        self.at_s = floats(at_s)
        counts(1, jobs=self.at_s.size)
        not_negative(at_s=self.at_s)
        if self.at_s.ndim != 1 or np.any(np.diff(self.at_s) < 0):
            raise ValueError("at_s must be flat and ascend: sort the arrival times first")

    def __repr__(self) -> str:
        return f"Times({self.at_s.size} from {self.at_s[0]:.4g} s to {self.at_s[-1]:.4g} s)"

    @property
    def jobs(self) -> int:
        """How many arrive."""
        return self.at_s.size

    def times_s(self, rng: np.random.Generator) -> Floats:
        """The given times; takes nothing from `rng`."""
        return self.at_s


@dataclass(frozen=True)
class Clients:
    """`n` clients that ask, wait for the answer, think and ask again, for `jobs` jobs in all.

    They begin with a think, so that they do not all ask at once unless thinking takes no time.
    Raises ValueError for n or jobs below 1.
    """

    n: int
    jobs: int
    think: Distribution = NO_TIME

    def __post_init__(self) -> None:
        counts(1, n=self.n, jobs=self.jobs)


Arrivals = Poisson | Even | Times | Clients
