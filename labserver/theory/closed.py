"""Closed models: N clients, each of which waits for its answer before it thinks and asks again.

Bounds and an exact model of the sweep over N. Knows no refusals: no queue here is ever full.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from labserver.theory.arguments import Floats, counts, floats, not_negative, positive


def throughput_bound(n: ArrayLike, service_s: float, servers: int, think_s: float = 0.0) -> Floats:
    """The most that N clients can get: X ≤ min(N/(S + Z), m/S), in jobs per second.

    `n` clients (any shape, which the result keeps), a mean service time S of `service_s`, m
    `servers` (with more workers than cores: the cores) and a mean think time Z of `think_s`.
    Raises ValueError for n or servers below 1, service_s not above 0 or think_s below 0.

    Source: asymptotic bounds of operational analysis (Denning & Buzen 1978; Harchol-Balter ch. 7).
    """
    _check(n, service_s, servers, think_s)
    return np.minimum(floats(n) / (service_s + think_s), servers / service_s)


def response_bound(n: ArrayLike, service_s: float, servers: int, think_s: float = 0.0) -> Floats:
    """The least mean response time, in seconds: R ≥ max(S, N·S/m − Z).

    Arguments, shape, errors and source as for `throughput_bound`.
    """
    _check(n, service_s, servers, think_s)
    return np.maximum(service_s, floats(n) * service_s / servers - think_s)


def knee(service_s: float, servers: int, think_s: float = 0.0) -> float:
    """The number of clients N* = m(S + Z)/S at which the two bounds meet.

    With fewer, servers must idle; with more, clients must wait. Arguments, errors and source as
    for `throughput_bound`.
    """
    _check(1, service_s, servers, think_s)
    return servers * (service_s + think_s) / service_s


def service_inflation(running: ArrayLike, cores: int) -> Floats:
    """S(n)/S(1) = max(1, n/cores): what a job's own time grows by when `running` share the cores.

    `running` jobs at once (any shape, which the result keeps), each of them CPU-bound, on `cores`
    that are shared fairly. Raises ValueError for either below 1.
    """
    counts(1, running=running, cores=cores)
    return np.maximum(1.0, floats(running) / cores)


@dataclass(frozen=True, eq=False)
class Closed:
    """What a closed model says of each number of clients; every array has the shape of `n`.

    `response_s` = `wait_s` (in our queue, for a worker) + `process_s` (in a worker, where it is
    longer than the service time when workers share cores).
    """

    n: Floats
    throughput_per_s: Floats
    response_s: Floats
    wait_s: Floats
    process_s: Floats

    def __repr__(self) -> str:
        columns = (self.n, self.throughput_per_s, self.response_s, self.wait_s, self.process_s)
        rows = zip(*(np.ravel(column) for column in columns), strict=True)
        head = "    N   X, /s      R, s   wait, s   process, s"
        return "\n".join(
            [head, *("{:5.0f} {:7.4g} {:9.4g} {:9.4g} {:12.4g}".format(*r) for r in rows)]
        )


def repairman(
    n: ArrayLike,
    service_s: float,
    servers: int,
    think_s: float = 0.0,
    *,
    cores: int | None = None,
) -> Closed:
    """The exact mean throughput and times of M/M/c//N, the machine repairman.

    `n` clients (any shape, which the result's arrays keep) each think for a mean `think_s`, then
    ask one of `servers` for a mean `service_s` of work, both exponential; `think_s` = 0 is the
    limit in which all N are always with the servers. With fewer `cores` than servers, the jobs in
    service share the cores: n jobs are done at the rate min(n, m)/S, m = min(servers, cores), so
    the surplus workers add no throughput and move the wait from our queue into `process_s`.

    Raises ValueError for n, servers or cores below 1, service_s not above 0 or think_s below 0.

    Source: Kleinrock, *Queueing Systems* vol. 1, ch. 3 (finite customer population, m servers).
    """
    _check(n, service_s, servers, think_s)
    cores = servers if cores is None else cores
    counts(1, cores=cores)
    busy_at_most = min(servers, cores)
    clients = floats(n)
    solved = [_solve(int(k), service_s, servers, busy_at_most, think_s) for k in clients.flat]
    throughput, wait, process = np.array(solved).T.reshape(3, *clients.shape)
    return Closed(clients, throughput, wait + process, wait, process)


def _solve(
    n: int, service_s: float, servers: int, busy_at_most: int, think_s: float
) -> tuple[float, float, float]:
    """Throughput, wait and time in a worker, for one number of clients."""
    jobs = np.arange(n + 1)
    p = _probabilities(n, service_s, busy_at_most, think_s)
    throughput = float(np.minimum(jobs, busy_at_most) @ p) / service_s
    # By Little's law rather than R = N/X − Z, which cancels to noise when Z is far above R.
    in_workers = float(np.minimum(jobs, servers) @ p)
    waiting = float(np.maximum(jobs - servers, 0) @ p)
    return throughput, waiting / throughput, in_workers / throughput


def _probabilities(n: int, service_s: float, busy_at_most: int, think_s: float) -> Floats:
    """P(j of the n clients are with the servers), j = 0 … n."""
    jobs = np.arange(n)
    with np.errstate(divide="ignore"):  # log 0 = −∞ is what Z = 0 means: never fewer than n
        down = np.log(think_s / service_s) + np.log(np.minimum(jobs + 1, busy_at_most))
    # Counted down from j = n, p_j/p_{j+1} = Z·min(j + 1, m)/((n − j)·S), so that Z = 0 is no
    # special case; in logs, because the weights pass any float long before n = 1000.
    steps = down - np.log(n - jobs)
    weights = np.append(np.cumsum(steps[::-1])[::-1], 0.0)
    return np.asarray(softmax(weights))


def _check(n: ArrayLike, service_s: float, servers: int, think_s: float) -> None:
    counts(1, n=n, servers=servers)
    positive(service_s=service_s)
    not_negative(think_s=think_s)
