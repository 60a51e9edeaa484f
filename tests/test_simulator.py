"""The simulator: small runs worked by hand, invariants of any run, formulas, and known stories."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from labserver.theory.arrivals import Clients, Even, Poisson, Times
from labserver.theory.closed import repairman
from labserver.theory.discipline import FIFO, CoDel, DeadlineSkip, Lifo
from labserver.theory.distributions import Empirical, Exponential, Fixed
from labserver.theory.little import mean_jobs, steps
from labserver.theory.queues import kingman_wait, mdc_wait, mmc_wait, mmc_wait_exceeds, mmck
from labserver.theory.retries import Retry
from labserver.theory.simulation import Outcome
from labserver.theory.simulator import simulate

COMPLETED, REJECTED, SHED, EXPIRED, KILLED, ABANDONED = Outcome
SECOND = Fixed(1.0)


@dataclass(frozen=True)
class Listed:
    """A distribution of one's own: these times, in this order."""

    times_s: tuple[float, ...]
    mean_s: float = 1.0
    scv: float = 0.0

    def draw(self, rng, size):
        return np.array(self.times_s)


def interval(values, level=0.999):
    """The t-interval of a mean over independent runs."""
    mean, n = np.mean(values), len(values)
    half = student.ppf((1 + level) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n)
    return mean - half, mean + half


# By hand


def test_jobs_start_when_a_server_is_free_in_order_of_arrival():
    run = simulate(Times([0, 0, 0.5, 0.6]), Listed((3.0, 1.0, 1.0, 1.0)), servers=2)
    assert list(run.start_s) == [0, 0, 1, 2]
    assert list(run.end_s) == [3, 1, 2, 3]
    assert run.until_s == 3


@pytest.mark.parametrize("places", [0, 1, 2])
def test_a_queue_of_q_holds_q_beside_those_that_run(places):
    run = simulate(Times([0, 0, 0.1, 0.2, 0.3]), SECOND, servers=2, queue_size=places)
    assert list(run.outcome) == [COMPLETED] * (2 + places) + [REJECTED] * (3 - places)
    assert run.end_s[-1] == (0.3 if places < 3 else 2)


def test_a_waiting_job_expires_at_its_deadline_at_no_cost():
    run = simulate(Times([0, 0, 1.9]), Fixed(2.0), servers=1, deadline_s=2.0)
    assert list(run.outcome) == [COMPLETED, EXPIRED, KILLED]
    assert list(run.end_s) == [2, 2, 3.9]
    assert run.wasted_s[1] == 0


def test_a_place_whose_job_has_expired_is_free_at_once():
    run = simulate(
        Times([0, 0, 1.5]), Fixed(5.0), servers=1, queue_size=1, deadline_s=1.0, overrun="zombie"
    )
    assert list(run.outcome) == [KILLED, EXPIRED, EXPIRED]  # the third was let in


def test_a_killed_job_frees_its_server_at_the_deadline():
    run = simulate(Times([0, 0.5]), Listed((9.0, 0.4)), servers=1, deadline_s=1.0)
    assert list(run.outcome) == [KILLED, COMPLETED]
    assert run.start_s[1] == run.end_s[0] == 1
    assert list(run.wasted_s) == [1, 0]


def test_a_zombie_holds_its_server_after_its_client_has_the_answer():
    run = simulate(Times([0, 3.5]), Listed((4.0, 0.4)), servers=1, deadline_s=1.0, overrun="zombie")
    assert list(run.outcome) == [KILLED, COMPLETED]
    assert list(run.end_s) == [1, 4.4]
    assert run.start_s[1] == 4
    assert list(run.wasted_s) == [4, 0]


def test_the_last_zombie_belongs_to_the_run():
    run = simulate(Times([0]), Fixed(4.0), servers=1, deadline_s=1.0, overrun="zombie")
    assert (run.until_s, run.utilisation) == (4, 1)


def test_a_client_leaves_when_its_patience_ends_before_the_deadline():
    patience = Listed((9.0, 0.5, 0.5))
    run = simulate(Times([0, 0, 1.0]), SECOND, servers=1, deadline_s=3.0, patience=patience)
    assert list(run.outcome) == [COMPLETED, ABANDONED, ABANDONED]
    assert list(run.end_s) == [1, 0.5, 1.5]
    assert list(run.wasted_s) == [0, 0, 0.5]


def test_last_in_is_first_out_with_lifo():
    run = simulate(Times([0, 0.1, 0.2]), SECOND, servers=1, discipline=Lifo())
    assert list(run.start_s) == [0, 2, 1]


def test_deadline_skip_answers_the_hopeless_at_their_turn():
    run = simulate(
        Times([0, 0, 0.9]), SECOND, servers=1, deadline_s=1.5, discipline=DeadlineSkip(1.0)
    )
    assert list(run.outcome) == [COMPLETED, SHED, COMPLETED]
    assert run.end_s[1] == 1
    assert run.wasted_s.sum() == 0


def test_codel_sheds_while_the_queue_stands_and_forgives_once_it_was_empty():
    codel = CoDel(target_s=0.5, interval_s=1.5)
    run = simulate(Times([0, 0, 0, 1.8, 5, 5]), SECOND, servers=1, discipline=codel)
    # At 2 s the queue has stood for 2 s: the third has waited too long, the fourth has not.
    # At 6 s it has stood for 1 s only, and a wait of 1 s is let pass.
    assert list(run.outcome) == [COMPLETED, COMPLETED, SHED, COMPLETED, COMPLETED, COMPLETED]


def test_retries_come_after_their_doubling_pauses_until_one_succeeds():
    retry = Retry(retries=3, backoff_s=1.0)
    run = simulate(Times([0, 0.5]), Listed((6.0, 1.0)), servers=1, queue_size=0, retry=retry)
    assert list(run.retry_s) == [1.5, 3.5, 7.5]
    assert list(run.attempts) == [1, 4]
    assert list(run.outcome) == [COMPLETED, COMPLETED]
    assert (run.entered_s[1], run.end_s[1], run.response_s[1]) == (7.5, 8.5, 8.0)


def test_retries_end_and_the_last_failure_is_the_answer():
    run = simulate(Even(1.0, 5), Fixed(0.9), servers=1, deadline_s=0.5, retry=Retry(retries=2))
    assert list(run.attempts) == [3] * 5
    assert run.share(KILLED) + run.share(EXPIRED) == 1
    assert run.attempt_s.size == 15


def test_an_old_deadline_does_not_end_a_new_attempt():
    work = Listed((1.0, 0.5, 1.0))
    skip, retry = DeadlineSkip(0.8), Retry(retries=1, backoff_s=0.4)
    run = simulate(
        Times([0, 0, 0.9]), work, servers=1, deadline_s=1.5, discipline=skip, retry=retry
    )
    # The second is shed at 1 s and waits anew from 1.4 s, past the 1.5 s of its first attempt.
    assert list(run.outcome) == [COMPLETED] * 3
    assert list(run.attempts) == [1, 2, 1]
    assert run.end_s[1] == 2.5


def test_every_attempt_in_vain_is_wasted_work():
    retry = Retry(retries=1, backoff_s=5.0)
    run = simulate(Times([0]), Fixed(4.0), servers=1, deadline_s=1.0, retry=retry)
    assert list(run.wasted_s) == [2]
    assert run.useful_s == 0


def test_a_job_that_failed_on_a_server_and_then_at_the_door_has_no_start():
    retry = Retry(retries=1, backoff_s=0.25)
    run = simulate(
        Times([0, 1.1]), Fixed(9.0), servers=1, queue_size=0, deadline_s=1.0, retry=retry
    )
    assert run.outcome[0] == REJECTED
    assert math.isnan(run.start_s[0])
    assert run.wasted_s[0] == 1


def test_jitter_draws_the_pause_from_all_of_it():
    retry = Retry(retries=1, backoff_s=1.0, jitter=1.0)
    run = simulate(Times(np.zeros(2001)), Fixed(5.0), servers=1, queue_size=0, retry=retry)
    assert run.retry_s.size == 2000
    assert 0 < run.retry_s.min() < 0.01 < 0.99 < run.retry_s.max() <= 1
    assert run.retry_s.mean() == pytest.approx(0.5, abs=0.03)


def test_a_retry_budget_bounds_the_retries_by_the_jobs():
    retry = Retry(retries=5, backoff_s=0.1, budget=0.1, burst=20)
    run = simulate(Poisson(30.0, 5000), SECOND, servers=8, queue_size=0, retry=retry, seed=1)
    assert 0.099 * 5000 < run.retry_s.size <= 0.1 * 5000 + 20


def test_quiet_times_save_up_no_more_retries_than_a_burst():
    quiet_s, crowd_s = np.arange(50.0), np.full(20, 100.0)
    retry = Retry(retries=1, budget=0.1, burst=3)
    run = simulate(Times([*quiet_s, *crowd_s]), Fixed(0.5), servers=1, queue_size=0, retry=retry)
    assert 3 <= run.retry_s.size <= 3 + 0.1 * 20


def test_closed_clients_think_between_an_answer_and_the_next_question():
    run = simulate(Clients(2, 5, think=Fixed(3.0)), SECOND, servers=1)
    assert list(run.arrival_s) == [3, 3, 7, 8, 11]
    assert list(run.end_s) == [4, 5, 8, 9, 12]


def test_jobs_are_told_in_the_order_in_which_they_came():
    run = simulate(Clients(2, 3, think=Listed((5.0, 1.0, 1.0))), SECOND, servers=1)
    assert list(run.arrival_s) == [1, 3, 5]


def test_a_refused_client_thinks_and_asks_again():
    run = simulate(Clients(2, 4, think=Fixed(2.0)), Fixed(1.5), servers=1, queue_size=0)
    assert list(run.outcome) == [COMPLETED, REJECTED, COMPLETED, COMPLETED]
    assert list(run.arrival_s) == [2, 2, 4, 5.5]


def test_evenly_spaced_below_capacity_nobody_waits():
    assert simulate(Even(7.2, 2000), SECOND, servers=8).wait_s.max() == 0


@pytest.mark.parametrize(
    "wrong",
    [{"servers": 0}, {"queue_size": -1}, {"queue_size": 1.5}, {"deadline_s": 0}, {"overrun": "?"}],
)
def test_an_impossible_house_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        simulate(Even(1.0, 1), SECOND, **{"servers": 1, **wrong})


# Of any run

HOUSES = st.fixed_dictionaries(
    {
        "servers": st.integers(1, 4),
        "queue_size": st.integers(0, 6) | st.just(math.inf),
        "deadline_s": st.floats(0.2, 5) | st.just(math.inf),
        "patience": st.none() | st.just(Exponential(2.0)),
        "overrun": st.sampled_from(["kill", "zombie"]),
        "discipline": st.sampled_from([FIFO, Lifo(), DeadlineSkip(1.0), CoDel(0.5, 2.0)]),
        "seed": st.integers(0, 1000),
    }
)
RETRIES = st.builds(
    Retry, retries=st.integers(0, 3), backoff_s=st.floats(0, 2), jitter=st.floats(0, 1)
)
ARRIVALS = st.sampled_from(
    [Poisson(3.0, 60), Even(4.0, 60), Clients(7, 60, think=Exponential(1.0))]
)


@given(ARRIVALS, HOUSES, RETRIES)
@settings(max_examples=200)
def test_every_job_ends_once_and_as_its_outcome_says(arrivals, house, retry):
    run = simulate(arrivals, Exponential(1.0), retry=retry, **house)
    ran, outcome = np.isfinite(run.start_s), run.outcome
    assert (run.arrival_s <= run.entered_s).all()
    assert (run.entered_s <= run.end_s).all()
    assert (run.start_s[ran] >= run.entered_s[ran]).all()
    assert ran[(outcome == COMPLETED) | (outcome == KILLED)].all()
    assert not ran[(outcome == REJECTED) | (outcome == EXPIRED) | (outcome == SHED)].any()
    assert (run.end_s - run.entered_s <= house["deadline_s"] + 1e-9).all()
    assert run.retry_s.size == (run.attempts - 1).sum()
    assert run.attempts.max() <= retry.retries + 1
    assert run.until_s >= run.end_s.max()
    assert run.utilisation <= 1 + 1e-9


@given(ARRIVALS, HOUSES)
@settings(max_examples=200)
def test_never_more_run_than_servers_or_wait_than_places(arrivals, house):
    run = simulate(arrivals, Exponential(1.0), **house)
    ran = np.isfinite(run.start_s)
    held_s = np.where(run.wasted_s > 0, run.wasted_s, run.end_s - run.start_s)[ran]
    freed_s = run.start_s[ran] + held_s - 1e-9  # ends come before starts at the same time
    assert (
        steps(run.start_s[ran], np.maximum(freed_s, run.start_s[ran]))[1].max(initial=0)
        <= (house["servers"])
    )
    left_s = np.where(ran, run.start_s, run.end_s)
    waited = left_s > run.entered_s
    if waited.any():
        _, waiting = steps(run.entered_s[waited], left_s[waited] - 1e-9 * (left_s[waited] > 1e-9))
        assert waiting.max() <= house["queue_size"]


@given(HOUSES, RETRIES)
def test_the_same_arguments_give_the_same_run(house, retry):
    one, two = (
        simulate(Poisson(3.0, 60), Exponential(1.0), retry=retry, **house) for _ in range(2)
    )
    for name in ("arrival_s", "start_s", "end_s", "outcome", "wasted_s", "retry_s"):
        assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True)


def test_another_seed_gives_another_run_and_another_policy_the_same_jobs():
    def run(seed, **policy):
        return simulate(Poisson(3.0, 500), Exponential(1.0), servers=4, seed=seed, **policy)

    assert not np.array_equal(run(1).arrival_s, run(2).arrival_s)
    lifo, patient = run(1, discipline=Lifo()), run(1, patience=Exponential(9.0))
    assert np.array_equal(lifo.arrival_s, patient.arrival_s)
    done = patient.outcome == COMPLETED
    work_s = (lifo.end_s - lifo.start_s, patient.end_s - patient.start_s)
    assert work_s[0][done] == pytest.approx(work_s[1][done])


def test_littles_law_holds_between_the_integral_and_the_means():
    run = simulate(Poisson(7.2, 20_000), Exponential(1.0), servers=8, queue_size=16, seed=3)
    at_s, jobs = steps(run.arrival_s, run.end_s)
    over_s = run.until_s - at_s[0]
    in_house = run.jobs / over_s * run.response_s.mean()
    assert mean_jobs(at_s, jobs, run.until_s) == pytest.approx(in_house)


# Against the formulas, within a 99.9 % t-interval over eight seeds


def runs(arrivals, service, **house):
    """Eight runs, each without its first tenth."""
    several = [simulate(arrivals, service, seed=seed, **house) for seed in range(8)]
    return [run.after(run.arrival_s[run.jobs // 10]) for run in several]


@pytest.mark.parametrize(("servers", "rho"), [(1, 0.7), (2, 0.8), (8, 0.8), (64, 0.9)])
def test_mmc_waits_as_erlang_says(servers, rho):
    several = runs(Poisson(rho * servers, 20_000), Exponential(1.0), servers=servers)
    low, high = interval([run.mean_wait_s for run in several])
    assert low <= mmc_wait(rho * servers, 1.0, servers) <= high
    late = [float(np.mean(run.wait_s > 0.5)) for run in several]
    low, high = interval(late)
    assert low <= mmc_wait_exceeds(0.5, rho * servers, 1.0, servers) <= high


@pytest.mark.parametrize("rho", [0.8, 1.2, 1.6])
def test_mmck_refuses_and_waits_as_its_formula_says(rho):
    several = runs(Poisson(2 * rho, 20_000), Exponential(1.0), servers=2, queue_size=16)
    exact = mmck(2 * rho, 1.0, 2, 16)
    low, high = interval([run.p_reject for run in several])
    assert low <= exact.p_reject <= high
    low, high = interval([run.mean_wait_s for run in several])
    assert low <= exact.wait_s <= high


@pytest.mark.parametrize("servers", [2, 8])
def test_mdc_waits_as_cosmetatos_says(servers):
    several = runs(Poisson(0.8 * servers, 20_000), SECOND, servers=servers)
    low, high = interval([run.mean_wait_s for run in several])
    assert low * 0.99 <= mdc_wait(0.8 * servers, 1.0, servers) <= high * 1.01


def test_measured_work_on_one_server_waits_as_pollaczek_and_khinchine_say():
    work = Empirical([0.5, 0.5, 1.0, 2.0])
    several = runs(Poisson(0.7, 20_000), work, servers=1)
    low, high = interval([run.mean_wait_s for run in several])
    assert low <= kingman_wait(0.7, 1.0, 1.0, work.scv) <= high


@pytest.mark.parametrize("n", [4, 16, 24, 40])
def test_closed_clients_get_what_the_repairman_says(n):
    clients = Clients(n, 10_000, think=Exponential(2.0))
    several = runs(clients, Exponential(1.0), servers=8)
    exact = repairman(n, 1.0, 8, 2.0)
    low, high = interval([run.mean_response_s for run in several])
    assert low <= exact.response_s <= high
    low, high = interval([run.throughput_per_s for run in several])
    assert low <= exact.throughput_per_s <= high * (1 + n / 9000)  # the last n run out


# The stories of overload: 8 servers, 1 s of work, half as much again as they can do


def overloaded(queue_size, **policy):
    run = simulate(
        Poisson(12.0, 20_000), SECOND, servers=8, queue_size=queue_size, deadline_s=4.0, **policy
    )
    return run.goodput_per_s / 8


def test_goodput_falls_off_a_cliff_where_the_queue_outlasts_the_deadline():
    cliff = 8 * (4 - 1)
    assert min(overloaded(q) for q in (8, 16, cliff)) > 0.95
    assert overloaded(64) < 0.25
    assert overloaded(64, overrun="zombie") < overloaded(64)


@pytest.mark.parametrize("discipline", [DeadlineSkip(1.0), Lifo(), CoDel(0.5, 4.0)])
def test_a_better_discipline_has_no_cliff(discipline):
    assert overloaded(64, discipline=discipline) > 0.94


def after_a_spike(queue_size, retry, discipline=FIFO):
    """Goodput over the base load, long after ten seconds in which it was several times as much."""
    rng = np.random.default_rng(5)
    base_s = np.cumsum(rng.exponential(1 / 5.6, 5600))
    arrivals = Times(np.sort(np.concatenate([base_s, rng.uniform(100, 110, 240)])))
    run = simulate(
        arrivals,
        SECOND,
        servers=8,
        queue_size=queue_size,
        deadline_s=4.0,
        retry=retry,
        discipline=discipline,
    )
    return run.after(300.0).goodput_per_s / 5.6


def test_retries_and_a_long_queue_keep_a_server_down_long_after_a_spike():
    retry = Retry(retries=3, backoff_s=0.5, jitter=1.0)
    assert after_a_spike(200, Retry()) > 0.95
    assert after_a_spike(200, retry) < 0.3


def test_a_short_queue_a_budget_or_the_deadline_skip_let_it_recover():
    retry = Retry(retries=3, backoff_s=0.5, jitter=1.0)
    assert after_a_spike(16, retry) > 0.95
    assert after_a_spike(200, Retry(retries=3, backoff_s=0.5, jitter=1.0, budget=0.1)) > 0.95
    assert after_a_spike(200, retry, DeadlineSkip(1.0)) > 0.95
