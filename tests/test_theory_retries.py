"""Retries: what they multiply a load by, and a policy's pauses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labserver.theory.retries import Retry, attempts, doomed


@given(st.floats(0, 0.99), st.integers(0, 20))
def test_attempts_are_the_closed_form(p, retries):
    assert attempts(p, retries) == pytest.approx((1 - p ** (retries + 1)) / (1 - p))


def test_attempts_at_the_ends():
    assert list(attempts([0.0, 1.0], 3)) == [1, 4]
    assert attempts(0.5, 0) == 1


def test_a_base_load_below_capacity_can_be_doomed_by_its_retries():
    assert list(doomed([0.2, 0.3, 0.7], 1.0, retries=3)) == [False, True, True]
    assert not doomed(0.7, 1.0, retries=0)
    assert not doomed(0.7, 1.0, retries=3, p_fail=0.1)


def test_pauses_double_and_jitter_only_shortens_them():
    policy = Retry(retries=3, backoff_s=0.5, jitter=1.0)
    assert [policy.pause_s(k, 0.0) for k in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert policy.pause_s(3, 0.75) == 0.5
    assert Retry(retries=1, backoff_s=0.5).pause_s(1, 0.9) == 0.5


def test_no_pause_is_shorter_than_what_the_server_asks_for():
    obedient = Retry(retries=3, backoff_s=0.5, jitter=1.0, least_s=0.8)
    assert [obedient.pause_s(k, 0.5) for k in (1, 2, 3)] == [0.8, 0.8, 1.0]


def test_a_bounded_budget_saves_up_a_burst_and_an_endless_one_everything():
    assert Retry(retries=3, budget=0.1, burst=7).most_tokens == 7
    assert Retry(retries=3).most_tokens == math.inf


@pytest.mark.parametrize(
    "arguments",
    [
        {"retries": -1},
        {"retries": 1.5},
        {"backoff_s": -1},
        {"jitter": 1.1},
        {"budget": -0.1},
        {"least_s": -1},
    ],
)
def test_an_impossible_policy_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Retry(**arguments)


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="probability"):
        attempts(p, 1)
