"""The result of a simulation: its figures, worked by hand from four jobs."""

import math

import numpy as np
import pytest

from labserver.theory.simulation import Outcome, Simulation

NEVER = math.nan


@pytest.fixture
def four() -> Simulation:
    """One completes, one is refused twice, one is killed, one completes at its second attempt."""
    return Simulation(
        servers=2,
        queue_size=1,
        seed=7,
        begin_s=0.0,
        until_s=10.0,
        arrival_s=np.array([0.0, 1.0, 2.0, 3.0]),
        entered_s=np.array([0.0, 1.5, 2.0, 5.0]),
        start_s=np.array([0.5, NEVER, 3.0, 6.0]),
        end_s=np.array([2.5, 1.5, 7.0, 10.0]),
        outcome=np.array(
            [Outcome.COMPLETED, Outcome.REJECTED, Outcome.KILLED, Outcome.COMPLETED], dtype=np.int8
        ),
        attempts=np.array([1, 2, 1, 2]),
        wasted_s=np.array([0.0, 0.0, 4.0, 1.0]),
        retry_s=np.array([1.5, 5.0]),
    )


def test_rates_and_shares(four):
    assert four.jobs == 4
    assert four.goodput_per_s == pytest.approx(0.2)
    assert four.throughput_per_s == pytest.approx(0.3)
    assert four.p_reject == 0.25
    assert sum(four.share(outcome) for outcome in Outcome) == 1


def test_times(four):
    assert four.wait_s == pytest.approx([0.5, NEVER, 1.0, 1.0], nan_ok=True)
    assert list(four.response_s) == [2.5, 0.5, 5, 7]
    assert four.mean_wait_s == pytest.approx(2.5 / 3)
    assert four.mean_response_s == pytest.approx(9.5 / 2)
    assert list(four.attempt_s) == [0, 1, 1.5, 2, 3, 5]


def test_servers_are_busy_for_somebody_or_for_nobody(four):
    assert four.useful_s == 6
    assert four.utilisation == pytest.approx((6 + 5) / 20)


def test_after_leaves_the_earlier_jobs_out(four):
    late = four.after(2.0)
    assert late.jobs == 2
    assert late.duration_s == 8
    assert list(late.arrival_s) == [2, 3]
    assert list(late.attempt_s) == [2, 3, 5]
    assert late.p_reject == 0


def test_after_the_last_job_there_is_nothing(four):
    with pytest.raises(ValueError, match="no job arrived"):
        four.after(3.5)


def test_where_nothing_ran_the_means_are_nan(four):
    refused = four.after(1.0)
    refused = Simulation(**{**vars(refused), "start_s": np.full(3, NEVER)})
    assert math.isnan(refused.mean_wait_s)
    assert refused.throughput_per_s == 0


def test_the_repr_says_what_was_run_and_what_came_of_it(four):
    shown = repr(four)
    assert "4 jobs in 10 s, simulated (seed 7)" in shown
    assert "2 servers, a queue of 1" in shown
    assert "completed 50.00%, rejected 25.00%, killed 25.00%" in shown
