"""Closed models: the exercise's values, bounds that hold, and the limits of the repairman."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import null_space

from labserver.theory.closed import (
    knee,
    repairman,
    response_bound,
    service_inflation,
    throughput_bound,
)

CLIENTS = st.integers(1, 60)
SERVERS = st.integers(1, 12)
SERVICE_S = st.floats(0.01, 100)
THINK_S = st.floats(0, 1000)


def test_the_exercise():
    assert knee(1.0, 8, 2.0) == 24
    assert repairman(16, 1.0, 8, 2.0).throughput_per_s == pytest.approx(5.300, abs=5e-4)
    assert repairman(24, 1.0, 8, 2.0).response_s == pytest.approx(1.266, abs=5e-4)


@given(CLIENTS, SERVICE_S, SERVERS, THINK_S)
def test_the_repairman_keeps_the_bounds(n, service_s, servers, think_s):
    exact = repairman(n, service_s, servers, think_s)
    slack = 1 + 1e-9
    assert exact.throughput_per_s <= throughput_bound(n, service_s, servers, think_s) * slack
    assert exact.response_s * slack >= response_bound(n, service_s, servers, think_s)


@given(CLIENTS, SERVICE_S, SERVERS, THINK_S)
def test_little_holds_for_the_whole_circle(n, service_s, servers, think_s):
    exact = repairman(n, service_s, servers, think_s)
    assert exact.throughput_per_s * (exact.response_s + think_s) == pytest.approx(n)


@given(SERVICE_S, SERVERS)
def test_the_bounds_meet_at_the_knee(service_s, servers):
    n = knee(service_s, servers, 2 * service_s)
    assert n / (3 * service_s) == pytest.approx(servers / service_s)
    assert throughput_bound(3 * servers, service_s, servers, 2 * service_s) == pytest.approx(
        servers / service_s
    )


@given(st.integers(1, 25), SERVERS, st.floats(0.05, 20))
def test_the_repairman_solves_its_balance_equations(n, servers, think_s):
    away, back = np.arange(n, 0, -1) / think_s, np.minimum(np.arange(1, n + 1), servers)
    generator = np.diag(away, 1) + np.diag(back, -1)
    generator = generator - np.diag(generator.sum(axis=1))
    p = null_space(generator.T, rcond=1e-13)[:, 0]
    busy = np.minimum(np.arange(n + 1), servers) @ p / p.sum()
    assert repairman(n, 1.0, servers, think_s).throughput_per_s == pytest.approx(busy, rel=1e-6)


def test_without_thinking_the_bounds_are_reached():
    n = np.arange(1, 17)
    exact = repairman(n, 6.0, 8)
    assert exact.throughput_per_s == pytest.approx(throughput_bound(n, 6.0, 8))
    assert exact.response_s == pytest.approx(response_bound(n, 6.0, 8))


def test_no_thinking_is_the_limit_of_little_thinking():
    n = np.array([1, 7, 8, 9, 40])
    little, none = repairman(n, 1.0, 8, 1e-12), repairman(n, 1.0, 8, 0.0)
    assert little.throughput_per_s == pytest.approx(none.throughput_per_s)
    assert little.wait_s == pytest.approx(none.wait_s, abs=1e-9)


def test_long_thinking_costs_no_digits():
    assert repairman(2, 1.0, 8, 1e15).response_s == pytest.approx(1.0)


def test_thousands_of_clients_and_servers():
    exact = repairman([100, 1000, 3000], 1.0, 1000, 1.0)
    assert exact.throughput_per_s == pytest.approx([50, 500, 1000], rel=1e-6)


@given(CLIENTS, SERVERS, st.integers(1, 8), st.floats(0, 20))
def test_surplus_workers_add_no_throughput_and_hide_the_wait(n, workers, cores, think_s):
    crowded = repairman(n, 1.0, workers, think_s, cores=cores)
    plain = repairman(n, 1.0, min(workers, cores), think_s)
    assert crowded.throughput_per_s == pytest.approx(plain.throughput_per_s)
    assert crowded.response_s == pytest.approx(plain.response_s)
    assert crowded.wait_s <= plain.wait_s + 1e-9


def test_eight_workers_on_two_cores():
    busy = repairman([1, 2, 4, 8, 16], 1.0, 8, cores=2)
    assert busy.process_s == pytest.approx(service_inflation([1, 2, 4, 8, 8], 2))
    assert busy.wait_s == pytest.approx([0, 0, 0, 0, 4])


def test_cores_to_spare_change_nothing():
    assert repairman(9, 1.0, 4, 1.0, cores=64).response_s == repairman(9, 1.0, 4, 1.0).response_s


def test_results_keep_the_shape_of_n():
    exact = repairman([[1, 2, 3], [4, 5, 6]], 1.0, 2, 1.0)
    assert exact.throughput_per_s.shape == (2, 3)
    assert exact.wait_s[1, 0] == repairman(4, 1.0, 2, 1.0).wait_s


def test_the_repr_is_the_table_of_its_rows():
    lines = repr(repairman([1, 16], 1.0, 8, 2.0)).splitlines()
    assert len(lines) == 3
    assert lines[2].split()[:2] == ["16", "5.3"]


@pytest.mark.parametrize(
    "arguments",
    [(0, 1.0, 8, 0.0), (1.5, 1.0, 8, 0.0), (1, 0.0, 8, 0.0), (1, 1.0, 0, 0.0), (1, 1.0, 8, -1.0)],
)
@pytest.mark.parametrize("model", [throughput_bound, response_bound, repairman])
def test_nonsense_is_refused(model, arguments):
    with pytest.raises(ValueError, match="must be"):
        model(*arguments)


def test_no_cores_are_refused():
    with pytest.raises(ValueError, match="cores"):
        repairman(1, 1.0, 8, cores=0)
