"""Arrival times of an open load, drawn before it begins. It sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labserver.bench.records import Arrivals


@dataclass(frozen=True, slots=True)
class Piece:
    """`rate_per_s` for `seconds`."""

    rate_per_s: float
    seconds: float

    def __post_init__(self) -> None:
        if not (0 <= self.rate_per_s < np.inf and 0 < self.seconds < np.inf):
            raise ValueError(
                f"a rate is at least 0/s and lasts more than 0 s, not {self.rate_per_s:g}/s for "
                f"{self.seconds:g} s"
            )

    def times_s(self, arrivals: Arrivals, rng: np.random.Generator) -> NDArray[np.float64]:
        """The arrivals, ascending, within [0, seconds).

        "even": every 1/rate, the first at 0. "poisson": a Poisson process; given how many arrive,
        each comes at a uniform time (Ross, *Introduction to Probability Models*, on the conditional
        distribution of arrival times).
        """
        if arrivals == "even":
            return np.arange(0, self.seconds * self.rate_per_s) / (self.rate_per_s or 1)
        return np.sort(rng.uniform(0, self.seconds, rng.poisson(self.rate_per_s * self.seconds)))


def schedule_s(pieces: Sequence[Piece], arrivals: Arrivals, seed: int) -> NDArray[np.float64]:
    """The arrivals of the pieces, one after the other, in seconds from the beginning."""
    rng = np.random.default_rng(seed)
    begins_s = np.cumsum([0.0, *(piece.seconds for piece in pieces[:-1])])
    times = [
        begin_s + piece.times_s(arrivals, rng)
        for begin_s, piece in zip(begins_s, pieces, strict=True)
    ]
    return np.concatenate(times)
