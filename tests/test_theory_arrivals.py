"""Arrivals: their times, and descriptions that cannot be."""

import numpy as np
import pytest

from labserver.theory.arrivals import Clients, Even, Poisson, Times

RNG = np.random.default_rng(0)


def test_poisson_gaps_are_exponential():
    gaps = np.diff(Poisson(4.0, 100_000).times_s(np.random.default_rng(1)), prepend=0.0)
    assert gaps.min() >= 0
    assert gaps.mean() == pytest.approx(0.25, rel=0.02)
    assert gaps.std() == pytest.approx(0.25, rel=0.02)


def test_even_and_given_times_are_exact():
    assert list(Even(4.0, 3).times_s(RNG)) == [0, 0.25, 0.5]
    given = Times([0.5, 0.5, 2.0])
    assert given.jobs == 3
    assert list(given.times_s(RNG)) == [0.5, 0.5, 2.0]
    assert repr(given) == "Times(3 from 0.5 s to 2 s)"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Poisson(0.0, 10),
        lambda: Even(-1.0, 10),
        lambda: Poisson(1.0, 0),
        lambda: Clients(0, 10),
        lambda: Clients(4, 0),
        lambda: Times([]),
        lambda: Times([2.0, 1.0]),
        lambda: Times([-1.0, 1.0]),
        lambda: Times([[1.0], [2.0]]),
    ],
)
def test_what_cannot_come_is_refused(make):
    with pytest.raises(ValueError, match=r"must"):
        make()
