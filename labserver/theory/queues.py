"""Open queues: jobs that arrive at a rate of their own, whoever is already waiting.

Mean waits and refusals of c servers before one queue. Knows no deadlines, retries or policies.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from labserver.theory.arguments import Floats, counts, floats, not_negative, plain, positive
from labserver.theory.erlang import erlang_c


def mmc_wait(rate_per_s: ArrayLike, service_s: float, servers: int) -> Floats:
    """The mean wait in seconds of M/M/c, Wq = C·S/(c(1 − ρ)).

    Poisson arrivals at `rate_per_s` λ (any shape, which the result keeps), exponential work of
    mean `service_s` S, c `servers`, an endless queue, ρ = λS/c. At ρ ≥ 1 that has no steady state,
    and the mean wait is inf, so that a curve may run past ρ = 1. Raises ValueError for a rate or
    service time not above 0, or servers below 1.

    Source: Erlang 1917; Harchol-Balter ch. 14.
    """
    rho = _utilisation(rate_per_s, service_s, servers)
    with np.errstate(divide="ignore"):
        wait = erlang_c(servers, rho * servers) * service_s / (servers * (1 - rho))
    return plain(np.where(rho < 1, wait, np.inf))


def mmc_wait_exceeds(
    t_s: ArrayLike, rate_per_s: ArrayLike, service_s: float, servers: int
) -> Floats:
    """P(Wq > t) of M/M/c with first come, first served: C·exp(−c(1 − ρ)t/S); 1 at ρ ≥ 1.

    `t_s` in seconds, 0 or more, and `rate_per_s` broadcast to the result's shape. Arguments and
    errors else as for `mmc_wait`.

    Source: Harchol-Balter ch. 14; Kleinrock vol. 1.
    """
    not_negative(t_s=t_s)
    rho = _utilisation(rate_per_s, service_s, servers)
    drain_per_s = servers * np.maximum(1 - rho, 0) / service_s
    return erlang_c(servers, rho * servers) * np.exp(-drain_per_s * floats(t_s))


def kingman_wait(
    rate_per_s: ArrayLike, service_s: float, arrival_scv: float, service_scv: float
) -> Floats:
    """The mean wait in seconds of G/G/1, about ρ/(1 − ρ)·(ca² + cs²)/2·S.

    `arrival_scv` and `service_scv` (0 or more) are squared coefficients of variation, variance
    over mean², of the gaps between arrivals and of the service times: 0 fixed, 1 exponential.
    Exact for M/G/1, an approximation else, the better the nearer ρ is to 1. Arguments, shape and
    errors else as for `mmc_wait`, with one server.

    Source: Kingman 1961, the heavy-traffic limit with the factor ρ that makes M/G/1 exact.
    """
    return allen_cunneen_wait(rate_per_s, service_s, 1, arrival_scv, service_scv)


def allen_cunneen_wait(
    rate_per_s: ArrayLike,
    service_s: float,
    servers: int,
    arrival_scv: float,
    service_scv: float,
) -> Floats:
    """The mean wait in seconds of G/G/c, about Wq(M/M/c)·(ca² + cs²)/2.

    The variations as in `kingman_wait`, all else as for `mmc_wait`.

    Source: Allen & Cunneen, in Allen, *Probability, Statistics, and Queueing Theory*.
    """
    not_negative(arrival_scv=arrival_scv, service_scv=service_scv)
    wait = mmc_wait(rate_per_s, service_s, servers)
    variation = (arrival_scv + service_scv) / 2
    with np.errstate(invalid="ignore"):  # ∞·0: without variation, too, there is no steady state
        return plain(np.where(np.isinf(wait), np.inf, wait * variation))


def mdc_wait(rate_per_s: ArrayLike, service_s: float, servers: int) -> Floats:
    """The mean wait in seconds of M/D/c, in which every job is the same work.

    About ½·Wq(M/M/c)·[1 + (1 − ρ)(c − 1)(√(4 + 5c) − 2)/(16ρc)]; exact for c = 1, within 1 % for
    c ≤ 8 and ρ ≥ 0.5.

    Source: Cosmetatos 1976.
    """
    rho = _utilisation(rate_per_s, service_s, servers)
    idle = np.maximum(1 - rho, 0)
    correction = idle * (servers - 1) * (math.sqrt(4 + 5 * servers) - 2) / (16 * rho * servers)
    return mmc_wait(rate_per_s, service_s, servers) / 2 * (1 + correction)


@dataclass(frozen=True, eq=False)
class Mmck:
    """The steady state of M/M/c/K: arrays of the shape of the rates.

    `p` has one axis more, the last: p[..., n] is the probability of n jobs in the house, 0 … K.
    `p_reject` is the share of the arrivals that are refused, `throughput_per_s` the rate of those
    let in, `wait_s` their mean wait.
    """

    p: Floats = field(repr=False)
    p_reject: Floats
    throughput_per_s: Floats
    wait_s: Floats


def mmck(rate_per_s: ArrayLike, service_s: float, servers: int, queue_size: int) -> Mmck:
    """M/M/c/K, K = c + Q: c servers before which `queue_size` Q (0 or more) jobs may wait.

    p_n ∝ ∏_{i≤n} a/min(i, c), a = λS; an arrival is refused with p_K; X = λ(1 − p_K); the mean
    wait is Σ_{n>c} (n − c)·p_n / X. There is a steady state at every ρ. Arguments and errors else
    as for `mmc_wait`.

    Source: Kleinrock vol. 1, ch. 3; p_K for Q = 0 is Erlang's B.
    """
    counts(0, queue_size=queue_size)
    load = _utilisation(rate_per_s, service_s, servers) * servers
    n = np.arange(servers + queue_size + 1)
    # In logs: aⁿ/n! passes any float long before c = 1000.
    steps = np.log(load)[..., np.newaxis] - np.log(np.clip(n, 1, servers))
    steps[..., 0] = 0
    p: Floats = softmax(np.cumsum(steps, axis=-1), axis=-1)
    # What the servers do, rather than λ(1 − p_K), which loses its digits as p_K nears 1.
    throughput: Floats = p @ np.minimum(n, servers) / service_s
    wait: Floats = p @ np.maximum(n - servers, 0) / throughput
    return Mmck(p, plain(p[..., -1]), throughput, wait)


def fluid_reject(rate_per_s: ArrayLike, service_s: float, servers: int) -> Floats:
    """The share refused where work flows as water: 1 − 1/ρ above ρ = 1, else none.

    What any long queue tends to, whatever the distributions: what the servers cannot do must go.
    Arguments, shape and errors as for `mmc_wait`.
    """
    return np.maximum(1 - 1 / _utilisation(rate_per_s, service_s, servers), 0)


def fluid_wait(rate_per_s: ArrayLike, service_s: float, servers: int, queue_size: int) -> Floats:
    """The wait where work flows as water: behind a full queue, Q·S/c s, above ρ = 1, else none.

    `queue_size` Q as for `mmck`; arguments, shape and errors else as for `mmc_wait`.
    """
    counts(0, queue_size=queue_size)
    overloaded = _utilisation(rate_per_s, service_s, servers) > 1
    return plain(np.where(overloaded, queue_size * service_s / servers, 0.0))


def _utilisation(rate_per_s: ArrayLike, service_s: float, servers: int) -> Floats:
    counts(1, servers=servers)
    positive(rate_per_s=rate_per_s, service_s=service_s)
    return floats(rate_per_s) * service_s / servers
