"""Loads with a concurrency, and what the flags of a load mean."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest

from labserver.bench.load import Burst, ClosedLoop, Load, load_of
from labserver.bench.openloop import OpenLoop, Spike, Step
from labserver.bench.records import Request
from labserver.errors import StartupError


class Fake:
    """A server that answers a client when the test has seen everyone it waits for."""

    def __init__(self, together: int = 1) -> None:
        self.barrier = asyncio.Barrier(together)
        self.clients: list[int] = []
        self.inside = 0
        self.most_inside = 0

    async def send(self, client: int, intended_ns: int) -> Request:
        self.clients.append(client)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        sent_ns = time.monotonic_ns()
        async with asyncio.timeout(10):
            await self.barrier.wait()
        self.inside -= 1
        done_ns = time.monotonic_ns()
        return Request(0, "", "measured", client, intended_ns, sent_ns, done_ns, 200)


def test_a_burst_is_all_at_once_and_meant_for_one_moment() -> None:
    async def story() -> None:
        fake = Fake(together=5)
        requests = await Burst(5).run(fake.send)
        assert fake.most_inside == 5
        assert sorted(fake.clients) == [0, 1, 2, 3, 4]
        assert len({request.intended_ns for request in requests}) == 1

    asyncio.run(story())


def test_a_closed_loop_has_each_client_wait_for_its_answer() -> None:
    async def story() -> None:
        fake = Fake(together=3)
        requests = await ClosedLoop(3, rounds=4).run(fake.send)
        assert len(requests) == 12
        assert fake.most_inside == 3
        for client in range(3):
            own = [request for request in requests if request.client == client]
            assert all(a.done_ns <= b.intended_ns for a, b in itertools.pairwise(own))

    asyncio.run(story())


def test_a_closed_loop_thinks_between_its_requests() -> None:
    async def story() -> None:
        requests = await ClosedLoop(1, think_s=0.02, rounds=3).run(Fake().send)
        for before, after in itertools.pairwise(requests):
            assert after.intended_ns - before.done_ns >= 0.02e9

    asyncio.run(story())


def test_a_closed_loop_ends_with_its_time() -> None:
    async def story() -> None:
        start_ns = time.monotonic_ns()
        requests = await ClosedLoop(2, think_s=0.001, seconds=0.05).run(Fake().send)
        assert {request.client for request in requests} == {0, 1}
        assert all(request.intended_ns - start_ns < 1e9 for request in requests)

    asyncio.run(story())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Burst(0),
        lambda: ClosedLoop(0, rounds=1),
        lambda: ClosedLoop(1, think_s=-1, rounds=1),
        lambda: ClosedLoop(1),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"at least|needs an end"):
        make()


def asked(**flags: object) -> Load:
    given: dict[str, object] = {
        "rate": None, "clients": None, "burst": None, "seconds": 30.0, "arrivals": "poisson",
        "step": None, "spike": None, "think": 0.0, "seed": 0,
    }  # fmt: skip
    return load_of(**(given | flags))  # type: ignore[arg-type]


def test_flags_ask_for_a_load() -> None:
    assert asked(burst=3) == Burst(3)
    assert asked(clients=2, think=1.0) == ClosedLoop(2, 1.0, seconds=30.0)
    assert asked(rate=5.0, arrivals="even", seed=3) == OpenLoop(5.0, 30.0, "even", 3)
    assert asked(rate=5.0, step="20@4") == Step(5.0, 20.0, 4.0, 30.0)
    assert asked(rate=5.0, spike="20@4+2.5") == Spike(5.0, 20.0, 4.0, 2.5, 30.0)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({}, "one of --rate R"),
        ({"rate": 1.0, "burst": 1}, "one of --rate R"),
        ({"clients": 1, "spike": "2@3+4"}, "change a --rate"),
        ({"rate": 1.0, "step": "2@3", "spike": "2@3+4"}, "one or the other"),
        ({"rate": 1.0, "step": "2"}, "--step 2 is not RATE@SECOND"),
        ({"rate": 1.0, "spike": "2@3"}, r"is not RATE@SECOND\+SECONDS"),
        ({"rate": 1.0, "spike": "2@20+20"}, "lasts more than 0 s"),
        ({"rate": -1.0}, "at least 0/s"),
        ({"clients": 0}, "at least 1 client"),
    ],
)
def test_flags_that_ask_for_no_load_say_why(flags: dict[str, object], said: str) -> None:
    with pytest.raises(StartupError, match=said):
        asked(**flags)
