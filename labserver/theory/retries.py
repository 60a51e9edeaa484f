"""Retries: how many attempts a failure costs, and a client's policy about them.

A policy says whether and when; it neither sleeps nor sends.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labserver.theory.arguments import Floats, counts, floats, not_negative, plain, positive


def attempts(p_fail: ArrayLike, retries: int) -> Floats:
    """The mean attempts a job: A = 1 + p + … + pʳ = (1 − p^{r+1})/(1 − p), or r + 1 at p = 1.

    `p_fail` p is the chance that an attempt fails, each alike and by itself (any shape, which the
    result keeps); up to `retries` r follow the first. Raises ValueError for p outside [0, 1] or
    retries below 0.

    Source: a truncated geometric series; as a sum it has no 0/0 at p = 1.
    """
    counts(0, retries=retries)
    p = floats(p_fail)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"p_fail must be a probability, between 0 and 1, got {p_fail!r}")
    return plain(floats(np.polyval(np.ones(retries + 1), p)))


def doomed(
    rate_per_s: ArrayLike, capacity_per_s: float, retries: int, p_fail: ArrayLike = 1.0
) -> NDArray[np.bool_]:
    """Whether the attempts alone exceed the capacity: λA > capacity.

    With `p_fail` = 1, its default, it asks whether an outage can feed itself: once all fail, the
    retries of `rate_per_s` keep it so. Arguments broadcast to the result's shape; errors as for
    `attempts`, and for rates not above 0.
    """
    positive(rate_per_s=rate_per_s, capacity_per_s=capacity_per_s)
    return floats(rate_per_s) * attempts(p_fail, retries) > capacity_per_s


@dataclass(frozen=True)
class Retry:
    """Up to `retries` more attempts, the k-th `backoff_s`·2^{k−1} after the failure before it.

    `jitter` takes a uniform share of that pause away: 0 none, 1 up to all of it ("full jitter").
    `budget` bounds retries to that share of the jobs (0.1: one retry for ten jobs) over all
    clients together; unused, it is saved up, to `burst` retries at most. No pause is shorter than
    `least_s`, as where a server's `Retry-After` is obeyed.

    Raises ValueError for negative values and for jitter above 1.
    """

    retries: int = 0
    backoff_s: float = 0.0
    jitter: float = 0.0
    budget: float = math.inf
    burst: float = 10.0
    least_s: float = 0.0

    def __post_init__(self) -> None:
        counts(0, retries=self.retries)
        not_negative(backoff_s=self.backoff_s, jitter=self.jitter, least_s=self.least_s)
        not_negative(budget=self.budget, burst=self.burst)
        if self.jitter > 1:
            raise ValueError(f"jitter is a share of the pause, 1 at most, got {self.jitter}")

    @property
    def most_tokens(self) -> float:
        """The most retries that may be saved up: of a budget over 1, at least one job's."""
        return max(self.burst, self.budget)

    def pause_s(self, retry: int, chance: float) -> float:
        """Seconds before the given retry (1, 2, …), for a `chance` drawn evenly from [0, 1)."""
        pause: float = self.backoff_s * 2 ** (retry - 1)
        return max(pause * (1 - self.jitter * chance), self.least_s)


NO_RETRY = Retry()
