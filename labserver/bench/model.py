"""The model of a sweep: measured times of jobs alone in, what N of them at once give out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from scipy import stats

from labserver.bench.target import Target
from labserver.theory.arguments import Floats
from labserver.theory.arrivals import Clients, Times
from labserver.theory.distributions import Empirical, Fixed
from labserver.theory.sharing import Cores, simulate_shared

ROUNDS = 12  # jobs a client in a closed loop, of which the first and the last are left out
TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Model:
    """`target` serves jobs whose times alone are those of `service`, on `cores`.

    They come in bursts, or from clients who think for `think_s`. Each N is simulated `draws` times.
    A draw takes another S, within the t-interval of the measured ones' mean, and then each job's
    time from among them; of a single measured time neither is known. The same arguments give the
    same result.
    """

    service: Empirical
    target: Target
    cores: Cores
    think_s: float | None = None
    draws: int = 200
    seed: int = 0

    def on(self, target: Target, cores: Cores | None = None) -> Self:
        """The same jobs on another machine; by default its cores run free of each other."""
        return replace(self, target=target, cores=cores or Cores(target.cores))

    @property
    def servers(self) -> int:
        """m: how many jobs get a whole core's speed at once, min(workers, cores)."""
        return min(self.target.workers, self.cores.cores)

    def sweep(self, at_once: Sequence[int]) -> pd.DataFrame:
        """A row a number of jobs: the medians of the draws.

        `docs_per_s` (95 % of the draws from `*_low` to `*_high`, NaN for a single measured time),
        `last_s` (of a burst, to its last reply), `mean_s`, `queue_s` and `process_s` of completed
        jobs, and `completed`, their share.
        """
        rows = {n: self._summary(n) for n in at_once}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("concurrency")

    def _summary(self, n: int) -> dict[str, float]:
        one = self._burst if self.think_s is None else self._closed
        draws = [one(n, times, self.seed + i) for i, times in enumerate(self._times_s())]
        median = {name: float(np.median([draw[name] for draw in draws])) for name in draws[0]}
        low, high = np.quantile([draw["docs_per_s"] for draw in draws], TAILS).tolist()
        if self.service.samples_s.size == 1:
            low = high = np.nan
        return {**median, "docs_per_s_low": low, "docs_per_s_high": high}

    def _times_s(self) -> list[Empirical]:
        """For each draw the measured times, by as much longer or shorter as their mean may be."""
        times_s = self.service.samples_s / self.target.speed
        if times_s.size < 2:
            return [Empirical(times_s)] * self.draws
        # Student's t by even shares of it: a few draws at random would miss its long tails.
        share = (np.random.default_rng(self.seed).permutation(self.draws) + 0.5) / self.draws
        t = stats.t.ppf(share, times_s.size - 1)
        # On the logarithm, so that no time falls below 0, however few they are.
        factors = np.exp(float(stats.sem(times_s)) / times_s.mean() * t)
        return [Empirical(times_s * factor) for factor in factors]

    def _burst(self, n: int, service: Empirical, seed: int) -> dict[str, float]:
        """N at one moment; what finds no room is refused, what the deadline meets is ended."""
        target = self.target
        arrivals = Times(np.zeros(min(n, target.room)))
        ran = simulate_shared(
            arrivals, service, workers=target.workers, cores=self.cores, seed=seed
        )
        done = ran.end_s <= target.timeout_s
        last_s = min(float(ran.end_s.max()), target.timeout_s)
        return {
            "docs_per_s": done.sum() / last_s,
            "last_s": last_s,
            **_means(ran.response_s[done], ran.wait_s[done]),
            "completed": done.sum() / n,
        }

    def _closed(self, n: int, service: Empirical, seed: int) -> dict[str, float]:
        """N clients between their first jobs and their last. No deadline: they wait."""
        think_s = self.think_s or 0.0
        clients = Clients(n, ROUNDS * n, Fixed(think_s))
        ran = simulate_shared(
            clients, service, workers=self.target.workers, cores=self.cores, seed=seed
        )
        means = _means(ran.response_s[2 * n : -2 * n], ran.wait_s[2 * n : -2 * n])
        return {"docs_per_s": n / (means["mean_s"] + think_s), **means, "completed": 1.0}


def _means(response_s: Floats, wait_s: Floats) -> dict[str, float]:
    if not response_s.size:
        return dict.fromkeys(("mean_s", "queue_s", "process_s"), np.nan)
    mean_s, queue_s = float(response_s.mean()), float(wait_s.mean())
    return {"mean_s": mean_s, "queue_s": queue_s, "process_s": mean_s - queue_s}
