"""Little's law: the integral over events, and that it is X·W."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labserver.theory.little import mean_jobs, steps


def test_steps_count_those_inside():
    at_s, jobs = steps([0.0, 1.0], [3.0, 2.0])
    assert list(at_s) == [0, 1, 2, 3]
    assert list(jobs) == [1, 2, 1, 0]


def test_the_integral_by_hand():
    assert mean_jobs([0.0, 1.0, 2.0, 3.0], [1, 2, 1, 0], until_s=8.0) == 0.5


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=50))
def test_little_holds_for_any_events(visits):
    enter_s, stay_s = np.array(visits).T
    at_s, jobs = steps(enter_s, enter_s + stay_s)
    lasted_s = 200.0 - at_s[0]
    throughput_per_s, response_s = len(visits) / lasted_s, stay_s.mean()
    assert mean_jobs(at_s, jobs, 200.0) == pytest.approx(throughput_per_s * response_s, abs=1e-9)


def test_who_leaves_before_entering_is_refused():
    with pytest.raises(ValueError, match="enter"):
        steps([1.0], [0.5])


@pytest.mark.parametrize(("at_s", "until_s"), [([1.0, 0.0], 2.0), ([0.0, 3.0], 2.0), ([], 1.0)])
def test_time_must_run_forward(at_s, until_s):
    with pytest.raises(ValueError, match="sort"):
        mean_jobs(at_s, np.zeros(len(at_s)), until_s)
