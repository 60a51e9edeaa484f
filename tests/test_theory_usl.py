"""The Universal Scalability Law: it finds what was put in, and says how sure it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labserver.theory.usl import UslFit, fit_usl, usl_throughput

N = np.repeat([1, 2, 4, 8, 12, 16], 5)


def noisy(gamma: float, alpha: float, beta: float, seed: int = 0, n: np.ndarray = N) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(1, 0.03, n.size)
    return usl_throughput(n, gamma, alpha, beta) * noise


@given(st.floats(0.01, 100), st.floats(0.005, 0.5), st.floats(0.0005, 0.02))
def test_without_noise_it_finds_the_law(gamma, alpha, beta):
    fit = fit_usl(N, usl_throughput(N, gamma, alpha, beta), resamples=1)
    found = (fit.gamma_per_s, fit.alpha, fit.beta)
    assert found == pytest.approx((gamma, alpha, beta), rel=1e-3)
    assert fit.peak_n == pytest.approx(max(1, np.sqrt((1 - alpha) / beta)), rel=1e-3)


def test_the_band_holds_the_truth_about_as_often_as_it_says():
    truth = usl_throughput([1, 8, 16], 1.0, 0.05, 0.004)
    held = 0
    for seed in range(15):
        low, high = fit_usl(N, noisy(1.0, 0.05, 0.004, seed), resamples=60).band([1, 8, 16])
        held += int(((low <= truth) & (truth <= high)).sum())
    assert held >= 36  # of 45: loose, as the three points of one fit stand or fall together


def test_linear_scaling_has_no_peak():
    fit = fit_usl(N, usl_throughput(N, 2.0, 0.0, 0.0), resamples=1)
    assert (fit.beta, fit.peak_n) == (0, np.inf)
    assert fit.predict(16) == pytest.approx(32, rel=1e-4)


def test_a_law_that_only_falls_peaks_at_one():
    assert fit_usl(N, 1 / N**2, resamples=1).peak_n == 1
    assert UslFit(1.0, 1.0, 0.0, n_max=16.0, resampled=np.ones((1, 3))).peak_n == 1


def test_no_coefficient_is_negative():
    fit = fit_usl(N, 1.05**N * N, resamples=20)  # better than linear: the law can only say "linear"
    assert fit.alpha == fit.beta == 0
    assert (fit.resampled >= 0).all()


def test_seen_only_at_small_n_it_is_unsure_of_large_n():
    small = np.repeat([1, 2, 3, 4], 5)
    near = fit_usl(small, noisy(1.0, 0.05, 0.004, n=small), resamples=40).band(16)
    far = fit_usl(N, noisy(1.0, 0.05, 0.004), resamples=40).band(16)
    assert near[1] - near[0] > 3 * (far[1] - far[0])


def test_one_seed_gives_one_band_and_another_another():
    rate = noisy(1.0, 0.05, 0.004)
    one, same, other = (fit_usl(N, rate, resamples=3, seed=s).resampled for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_bands_and_intervals_are_shaped_and_ordered():
    fit = fit_usl(N, noisy(1.0, 0.05, 0.004), resamples=50)
    low, high = fit.band(np.ones((2, 3)))
    assert low.shape == high.shape == (2, 3)
    assert fit.interval().shape == (3, 2)
    wide, narrow = fit.interval(0.95), fit.interval(0.5)
    assert (wide[:, 0] <= narrow[:, 0]).all()
    assert (narrow[:, 1] <= wide[:, 1]).all()
    assert fit.peak_interval()[0] <= fit.peak_n <= fit.peak_interval()[1]


def test_the_repr_names_every_parameter_with_its_interval():
    lines = repr(fit_usl(N, noisy(1.0, 0.05, 0.004), resamples=9)).splitlines()
    assert "N ≤ 16" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["γ,", "α", "β", "peak"]


@pytest.mark.parametrize(
    ("n", "rate", "words"),
    [
        ([1, 2, 4], [1, 2], "one length"),
        ([[1, 2], [4, 8]], [[1, 2], [4, 8]], "flat"),
        ([1, 2, 4, 8], [1, 2, 3, 0], "throughput_per_s"),
        ([1, 1, 2, 2], [1, 1, 2, 2], "more values of N"),
        ([1, 2, 4], [1, 2, 3], "at least 4"),
    ],
)
def test_too_little_or_wrong_data_is_refused(n, rate, words):
    with pytest.raises(ValueError, match=words):
        fit_usl(n, rate)


def test_a_level_is_a_share():
    with pytest.raises(ValueError, match="level"):
        fit_usl(N, noisy(1.0, 0.05, 0.004), resamples=2).band(1, level=95)
