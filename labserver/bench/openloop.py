"""Open loads: requests come when they are due, whatever became of those before them."""

# Latency counts from the time at which a request is due. A generator that waits for an answer
# before it sends the next stops asking just when the server is slow, and so leaves out the
# latencies that its users would have had: Tene's "coordinated omission" (wrk2's README).

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from labserver.bench.client import Send
from labserver.bench.records import NS_PER_S, Arrivals, Request
from labserver.bench.schedule import Piece, schedule_s


class Scheduled:
    """A load whose every request is due at a time fixed beforehand, so that their number is too.

    Requests under way are not limited: a limit would be the closed loop by the back door.
    """

    __slots__ = ()
    concurrency: ClassVar[int] = 0
    arrivals: Arrivals
    seed: int

    def pieces(self) -> Sequence[Piece]:
        """Its rates, one after the other."""
        raise NotImplementedError

    def times_s(self) -> NDArray[np.float64]:
        """When each request is due, in seconds from the start; the same for the same seed."""
        return schedule_s(self.pieces(), self.arrivals, self.seed)

    async def run(self, send: Send) -> list[Request]:
        """Send each when it is due, and wait for the last answer."""
        due_ns = (self.times_s() * NS_PER_S).astype(np.int64)
        start_ns = time.monotonic_ns()
        async with asyncio.TaskGroup() as under_way:
            tasks = []
            for number, after_ns in enumerate(due_ns.tolist()):
                intended_ns = start_ns + after_ns
                if (early_ns := intended_ns - time.monotonic_ns()) > 0:
                    await asyncio.sleep(early_ns / NS_PER_S)
                tasks.append(under_way.create_task(send(number, intended_ns)))
        return [task.result() for task in tasks]


@dataclass(frozen=True, slots=True)
class OpenLoop(Scheduled):
    """`rate_per_s` for `seconds`, as from many users who do not know of each other.

    `arrivals` are "poisson", or "even": one every 1/rate.
    """

    rate_per_s: float
    seconds: float
    arrivals: Arrivals = "poisson"
    seed: int = 0

    def __post_init__(self) -> None:
        self.pieces()

    def pieces(self) -> list[Piece]:
        """The one rate."""
        return [Piece(self.rate_per_s, self.seconds)]


@dataclass(frozen=True, slots=True)
class Step(Scheduled):
    """`rate_per_s`, and from `at_s` on `then_per_s`, up to `seconds`."""

    rate_per_s: float
    then_per_s: float
    at_s: float
    seconds: float
    arrivals: Arrivals = "poisson"
    seed: int = 0

    def __post_init__(self) -> None:
        self.pieces()

    def pieces(self) -> list[Piece]:
        """Before and after the step."""
        return [
            Piece(self.rate_per_s, self.at_s),
            Piece(self.then_per_s, self.seconds - self.at_s),
        ]


@dataclass(frozen=True, slots=True)
class Spike(Scheduled):
    """`rate_per_s` for `seconds`, but for `spike_s` from `at_s` on it is `spike_per_s`."""

    rate_per_s: float
    spike_per_s: float
    at_s: float
    spike_s: float
    seconds: float
    arrivals: Arrivals = "poisson"
    seed: int = 0

    def __post_init__(self) -> None:
        self.pieces()

    def pieces(self) -> list[Piece]:
        """Before, during and after the spike."""
        return [
            Piece(self.rate_per_s, self.at_s),
            Piece(self.spike_per_s, self.spike_s),
            Piece(self.rate_per_s, self.seconds - self.at_s - self.spike_s),
        ]
