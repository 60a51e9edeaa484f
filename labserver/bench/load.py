"""Shapes of load. Each is a type of its own, since each asks the server another question."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from labserver.bench.client import Send
from labserver.bench.records import NS_PER_S, Request


@dataclass(frozen=True, slots=True)
class Burst:
    """`n` requests at one moment, and no more."""

    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"a burst has at least 1 request, not {self.n}")

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

    def __post_init__(self) -> None:
        if self.clients < 1 or self.think_s < 0:
            raise ValueError("a closed loop has at least 1 client and a think time of at least 0 s")
        if self.rounds is None and self.seconds is None:
            raise ValueError("a closed loop needs an end: rounds=… or seconds=…")

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


Load = Burst | ClosedLoop
