"""The simulator against Ciw, an independent one: the same jobs, and every one of them must agree.

Both are given the same arrivals, work and patience, so nothing is left to chance or tolerance.
"""

import ciw
import numpy as np
import pytest

from labserver.theory.arrivals import Times
from labserver.theory.simulation import Outcome
from labserver.theory.simulator import simulate

JOBS, SERVERS = 4000, 8


class ByJob(ciw.dists.Distribution):
    """To Ciw a distribution of times: its own for each customer. To us the same."""

    def __init__(self, times_s: np.ndarray) -> None:
        self.times_s = times_s

    def sample(self, t=None, ind=None):
        return float(self.times_s[ind.id_number - 1])

    def draw(self, rng, size):
        return self.times_s


class InTurn(ciw.dists.Distribution):
    """To Ciw the gaps between arrivals, one after the other, and then no more."""

    def __init__(self, gap_s: np.ndarray) -> None:
        self.left_s = [float("inf"), *gap_s[::-1].tolist()]

    def sample(self, t=None, ind=None):
        return self.left_s.pop()


def ciw_records(gap_s, work, queue_size=float("inf"), patience=None) -> dict[str, dict[int, float]]:
    """By kind of record: the job, and when its service began, or when it was lost."""
    network = ciw.create_network(
        arrival_distributions=[InTurn(gap_s)],
        service_distributions=[work],
        number_of_servers=[SERVERS],
        queue_capacities=[queue_size],
        reneging_time_distributions=[patience],
    )
    run = ciw.Simulation(network)
    run.simulate_until_max_time(10 * gap_s.sum())
    kinds: dict[str, dict[int, float]] = {"service": {}, "rejection": {}, "renege": {}}
    for record in run.get_all_records():
        when = record.service_start_date if record.record_type == "service" else record.exit_date
        kinds[record.record_type][record.id_number - 1] = when
    return kinds


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def assert_started_alike(run, records):
    assert {*np.flatnonzero(np.isfinite(run.start_s))} == records["service"].keys()
    ours = run.start_s[list(records["service"])]
    assert ours == pytest.approx(list(records["service"].values()), abs=1e-9)


def test_mmc(rng):
    gap_s, work = rng.exponential(1 / 7.2, JOBS), ByJob(rng.exponential(1.0, JOBS))
    run = simulate(Times(np.cumsum(gap_s)), work, servers=SERVERS)
    records = ciw_records(gap_s, work)
    assert len(records["service"]) == JOBS
    assert_started_alike(run, records)


@pytest.mark.parametrize("rho", [0.9, 1.3])
def test_mdck(rng, rho):
    gap_s, work = rng.exponential(1 / (rho * SERVERS), JOBS), ByJob(np.ones(JOBS))
    run = simulate(Times(np.cumsum(gap_s)), work, servers=SERVERS, queue_size=4)
    records = ciw_records(gap_s, work, queue_size=4)
    assert records["rejection"].keys() == {*np.flatnonzero(run.outcome == Outcome.REJECTED)}
    assert run.p_reject > 0.01
    assert_started_alike(run, records)


def test_reneging(rng):
    gap_s, work = rng.exponential(1 / 9.6, JOBS), ByJob(rng.exponential(1.0, JOBS))
    patience = ByJob(rng.exponential(0.5, JOBS))
    # Ciw's customers leave only a queue: ours then hold a server to the end, as zombies do.
    run = simulate(
        Times(np.cumsum(gap_s)), work, servers=SERVERS, patience=patience, overrun="zombie"
    )
    records = ciw_records(gap_s, work, patience=patience)
    left = np.flatnonzero((run.outcome == Outcome.ABANDONED) & np.isnan(run.start_s))
    assert records["renege"].keys() == {*left}
    assert len(left) > 100
    assert run.end_s[left] == pytest.approx([records["renege"][job] for job in left], abs=1e-9)
    assert_started_alike(run, records)
