"""The Universal Scalability Law, fitted to a sweep's raw repeats.

Says how sure the fit is of itself; it must not be trusted beyond the N it has seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import curve_fit

from labserver.theory.arguments import Floats, counts, floats, positive


def usl_throughput(n: ArrayLike, gamma_per_s: float, alpha: float, beta: float) -> Floats:
    """X = γN/(1 + α(N − 1) + βN(N − 1)), in jobs per second, of the shape of `n`.

    γ is the throughput of one, α the share of the work that is serial (contention), β the cost of
    agreeing, which grows by pairs (coherency). No argument is checked.

    Source: Gunther, *Guerrilla Capacity Planning* (2007), in its three-parameter form.
    """
    clients = floats(n)
    others = clients - 1
    return gamma_per_s * clients / (1 + alpha * others + beta * clients * others)


@dataclass(frozen=True, eq=False)
class UslFit:
    """A fitted law, and the laws that resampled measurements gave instead.

    `resampled` has a row a resample and the columns γ, α, β. `n_max` is the largest N fitted.
    """

    gamma_per_s: float
    alpha: float
    beta: float
    n_max: float
    resampled: Floats

    @property
    def peak_n(self) -> float:
        """The N of the largest throughput, √((1 − α)/β): 1 if it only falls, ∞ if it only rises."""
        return float(_peak(self.alpha, self.beta))

    def peak_interval(self, level: float = 0.95) -> tuple[float, float]:
        """The bootstrap interval (low, high) of `peak_n`; high is ∞ where no peak is certain."""
        peaks = _peak(self.resampled[:, 1], self.resampled[:, 2])
        low, high = np.quantile(peaks, _tails(level), method="nearest")  # ∞ cannot be interpolated
        return float(low), float(high)

    def predict(self, n: ArrayLike) -> Floats:
        """The law's throughput, in jobs per second, of the shape of `n`."""
        return usl_throughput(n, self.gamma_per_s, self.alpha, self.beta)

    def band(self, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
        """The bootstrap interval (low, high) of the law's throughput, each of the shape of `n`.

        It holds the law, not a single measurement, and is honest only where the law itself is.
        """
        curves = np.array([usl_throughput(n, *law) for law in self.resampled])
        low, high = np.quantile(curves, _tails(level), axis=0)
        return low, high

    def interval(self, level: float = 0.95) -> Floats:
        """The bootstrap intervals of γ, α and β: shape (3, 2), a row (low, high) each."""
        return np.asarray(np.quantile(self.resampled, _tails(level), axis=0)).T

    def __repr__(self) -> str:
        names = ("γ, /s", "α", "β", "peak N")
        values = (self.gamma_per_s, self.alpha, self.beta, self.peak_n)
        intervals = (*self.interval(), self.peak_interval())
        rows = [
            f"{name:>8} {value:9.4g} [{low:.4g}, {high:.4g}]"
            for name, value, (low, high) in zip(names, values, intervals, strict=True)
        ]
        return "\n".join([f"USL fitted to N ≤ {self.n_max:g}, with 95 % intervals", *rows])


def fit_usl(
    n: ArrayLike, throughput_per_s: ArrayLike, *, resamples: int = 200, seed: int = 0
) -> UslFit:
    """Fits the law by least squares, α ≥ 0 and β ≥ 0, to raw measurements (not to means).

    `n` and `throughput_per_s` are flat and of one length, an element a measurement, repeats
    included. The bootstrap draws measurements with replacement, `resamples` times from `seed`; a
    draw with fewer than 3 different N cannot be fitted and is drawn again.

    Raises ValueError when the shapes differ, a value is not above 0, `resamples` is below 1, or
    there are fewer than 4 measurements or 3 different N.
    """
    clients, rate = floats(n), floats(throughput_per_s)
    _check(clients, rate, resamples)
    rng = np.random.default_rng(seed)
    laws = np.empty((resamples, 3))
    for row in laws:
        drawn = _draw(clients, rng)
        row[:] = _fit(clients[drawn], rate[drawn])
    return UslFit(*_fit(clients, rate), n_max=float(clients.max()), resampled=laws)


def _fit(n: Floats, rate: Floats) -> tuple[float, float, float]:
    scale = float(np.max(rate / n))  # so that all start near 1, in whatever unit the rate is
    law, _ = curve_fit(usl_throughput, n, rate / scale, p0=(1, 0.1, 0.001), bounds=(0, np.inf))
    gamma, alpha, beta = law.tolist()
    # The solver only nears a bound. What changes no X by more than 1e-5 is on it: β = 0, with no
    # peak, and not β = 1e-16, with one at N = 1e8.
    others = float(n.max()) - 1
    alpha = alpha if alpha * others > 1e-5 else 0.0
    beta = beta if beta * others * (others + 1) > 1e-5 else 0.0
    return gamma * scale, alpha, beta


def _peak(alpha: ArrayLike, beta: ArrayLike) -> Floats:
    parallel = np.maximum(1 - floats(alpha), 0)
    with np.errstate(divide="ignore", invalid="ignore"):  # β = 0 is the peak at ∞, 0/0 the one at 1
        peak = np.sqrt(parallel / floats(beta))
    return np.maximum(np.where(parallel > 0, peak, 1.0), 1.0)


def _draw(n: Floats, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    while True:
        drawn = rng.integers(n.size, size=n.size)
        if np.unique(n[drawn]).size >= 3:
            return drawn


def _tails(level: float) -> list[float]:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    return [(1 - level) / 2, (1 + level) / 2]


def _check(n: Floats, rate: Floats, resamples: int) -> None:
    if n.ndim != 1 or n.shape != rate.shape:
        raise ValueError(
            "n and throughput_per_s must be flat and of one length, a pair a measurement, "
            f"got shapes {n.shape} and {rate.shape}"
        )
    positive(n=n, throughput_per_s=rate)
    counts(1, resamples=resamples)
    if n.size < 4 or np.unique(n).size < 3:
        raise ValueError(
            "three parameters want at least 4 measurements at 3 or more different N, "
            f"got {n.size} at {np.unique(n).size}: measure more values of N"
        )
