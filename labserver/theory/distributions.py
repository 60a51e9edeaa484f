"""Distributions of times: of service, of thinking, of patience.

They draw in bulk from a generator that is passed in, and hold no randomness of their own.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from labserver.theory.arguments import Floats, floats, not_negative


class Distribution(Protocol):
    """Anything that draws times and knows their mean: one of these three, or one's own."""

    @property
    def mean_s(self) -> float:
        """The mean, in seconds."""

    @property
    def scv(self) -> float:
        """The squared coefficient of variation, variance over mean²: 0 fixed, 1 exponential."""

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """`size` times, in seconds, none below 0."""


@dataclass(frozen=True)
class Fixed:
    """Always the same time. Raises ValueError for one below 0."""

    mean_s: float

    def __post_init__(self) -> None:
        not_negative(mean_s=self.mean_s)

    @property
    def scv(self) -> float:
        """0: nothing varies."""
        return 0.0

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """`size` equal times; takes nothing from `rng`."""
        return np.full(size, self.mean_s)


NO_TIME = Fixed(0.0)


@dataclass(frozen=True)
class Exponential:
    """The memoryless one, of M/M/c. Raises ValueError for a mean below 0."""

    mean_s: float

    def __post_init__(self) -> None:
        not_negative(mean_s=self.mean_s)

    @property
    def scv(self) -> float:
        """1."""
        return 1.0

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """`size` independent times."""
        return rng.exponential(self.mean_s, size)


class Empirical:
    """Measured times, drawn again with replacement. Raises ValueError for none, or one below 0."""

    def __init__(self, samples_s: ArrayLike) -> None:
        self.samples_s = floats(samples_s).ravel()
        if self.samples_s.size == 0:
            raise ValueError("an empirical distribution wants at least one sample")
        not_negative(samples_s=self.samples_s)

    def __repr__(self) -> str:
        of = f"{self.samples_s.size} samples"
        return f"Empirical({of}, mean_s={self.mean_s:.4g}, scv={self.scv:.3g})"

    @property
    def mean_s(self) -> float:
        """The samples' mean, in seconds."""
        return float(self.samples_s.mean())

    @property
    def scv(self) -> float:
        """The samples' variance over mean²; 0 where all are 0."""
        return float(self.samples_s.var() / self.mean_s**2) if self.mean_s else 0.0

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """`size` independent picks among the samples."""
        return rng.choice(self.samples_s, size)
