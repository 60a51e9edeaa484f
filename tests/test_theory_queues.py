"""Open queues: the course's values, exact solutions of other kinds, and the limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import null_space
from scipy.stats import poisson

from labserver.theory.erlang import erlang_b
from labserver.theory.queues import (
    allen_cunneen_wait,
    fluid_reject,
    fluid_wait,
    kingman_wait,
    mdc_wait,
    mmc_wait,
    mmc_wait_exceeds,
    mmck,
)

SERVERS = st.integers(1, 12)
BELOW_ONE = st.floats(0.05, 0.95)


def test_mmc_wait_values():
    assert mmc_wait(6.4, 1.0, 8) == pytest.approx(0.286, abs=5e-4)
    assert mmc_wait(1.6, 1.0, 2) == pytest.approx(1.778, abs=5e-4)


@given(BELOW_ONE, st.floats(0.001, 100), SERVERS)
def test_waits_scale_with_the_service_time(rho, service_s, servers):
    alike = mmc_wait(rho * servers, 1.0, servers) * service_s
    assert mmc_wait(rho * servers / service_s, service_s, servers) == pytest.approx(alike)


def test_mmc_wait_has_no_end_from_full_load_on():
    waits = mmc_wait([7.9, 8.0, 9.0], 1.0, 8)
    assert np.isfinite(waits[0])
    assert np.isinf(waits[1:]).all()


def test_the_tail_of_the_wait_integrates_to_its_mean():
    t_s = np.linspace(0, 60, 60_001)
    tail = mmc_wait_exceeds(t_s, 6.4, 1.0, 8)
    assert np.trapezoid(tail, t_s) == pytest.approx(mmc_wait(6.4, 1.0, 8), rel=1e-5)


def test_the_tail_is_one_from_full_load_on():
    assert mmc_wait_exceeds(5.0, [8.0, 12.0], 1.0, 8) == pytest.approx(1)


@given(BELOW_ONE, st.floats(0, 5))
def test_one_server_is_pollaczek_and_khinchine(rho, scv):
    exact = rho / (1 - rho) * (1 + scv) / 2
    assert kingman_wait(rho, 1.0, 1.0, scv) == pytest.approx(exact)


@given(BELOW_ONE, SERVERS)
def test_allen_cunneen_is_mmc_at_its_variation(rho, servers):
    rate = rho * servers
    assert allen_cunneen_wait(rate, 1.0, servers, 1, 1) == pytest.approx(
        mmc_wait(rate, 1.0, servers)
    )


def test_no_variation_means_no_wait_below_full_load():
    assert list(allen_cunneen_wait([7.2, 8.0], 1.0, 8, 0, 0)) == [0, np.inf]


def exact_mdc_wait(rho: float, servers: int) -> float:
    """M/D/c solved numerically: the jobs in the house one service time later, from those now."""
    rate = rho * servers
    arrivals = poisson.pmf(np.arange(int(rate + 12 * np.sqrt(rate) + 20)), rate)
    p = np.zeros(servers + 1500)
    p[0] = 1
    change = 1.0
    while change > 1e-12:
        stay = np.append(p[: servers + 1].sum(), p[servers + 1 :])
        later = np.zeros_like(p)
        grown = np.convolve(stay, arrivals)[: p.size]
        later[: grown.size] = grown / grown.sum()
        change = np.abs(later - p).max()
        p = later
    return float(np.maximum(np.arange(p.size) - servers, 0) @ p) / rate


@pytest.mark.parametrize("servers", [1, 2, 4, 8])
@pytest.mark.parametrize("rho", [0.5, 0.7, 0.9])
def test_cosmetatos_is_within_one_percent_of_the_exact_mdc(servers, rho):
    assert mdc_wait(rho * servers, 1.0, servers) == pytest.approx(
        exact_mdc_wait(rho, servers), rel=0.01
    )


def test_half_of_mmc_alone_would_be_a_fifth_too_low():
    half = mmc_wait(4.0, 1.0, 8) / 2
    assert half / exact_mdc_wait(0.5, 8) - 1 == pytest.approx(-0.2, abs=0.015)


def test_mmck_values():
    eight = mmck(9.6, 1.0, 8, 16)
    assert eight.p_reject == pytest.approx(0.171, abs=5e-4)
    assert eight.wait_s == pytest.approx(1.454, abs=5e-4)
    assert mmck([2.4, 3.2], 1.0, 2, 16).p_reject == pytest.approx([0.173, 0.375], abs=5e-4)


@given(st.floats(0.05, 3), SERVERS, st.integers(0, 12))
def test_mmck_solves_its_balance_equations(rho, servers, queue_size):
    rate, states = rho * servers, servers + queue_size + 1
    births = np.full(states - 1, rate)
    deaths = np.minimum(np.arange(1, states), servers)
    generator = np.diag(births, 1) + np.diag(deaths, -1)
    generator = generator - np.diag(generator.sum(axis=1))
    exact = null_space(generator.T, rcond=1e-13)[:, 0]
    assert mmck(rate, 1.0, servers, queue_size).p == pytest.approx(exact / exact.sum(), abs=1e-9)


@given(st.floats(0.01, 100), st.integers(1, 1000), st.integers(0, 300))
def test_mmck_is_a_distribution_at_any_load(rho, servers, queue_size):
    house = mmck(rho * servers, 1.0, servers, queue_size)
    assert house.p.sum() == pytest.approx(1)
    assert (house.p >= 0).all()
    assert house.throughput_per_s <= servers * (1 + 1e-9)
    assert house.wait_s <= queue_size / servers + 1e-9


@given(st.floats(0.05, 3), SERVERS)
def test_without_a_queue_it_is_erlangs_b(rho, servers):
    house = mmck(rho * servers, 1.0, servers, 0)
    assert house.p_reject == pytest.approx(erlang_b(servers, rho * servers))
    assert house.wait_s == 0


def test_it_becomes_mmc_as_the_queue_grows():
    errors = [abs(mmck(6.4, 1.0, 8, q).wait_s - mmc_wait(6.4, 1.0, 8)) for q in (4, 16, 64, 256)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-9


def test_it_becomes_fluid_under_overload():
    rates = np.array([9.6, 12.8, 80.0])
    house = mmck(rates, 1.0, 8, 400)
    assert house.p_reject == pytest.approx(fluid_reject(rates, 1.0, 8), abs=1e-3)
    assert house.wait_s == pytest.approx(fluid_wait(rates, 1.0, 8, 400), rel=0.02)


def test_a_longer_queue_adds_wait_and_no_capacity():
    short, long = mmck(12.0, 1.0, 8, 16), mmck(12.0, 1.0, 8, 160)
    assert long.throughput_per_s == pytest.approx(short.throughput_per_s, rel=2e-3)
    assert long.wait_s > 9 * short.wait_s


def test_a_thousand_servers_lose_no_digits():
    house = mmck(990.0, 1.0, 1000, 20_000)
    assert house.wait_s == pytest.approx(mmc_wait(990.0, 1.0, 1000), rel=1e-9)


def test_results_keep_the_shape_of_the_rates():
    rates = np.full((2, 3), 5.0)
    assert mmc_wait(rates, 1.0, 8).shape == (2, 3)
    assert mmck(rates, 1.0, 8, 4).p.shape == (2, 3, 13)
    assert isinstance(mdc_wait(5.0, 1.0, 8), float)
    assert isinstance(mmck(5.0, 1.0, 8, 4).p_reject, float)


def test_fluid_is_dry_below_full_load():
    assert list(fluid_reject([1.0, 8.0, 16.0], 1.0, 8)) == [0, 0, 0.5]
    assert list(fluid_wait([1.0, 8.0, 16.0], 1.0, 8, 20)) == [0, 0, 2.5]


@pytest.mark.parametrize(
    "call",
    [
        lambda: mmc_wait(0.0, 1.0, 8),
        lambda: mmc_wait(1.0, -1.0, 8),
        lambda: mmc_wait(1.0, 1.0, 0),
        lambda: mmck(1.0, 1.0, 2, -1),
        lambda: mmc_wait_exceeds(-1.0, 1.0, 1.0, 2),
        lambda: kingman_wait(0.5, 1.0, -0.1, 1.0),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()
