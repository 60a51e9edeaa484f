"""Distributions: each has the mean and the variation that it says it has."""

import numpy as np
import pytest

from labserver.theory.distributions import NO_TIME, Empirical, Exponential, Fixed

MEASURED = [0.5, 0.5, 1.0, 4.0]


@pytest.mark.parametrize("times", [Fixed(2.0), Exponential(2.0), Empirical(MEASURED)])
def test_what_is_drawn_is_as_described(times):
    drawn = times.draw(np.random.default_rng(1), 100_000)
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(times.mean_s, rel=0.02)
    assert drawn.var() / drawn.mean() ** 2 == pytest.approx(times.scv, rel=0.03)


def test_empirical_draws_nothing_that_was_not_measured():
    drawn = Empirical(MEASURED).draw(np.random.default_rng(1), 1000)
    assert set(drawn) == set(MEASURED)


def test_no_time_varies_by_nothing():
    assert Empirical([0.0]).scv == NO_TIME.scv == 0
    assert repr(Empirical(MEASURED)).startswith("Empirical(4 samples, mean_s=1.5")


@pytest.mark.parametrize("make", [Fixed, Exponential, lambda s: Empirical([1.0, s])])
def test_negative_times_are_refused(make):
    with pytest.raises(ValueError, match="must be 0 or more"):
        make(-1.0)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        Empirical([])
