"""Open loads: when each request is due, and that nothing keeps the next from being sent."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from labserver.bench.openloop import OpenLoop, Spike, Step
from labserver.bench.records import Request


class Server:
    """Answers nobody until it has seen as many requests as it waits for."""

    def __init__(self, together: int) -> None:
        self.barrier = asyncio.Barrier(together)

    async def send(self, client: int, intended_ns: int) -> Request:
        sent_ns = time.monotonic_ns()
        async with asyncio.timeout(10):
            await self.barrier.wait()
        done_ns = time.monotonic_ns()
        return Request(client, "", "measured", client, intended_ns, sent_ns, done_ns, 200)


def test_even_arrivals_are_one_every_1_over_rate() -> None:
    times_s = OpenLoop(4, 2, "even").times_s()
    assert times_s.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]


def test_poisson_arrivals_have_exponential_gaps_at_the_rate() -> None:
    times_s = OpenLoop(50, 200, seed=3).times_s()
    assert abs(len(times_s) - 10_000) < 4 * 10_000**0.5
    assert (times_s >= 0).all()
    assert (times_s < 200).all()
    gaps_s = np.diff(times_s)
    assert (gaps_s >= 0).all()
    assert stats.kstest(gaps_s, stats.expon(scale=1 / 50).cdf).pvalue > 0.001


def test_a_seed_decides_the_arrivals() -> None:
    assert (OpenLoop(5, 9, seed=1).times_s() == OpenLoop(5, 9, seed=1).times_s()).all()
    assert OpenLoop(5, 9, seed=1).times_s().tolist() != OpenLoop(5, 9, seed=2).times_s().tolist()


def count(times_s: np.ndarray, from_s: float, to_s: float) -> int:
    return int(((times_s >= from_s) & (times_s < to_s)).sum())


def test_a_step_goes_on_at_its_second_rate() -> None:
    times_s = Step(2, 10, at_s=3, seconds=5, arrivals="even").times_s()
    assert (count(times_s, 0, 3), count(times_s, 3, 5), len(times_s)) == (6, 20, 26)


def test_a_spike_comes_back_to_its_base() -> None:
    times_s = Spike(2, 20, at_s=3, spike_s=1, seconds=10, arrivals="even").times_s()
    assert [count(times_s, *part) for part in ((0, 3), (3, 4), (4, 10))] == [6, 20, 12]
    assert (np.diff(times_s) > 0).all()


def test_a_spike_of_nothing_is_a_pause() -> None:
    times_s = Spike(10, 0, at_s=1, spike_s=2, seconds=4).times_s()
    assert count(times_s, 1, 3) == 0
    assert count(times_s, 0, 1) > 0


def test_requests_are_sent_while_those_before_them_wait() -> None:
    """The server answers the first only when it has the last."""

    async def story() -> None:
        load = OpenLoop(200, 0.1, "even")
        requests = await load.run(Server(together=20).send)
        first_ns = requests[0].intended_ns
        due_s = [(request.intended_ns - first_ns) / 1e9 for request in requests]
        assert due_s == pytest.approx(load.times_s().tolist(), abs=1e-8)
        assert [request.client for request in requests] == list(range(20))
        assert all(request.sent_ns >= request.intended_ns for request in requests)

    asyncio.run(story())


def test_a_late_generator_still_counts_from_the_intended_time() -> None:
    """A loop blocked for a while is late with all that were due; their latency says so."""

    async def story() -> None:
        async def blocking(client: int, intended_ns: int) -> Request:
            sent_ns = time.monotonic_ns()
            until_ns = sent_ns + 30_000_000
            while client == 0 and time.monotonic_ns() < until_ns:
                pass
            return Request(
                client, "", "measured", client, intended_ns, sent_ns, time.monotonic_ns(), 200
            )

        requests = await OpenLoop(1000, 0.01, "even").run(blocking)
        blocked_ns = requests[0].done_ns
        assert all(request.sent_ns >= blocked_ns for request in requests[1:])
        gaps_ns = {b.intended_ns - a.intended_ns for a, b in itertools.pairwise(requests)}
        assert gaps_ns == {1_000_000}

    asyncio.run(story())


def test_no_arrival_is_no_request() -> None:
    assert asyncio.run(OpenLoop(0, 0.01).run(None)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: OpenLoop(-1, 1),
        lambda: OpenLoop(1, 0),
        lambda: OpenLoop(float("inf"), 1),
        lambda: Step(1, 2, at_s=3, seconds=3),
        lambda: Spike(1, 2, at_s=3, spike_s=3, seconds=5),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="lasts more than 0 s"):
        make()
