"""Statistics of samples: estimates with an interval, or the reason why not. No data frames here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its confidence bounds, from `n` observations, in their unit."""

    estimate: float
    low: float
    high: float
    n: int

    def __post_init__(self) -> None:
        if not self.low <= self.estimate <= self.high:
            raise ValueError(f"{self.estimate} is not within [{self.low}, {self.high}]")

    def __repr__(self) -> str:
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}], n = {self.n}"

    @property
    def half_width(self) -> float:
        """The larger of the distances from the estimate to its bounds."""
        return max(self.high - self.estimate, self.estimate - self.low)


@dataclass(frozen=True, slots=True, repr=False)
class Quantile(Interval):
    """The `q`-quantile of a sample with its order-statistic bounds."""

    q: float

    def __repr__(self) -> str:
        return f"p{100 * self.q:g} = {Interval.__repr__(self)}"


def quantile(values: ArrayLike, q: float, confidence: float = 0.95) -> Quantile:
    """The `q`-quantile of independent samples, its bounds two of the samples themselves.

    No distribution is assumed. The estimate is type 8 of Hyndman and Fan, "Sample quantiles in
    statistical packages", The American Statistician 50 (1996): at q = 0.5 the usual median.

    Raises ValueError when the sample is too small for the bounds to exist: at 95 % a p99 wants 299
    samples, a p95 59 and a median 6 (`samples_needed`).
    """
    ordered = np.sort(_finite(values))
    ranks = _ranks(len(ordered), q, confidence)
    if ranks is None:
        needed = samples_needed(q, confidence)
        raise ValueError(
            f"a p{100 * q:g} with {100 * confidence:g} % bounds wants {needed} samples and has "
            f"{len(ordered)}: take more, or a less extreme quantile"
        )
    low, high = (float(ordered[rank - 1]) for rank in ranks)
    estimate = float(np.quantile(ordered, q, method="median_unbiased"))
    # Between equal samples the interpolation rounds, so the last bit may leave the bounds.
    return Quantile(min(max(estimate, low), high), low, high, len(ordered), q)


def samples_needed(q: float, confidence: float = 0.95) -> int:
    """The fewest samples that bound the `q`-quantile: least n, 1 − qⁿ − (1 − q)ⁿ ≥ confidence."""
    n = max(1, math.floor(math.log(1 - confidence) / math.log(max(q, 1 - q))))
    while _ranks(n, q, confidence) is None:
        n += 1
    return n


def _ranks(n: int, q: float, confidence: float) -> tuple[int, int] | None:
    """The ranks (from 1) of the samples that hold the `q`-quantile between them, or None.

    The number of samples below it is binomial, so [X(l), X(u)] covers it with probability
    P(l ≤ Bin(n, q) ≤ u − 1): Le Boudec, *Performance Evaluation of Computer and Communication
    Systems* (2010), theorem 2.1. Both tails get the same share, as far as the samples reach.
    """
    if not 0 < q < 1 or not 0 < confidence < 1:
        raise ValueError(f"q = {q} and confidence = {confidence} must lie between 0 and 1")
    if n < 1:
        return None
    if q < 0.5:
        mirrored = _ranks(n, 1 - q, confidence)
        return None if mirrored is None else (n + 1 - mirrored[1], n + 1 - mirrored[0])
    at_most = stats.binom.cdf(np.arange(n), n, q)  # at_most[k] = P(Bin ≤ k), k < n
    high = min(n, 1 + int(np.searchsorted(at_most, (1 + confidence) / 2)))
    low = int(np.searchsorted(at_most, at_most[high - 1] - confidence, side="right"))
    return (low, high) if low >= 1 else None


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """The mean of independent, roughly normal values (such as repeats) with Student's t interval.

    Raises ValueError for fewer than two values: one value says nothing about its own spread.
    """
    sample = _finite(values)
    if len(sample) < 2:
        raise ValueError(f"an interval of a mean wants 2 values at least and has {len(sample)}")
    mean = float(sample.mean())
    half = stats.t.ppf((1 + confidence) / 2, len(sample) - 1) * stats.sem(sample)
    return Interval(mean, mean - float(half), mean + float(half), len(sample))


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """The share `successes / n` with the score interval of Wilson, JASA 22 (1927).

    Unlike the textbook p ± z·√(p(1 − p)/n) it stays within [0, 1] and has a width at 0 and at n.
    Raises ValueError unless 0 ≤ successes ≤ n and n ≥ 1.
    """
    if not (0 <= successes <= n and n >= 1):
        raise ValueError(f"{successes} of {n} is not a share")
    interval = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    share = successes / n
    # At 0 and at n the bound is the share itself, but for the rounding.
    return Interval(share, min(float(interval.low), share), max(float(interval.high), share), n)


def batch_means(values: ArrayLike, batches: int = 20, confidence: float = 0.95) -> Interval:
    """The mean of a *correlated* series in its order in time, such as waits in one queue.

    The series is cut into equal batches whose means are nearly independent when a batch is long
    against the correlation; they get Student's t interval. 10 to 30 batches: Schmeiser, "Batch size
    effects in the analysis of simulation output", Operations Research 30 (1982). What does not fill
    a batch is left off at the start, where a series is least settled. `n` counts batches.

    Raises ValueError when there are not two values a batch.
    """
    series = _finite(values)
    size = len(series) // batches
    if batches < 2 or size < 2:
        raise ValueError(f"{len(series)} values do not make {batches} batches of 2 or more")
    return mean_interval(series[-size * batches :].reshape(batches, size).mean(axis=1), confidence)


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    """The values as one row of numbers. Raises ValueError when one is NaN or infinite."""
    array = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(array).all():
        raise ValueError("the sample holds values that are not finite: leave them out on purpose")
    return array
