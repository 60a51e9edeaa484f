"""Erlang's formulas: known values, an independent form, and what must hold for any load."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from labserver.theory.erlang import erlang_b, erlang_c, servers_needed

SERVERS = st.integers(1, 1000)
LOADS = st.floats(0.01, 2000)


def test_values_worked_by_hand():
    assert erlang_b(8, 6.4) == pytest.approx(0.144, abs=5e-4)
    assert erlang_c(8, 6.4) == pytest.approx(0.4576, abs=5e-5)
    assert erlang_c(2, 1.6) == pytest.approx(32 / 45)
    assert erlang_b(1, 0.5) == pytest.approx(1 / 3)
    assert erlang_b(0, 3.0) == 1


def test_ninety_percent_busy_hurts_less_with_more_servers():
    servers = np.array([2, 8, 64, 1000])
    assert erlang_c(servers, 0.9 * servers) == pytest.approx([0.85, 0.70, 0.31, 0.0006], rel=0.02)


@given(SERVERS, LOADS)
def test_b_is_the_truncated_poisson(servers, load):
    every = poisson.cdf(servers, load)
    if every > 1e-200:  # below, the other form loses its digits, not ours
        assert erlang_b(servers, load) == pytest.approx(
            poisson.pmf(servers, load) / every, rel=1e-8
        )


@given(SERVERS, st.floats(0.01, 0.999))
def test_c_is_a_probability_at_least_as_large_as_b(servers, rho):
    b, c = erlang_b(servers, rho * servers), erlang_c(servers, rho * servers)
    assert 0 <= b <= c <= 1


@given(st.integers(1, 200), st.floats(0.01, 150), st.floats(0.01, 50))
def test_both_grow_with_load_and_fall_with_servers(servers, load, more):
    for formula in (erlang_b, erlang_c):
        now = formula(servers, load)
        assert formula(servers, load + more) >= now * (1 - 1e-12)
        assert formula(servers + 1, load) <= now * (1 + 1e-12)


def test_c_with_no_steady_state_is_one():
    assert list(erlang_c(8, [8.0, 9.0, 8000.0])) == [1, 1, 1]


def test_servers_and_loads_broadcast():
    grid = erlang_b([[1], [2]], [0.5, 1.0, 2.0])
    assert grid.shape == (2, 3)
    assert grid[1, 2] == erlang_b(2, 2.0)


def test_a_number_gives_a_number():
    assert isinstance(erlang_b(8, 6.4), float)
    assert isinstance(erlang_c(8, 6.4), float)


@given(st.floats(0.1, 500), st.floats(0.001, 0.999))
def test_servers_needed_are_enough_and_one_fewer_are_not(load, p_wait):
    needed = int(servers_needed(load, p_wait))
    assert erlang_c(needed, load) <= p_wait
    assert needed == 1 or erlang_c(needed - 1, load) > p_wait


def test_spare_servers_grow_as_the_root_of_the_load():
    loads = np.array([100.0, 400.0, 1600.0])
    spare = (servers_needed(loads, 0.3) - loads) / np.sqrt(loads)
    assert spare == pytest.approx(spare[-1], abs=0.1)


@pytest.mark.parametrize(("servers", "load"), [(-1, 1.0), (1.5, 1.0), (2, -1.0), (2, np.nan)])
def test_nonsense_is_refused(servers, load):
    with pytest.raises(ValueError, match="must be"):
        erlang_b(servers, load)


def test_c_wants_a_server_and_a_possible_target():
    with pytest.raises(ValueError, match="servers"):
        erlang_c(0, 1.0)
    with pytest.raises(ValueError, match="p_wait"):
        servers_needed(1.0, 0.0)
