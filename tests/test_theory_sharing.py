"""Workers that share cores: the same as independent servers where none is short, slower else."""

from __future__ import annotations

import numpy as np
import pytest

from labserver.theory.arrivals import Clients, Poisson, Times
from labserver.theory.closed import repairman
from labserver.theory.distributions import Empirical, Exponential, Fixed
from labserver.theory.sharing import Cores, simulate_shared
from labserver.theory.simulator import simulate

MEASURED = Empirical([0.9, 1.0, 1.3])


@pytest.mark.parametrize(
    "arrivals", [Poisson(2.0, 500), Times(np.zeros(40)), Clients(5, 300, Exponential(0.7))]
)
def test_with_a_core_a_worker_it_is_the_simulator(arrivals: Poisson | Times | Clients) -> None:
    shared = simulate_shared(arrivals, MEASURED, workers=3, cores=Cores(3), seed=5)
    apart = simulate(arrivals, MEASURED, servers=3, seed=5)
    assert shared.start_s == pytest.approx(apart.start_s)
    assert shared.end_s == pytest.approx(apart.end_s)
    assert shared.until_s == pytest.approx(apart.until_s)


@pytest.mark.parametrize(
    ("n", "workers", "cores", "ends_s"),
    [
        (2, 2, 1, [2, 2]),
        (4, 4, 2, [2, 2, 2, 2]),
        (3, 2, 1, [2, 2, 3]),
        (3, 8, 2, [1.5, 1.5, 1.5]),
    ],
)
def test_equal_jobs_share_the_cores_evenly(
    n: int, workers: int, cores: int, ends_s: list[float]
) -> None:
    ran = simulate_shared(Times(np.zeros(n)), Fixed(1.0), workers=workers, cores=Cores(cores))
    assert ran.end_s == pytest.approx(ends_s)


def test_a_short_job_leaves_the_cores_to_a_long_one() -> None:
    """Two on one core: until 2 s each has half of it, and then the long one has it alone."""
    at_s = Times([0.0, 0.0])

    class Both:
        mean_s, scv = 2.0, 0.25

        def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
            return np.array([1.0, 3.0])

    ran = simulate_shared(at_s, Both(), workers=2, cores=Cores(1))
    assert ran.end_s == pytest.approx([2.0, 4.0])


def test_a_closed_loop_of_random_times_is_the_repairmans() -> None:
    """Processor sharing by exponential jobs has the same states as first come, first served."""
    n, workers, cores, think_s = 10, 6, 2, 1.5
    arrivals = Clients(n, 60_000, Exponential(think_s))
    ran = simulate_shared(arrivals, Exponential(0.5), workers=workers, cores=Cores(cores), seed=1)
    said = repairman(n, 0.5, workers, think_s, cores=cores)
    assert ran.throughput_per_s == pytest.approx(float(said.throughput_per_s), rel=0.02)
    assert ran.mean_wait_s == pytest.approx(float(said.wait_s), rel=0.1)


def test_busy_cores_slow_each_other_evenly_up_to_full_speed() -> None:
    cores = Cores(3, full_speed=0.8)
    assert [cores.speed(n) for n in (1, 2, 3, 6)] == pytest.approx([1, 0.9, 0.8, 0.4])
    assert Cores(1, full_speed=0.8).speed(1) == 1


def test_the_seed_decides() -> None:
    def ends_s(seed: int) -> list[float]:
        arrivals = Poisson(3.0, 50)
        ran = simulate_shared(arrivals, MEASURED, workers=4, cores=Cores(2), seed=seed)
        return list(ran.end_s)

    assert ends_s(3) == ends_s(3) != ends_s(4)


@pytest.mark.parametrize("full_speed", [0.0, 1.1, float("nan")])
def test_impossible_cores_are_refused(full_speed: float) -> None:
    with pytest.raises(ValueError, match="full_speed"):
        Cores(2, full_speed)
    with pytest.raises(ValueError, match="cores"):
        Cores(0)
