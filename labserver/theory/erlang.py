"""Erlang's two formulas, and how many servers they ask for.

Speaks of offered load in erlangs (a = λS), never of seconds.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labserver.theory.arguments import Floats, counts, floats, not_negative, plain, positive


def erlang_b(servers: ArrayLike, load: ArrayLike) -> Floats:
    """The share of Poisson arrivals that find all `servers` busy where nobody may wait (M/G/c/c).

    `servers` (whole, 0 or more) and `load` in erlangs (0 or more) broadcast to the result's shape.
    Raises ValueError for values outside these.

    Source: Erlang 1917. Here by its recursion, B₀ = 1, B_k = a·B_{k−1}/(k + a·B_{k−1}), which
    never leaves [0, 1], where the formula's aᶜ/c! passes any float.
    """
    counts(0, servers=servers)
    not_negative(load=load)
    c, a = np.broadcast_arrays(floats(servers), floats(load))
    blocked = np.ones(c.shape)
    for k in range(1, int(c.max(initial=0)) + 1):
        blocked = np.where(k <= c, _next_b(k, a, blocked), blocked)
    return plain(blocked)


def erlang_c(servers: ArrayLike, load: ArrayLike) -> Floats:
    """The share of Poisson arrivals that must wait for one of `servers` (M/M/c, endless queue).

    Arguments, shape and errors as for `erlang_b`, with 1 server at least. A load of as many erlangs
    as servers or more has no steady state; then all wait, and the result is 1.

    Source: Erlang 1917, as C = B/(1 − ρ(1 − B)); Harchol-Balter ch. 14.
    """
    counts(1, servers=servers)
    return _c_from_b(erlang_b(servers, load), floats(load) / floats(servers))


def servers_needed(load: ArrayLike, p_wait: float) -> NDArray[np.int64]:
    """The fewest servers with which at most the share `p_wait` of the arrivals must wait.

    `load` in erlangs, above 0 (any shape, which the result keeps); 0 < `p_wait` < 1. For large
    loads it grows as a + β√a (Halfin & Whitt 1981; Harchol-Balter ch. 15). Raises ValueError for
    values outside these.
    """
    positive(load=load)
    if not 0 < p_wait < 1:
        raise ValueError(f"p_wait must be between 0 and 1, got {p_wait}: no finite number gives 0")
    a = floats(load)
    needed, blocked = np.zeros(a.shape, dtype=np.int64), np.ones(a.shape)
    k = 0
    while not needed.all():
        k += 1
        blocked = _next_b(k, a, blocked)
        enough = _c_from_b(blocked, a / k) <= p_wait
        needed = np.where((needed == 0) & enough, k, needed)
    result: NDArray[np.int64] = needed[()]
    return result


def _next_b(k: int, load: Floats, blocked: Floats) -> Floats:
    return load * blocked / (k + load * blocked)


def _c_from_b(blocked: Floats, utilisation: Floats) -> Floats:
    rho = np.minimum(utilisation, 1)
    return blocked / (1 - rho + rho * blocked)  # as written here, exactly 1 from ρ = 1 on
