"""Statistics: intervals that cover what they say, and refusals."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from labserver.bench.stats import batch_means, mean_interval, quantile, samples_needed, wilson

finite = st.floats(-1e9, 1e9)
samples = st.lists(finite, min_size=6, max_size=200)


@pytest.mark.parametrize(("q", "least"), [(0.5, 6), (0.95, 59), (0.99, 299), (0.01, 299)])
def test_quantile_wants_enough_samples(q: float, least: int) -> None:
    assert samples_needed(q) == least
    assert quantile(range(least), q).n == least
    with pytest.raises(ValueError, match=f"wants {least} samples and has {least - 1}"):
        quantile(range(least - 1), q)


def test_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="has 0"):
        quantile([], 0.5)


@given(samples, st.floats(0.01, 0.99), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_bounds_are_samples_around_the_estimate(
    values: list[float], q: float, confidence: float
) -> None:
    assume(len(values) >= samples_needed(q, confidence))
    found = quantile(values, q, confidence)
    assert found.low in values
    assert found.high in values
    assert found.low <= found.estimate <= found.high


@given(samples, finite, st.floats(0.01, 100))
def test_median_moves_with_its_sample(values: list[float], shift: float, scale: float) -> None:
    before = quantile(values, 0.5)
    after = quantile([shift + scale * value for value in values], 0.5)
    for name in ("estimate", "low", "high"):
        expected = shift + scale * getattr(before, name)
        assert getattr(after, name) == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(samples)
def test_median_is_the_usual_one(values: list[float]) -> None:
    expected = pytest.approx(float(np.median(values)), rel=1e-9, abs=1e-6)
    assert quantile(values, 0.5).estimate == expected


@given(st.integers(1, 400), st.floats(0.02, 0.98), st.sampled_from([0.8, 0.95, 0.99]))
def test_order_statistics_cover_as_promised(n: int, q: float, confidence: float) -> None:
    """The samples 1 … n show which ranks were taken; their coverage is then exact."""
    assume(n >= samples_needed(q, confidence))
    found = quantile(np.arange(1, n + 1), q, confidence)
    below = stats.binom(n, q)
    covered = below.cdf(found.high - 1) - below.cdf(found.low - 1)
    assert covered >= confidence - 1e-12
    # One rank less, at the end that has room to give, would not do.
    from_low = below.cdf(found.high - 1) - below.cdf(found.low)
    from_high = below.cdf(found.high - 2) - below.cdf(found.low - 1)
    assert min(from_low, from_high) < confidence


def test_quantile_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not finite"):
        quantile([float("nan")] * 10, 0.5)


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1])
def test_quantile_refuses_what_is_no_quantile(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(range(10), q)


def test_mean_interval_is_student_t() -> None:
    """By hand: mean 2, s = 1, n = 3, t(0.975, 2) = 4.3027, so 2 ± 4.3027 / √3."""
    found = mean_interval([1, 2, 3])
    assert (found.estimate, found.n) == (2, 3)
    assert found.half_width == pytest.approx(4.3027 / 3**0.5, rel=1e-4)


def test_mean_of_one_has_no_interval() -> None:
    with pytest.raises(ValueError, match="has 1"):
        mean_interval([3.0])


def test_wilson_against_its_formula() -> None:
    z, n, share = stats.norm.ppf(0.975), 50, 0.2
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    found = wilson(10, n)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_a_share(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high


def test_wilson_refuses_more_successes_than_trials() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        wilson(5, 4)


def test_batch_means_are_honest_about_correlation() -> None:
    """An AR(1) series: the naive interval is several times too narrow, that of batches is not."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=20_000)
    series = np.empty_like(noise)
    series[0] = noise[0]
    for i in range(1, len(noise)):
        series[i] = 0.9 * series[i - 1] + noise[i]
    true_half = 1.96 * (1 / (1 - 0.9)) / len(noise) ** 0.5
    assert batch_means(series).half_width == pytest.approx(true_half, rel=0.5)
    assert mean_interval(series).half_width < true_half / 3


@given(st.lists(finite, min_size=40, max_size=40))
def test_full_batches_keep_the_mean(values: list[float]) -> None:
    expected = pytest.approx(float(np.mean(values)), rel=1e-9, abs=1e-3)
    assert batch_means(values).estimate == expected


def test_what_fills_no_batch_is_left_off_at_the_start() -> None:
    assert batch_means([1000, *range(40)]).estimate == pytest.approx(19.5)


def test_batches_want_two_values_each() -> None:
    with pytest.raises(ValueError, match="39 values do not make 20 batches"):
        batch_means(range(39))


def test_reprs_read_as_a_result() -> None:
    assert repr(quantile(range(1, 300), 0.99)) == "p99 = 296.7 [289, 299], n = 299"
    assert repr(mean_interval([1, 2, 3])) == "2 [-0.4841, 4.484], n = 3"
