"""Little's law, L = X·W, and the L that it is checked with: an integral over events.

Takes the events as they were seen; assumes nothing about the queue behind them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labserver.theory.arguments import Floats, floats


def steps(enter_s: ArrayLike, leave_s: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """How many jobs were inside, as steps: (at_s, jobs), jobs[i] from at_s[i] to the next.

    `enter_s` and `leave_s` are flat, a job an element, in any order; the results have an element an
    event, in order of time. Raises ValueError when the lengths differ or a job leaves before it
    has entered.
    """
    enter, leave = floats(enter_s), floats(leave_s)
    if enter.ndim != 1 or enter.shape != leave.shape or not np.all(leave >= enter):
        raise ValueError("enter_s and leave_s must be flat, of one length, and enter ≤ leave")
    at_s = np.concatenate([enter, leave])
    change = np.repeat([1, -1], enter.size)
    order = np.argsort(at_s, kind="stable")
    return at_s[order], np.cumsum(change[order])


def mean_jobs(at_s: ArrayLike, jobs: ArrayLike, until_s: float) -> float:
    """L = ∫n dt / T of a step function: jobs[i] from at_s[i] to at_s[i+1], the last to `until_s`.

    `at_s` and `jobs` are flat and of one length; T is from the first event to `until_s`. Raises
    ValueError when the times do not ascend, or T is not above 0.

    Source of the law that it serves: Little 1961, L = X·W.
    """
    edges = np.append(floats(at_s), until_s)
    lasting = np.diff(edges)
    if lasting.size == 0 or np.any(lasting < 0) or edges[-1] <= edges[0]:
        raise ValueError("at_s must ascend and end before until_s; sort the events by time first")
    return float(floats(jobs) @ lasting / (edges[-1] - edges[0]))
