"""Shapes of load. Each is a type of its own, since each asks the server another question.

The two here have a concurrency; those of openloop.py have a rate.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import ClassVar

from labserver.bench.client import Send
from labserver.bench.openloop import OpenLoop, Spike, Step
from labserver.bench.records import NS_PER_S, Arrivals, Request
from labserver.errors import StartupError


@dataclass(frozen=True, slots=True)
class Burst:
    """`n` requests at one moment, and no more."""

    n: int
    rate_per_s: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"a burst has at least 1 request, not {self.n}")

    @property
    def concurrency(self) -> int:
        """Requests at once."""
        return self.n

    async def run(self, send: Send) -> list[Request]:
        """Send them all; all are intended for the moment at which this is called."""
        intended_ns = time.monotonic_ns()
        return list(await asyncio.gather(*(send(number, intended_ns) for number in range(self.n))))


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """`clients` who each send, wait for the answer, think for `think_s`, and send again.

    A closed loop slows down with its server: it cannot offer more than the server takes, so its
    latencies say nothing of what independent users would see. It ends after `rounds` requests a
    client or, when given, `seconds`: requests then under way are waited for.
    """

    clients: int
    think_s: float = 0.0
    rounds: int | None = None
    seconds: float | None = None
    rate_per_s: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if self.clients < 1 or self.think_s < 0:
            raise ValueError("a closed loop has at least 1 client and a think time of at least 0 s")
        if self.rounds is None and self.seconds is None:
            raise ValueError("a closed loop needs an end: rounds=… or seconds=…")

    @property
    def concurrency(self) -> int:
        """The most requests at once."""
        return self.clients

    async def run(self, send: Send) -> list[Request]:
        """Run every client to its end; a request is intended for when its client is ready."""
        start_ns = time.monotonic_ns()
        end_ns = None if self.seconds is None else start_ns + round(self.seconds * NS_PER_S)
        each = await asyncio.gather(*(self._client(n, send, end_ns) for n in range(self.clients)))
        return [request for requests in each for request in requests]

    async def _client(self, number: int, send: Send, end_ns: int | None) -> list[Request]:
        requests: list[Request] = []
        while not self._over(len(requests), end_ns):
            if requests and self.think_s:
                await asyncio.sleep(self.think_s)
            requests.append(await send(number, time.monotonic_ns()))
        return requests

    def _over(self, sent: int, end_ns: int | None) -> bool:
        if self.rounds is not None and sent >= self.rounds:
            return True
        return end_ns is not None and time.monotonic_ns() >= end_ns


Load = Burst | ClosedLoop | OpenLoop | Step | Spike

PULSE = re.compile(r"(?P<rate>[\d.]+)@(?P<at>[\d.]+)(\+(?P<lasts>[\d.]+))?")


def load_of(
    *,
    rate: float | None,
    clients: int | None,
    burst: int | None,
    seconds: float,
    arrivals: Arrivals,
    step: str | None,
    spike: str | None,
    think: float,
    seed: int,
) -> Load:
    """The load that command-line flags ask for.

    Raises StartupError when they ask for none, for two, or for one that makes no sense.
    """
    if sum(size is not None for size in (rate, clients, burst)) != 1:
        raise StartupError("a load is one of --rate R, --clients N and --burst N")
    if (step or spike) and (rate is None or (step and spike)):
        raise StartupError("--step and --spike change a --rate, and are one or the other")
    try:
        if burst is not None:
            return Burst(burst)
        if clients is not None:
            return ClosedLoop(clients, think, seconds=seconds)
        assert rate is not None
        if step is not None:
            then, at_s, _ = _pulse("--step", step)
            return Step(rate, then, at_s, seconds, arrivals, seed)
        if spike is not None:
            peak, at_s, lasts_s = _pulse("--spike", spike)
            return Spike(rate, peak, at_s, lasts_s, seconds, arrivals, seed)
        return OpenLoop(rate, seconds, arrivals, seed)
    except ValueError as error:
        raise StartupError(f"this is no load: {error}") from error


def _pulse(flag: str, text: str) -> tuple[float, float, float]:
    """ "20@5+2" as (20, 5, 2); what a step leaves off is 0."""
    found = PULSE.fullmatch(text)
    if found is None or (found["lasts"] is None) != (flag == "--step"):
        form = "RATE@SECOND" if flag == "--step" else "RATE@SECOND+SECONDS"
        raise StartupError(f"{flag} {text} is not {form}")
    return float(found["rate"]), float(found["at"]), float(found["lasts"] or 0)
