"""What is measured here, in about a second: who else is at work, and how exact clocks are."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import psutil

from labserver.bench.machine import usable_cores
from labserver.bench.sentinel import sentinel_ms
from labserver.doctor.finding import Finding, judged

LOOK_S = 0.5
BUSY_LIMIT, STEAL_LIMIT, SPREAD_LIMIT = 0.10, 0.01, 0.15
STEP_LIMIT_S = 1e-5
TIMER_S, TIMERS = 0.005, 100
LATE_MS, LATEST_MS = 2.0, 20.0
CLOCKSOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
SLOW_SOURCES = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")


def others() -> Finding:
    """How busy the machine is with what is not ours, for half a second and by its load average."""
    times = psutil.cpu_times_percent(interval=LOOK_S)
    stolen = getattr(times, "steal", 0.0) / 100
    return busy(1 - times.idle / 100 - stolen, stolen, psutil.getloadavg()[0], usable_cores())


def busy(share: float, stolen: float, load: float, cores: int) -> Finding:
    """The finding for the share of all cores that others use, and that a hypervisor takes."""
    said = f"{share:.0%} of the cores are busy, load average {load:.1f} on {cores}"
    remedies = []
    if share > BUSY_LIMIT or load > cores / 2:
        remedies.append("close other programs, or wait until they are done")
    if stolen > STEAL_LIMIT:
        said += f"; {stolen:.0%} taken by other virtual machines"
        remedies.append("another virtual machine uses these cores: measure elsewhere, or repeat")
    return judged("other work", said, warn="; ".join(remedies))


def steady() -> Finding:
    """How much the same small piece of work on all cores differs from one time to the next."""
    return rounds(sentinel_ms())


def rounds(raw_ms: list[float]) -> Finding:
    """The finding for the rounds of the sentinel, the same work each."""
    spread = float(np.median(raw_ms)) / min(raw_ms) - 1
    said = f"the same work {len(raw_ms)} times: the median is {spread:.0%} above the shortest"
    remedy = "something else takes the cores now and then: repeat it, and look at the load"
    return judged("steadiness", said, warn=remedy if spread > SPREAD_LIMIT else "")


def clock(source: Path = CLOCKSOURCE) -> Finding:
    """How finely time can be told, and what tells it."""
    name = source.read_text().strip() if source.is_file() else ""
    return resolution(_step_s(), name)


def resolution(step_s: float, source: str) -> Finding:
    """The finding for a clock that goes in such steps."""
    said = f"monotonic, in steps of {1e6 * step_s:.3g} µs" + (f" ({source})" if source else "")
    remedies = []
    if step_s > STEP_LIMIT_S:
        remedies.append("times below a few of these steps say nothing: take longer jobs")
    if source in SLOW_SOURCES:
        remedies.append("each look at this clock costs a microsecond: boot with clocksource=tsc")
    return judged("clock", said, warn="; ".join(remedies))


def _step_s() -> float:
    """The shortest step that the clock was seen to take; its own claim is often too good."""
    steps = []
    for _ in range(200):
        before = after = time.monotonic_ns()
        while after == before:
            after = time.monotonic_ns()
        steps.append(after - before)
    return min(steps) / 1e9


def loop_timers() -> Finding:
    """How late asyncio's timers are on an idle loop."""
    return lateness(asyncio.run(_late_ms()))


def lateness(late_ms: list[float]) -> Finding:
    """The finding for timers that were late by so much."""
    median, latest = float(np.median(late_ms)), max(late_ms)
    said = f"late by {median:.2f} ms in the median, {latest:.1f} ms at most, of {len(late_ms)}"
    late = median > LATE_MS or latest > LATEST_MS
    remedy = (
        "open loads will send late, and the run will say so: close other programs; on Windows "
        "the timers' grain is 15.6 ms, so take jobs of a second or more"
    )
    return judged("loop timers", said, warn=remedy if late else "")


async def _late_ms() -> list[float]:
    late_ms = []
    for _ in range(TIMERS):
        due_s = time.perf_counter() + TIMER_S
        await asyncio.sleep(TIMER_S)
        late_ms.append(1000 * (time.perf_counter() - due_s))
    return late_ms
