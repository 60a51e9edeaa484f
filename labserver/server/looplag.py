"""How late the event loop wakes: what every other request on it waits before it is seen."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from labserver.server.wire import LagStats

PERIOD_S = 0.05
WINDOW = 1200  # samples kept: the last minute


class LoopLag:
    """Sleeps for a fixed time, over and over, and notes by how much each sleep was too long."""

    def __init__(self, on_sample: Callable[[int, float], None]) -> None:
        self._on_sample = on_sample
        self._samples_ms: deque[float] = deque(maxlen=WINDOW)

    async def run(self) -> None:
        """Sample until cancelled; `on_sample(t_ns, lag_ms)` is called for each."""
        while True:
            start_ns = time.monotonic_ns()
            await asyncio.sleep(PERIOD_S)
            now_ns = time.monotonic_ns()
            lag_ms = max(0.0, (now_ns - start_ns) / 1e6 - PERIOD_S * 1e3)
            self._samples_ms.append(lag_ms)
            self._on_sample(now_ns, lag_ms)

    def stats(self) -> LagStats:
        """The nearest-rank quantiles of the samples kept; zeros before the first."""
        ordered = sorted(self._samples_ms) or [0.0]
        last = len(ordered) - 1
        return LagStats(p50=ordered[last // 2], p99=ordered[round(0.99 * last)], max=ordered[last])
