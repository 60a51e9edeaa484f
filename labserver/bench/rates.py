"""Open-loop points in units of what this server can do, which is measured first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from labserver.bench.load import Burst, ClosedLoop
from labserver.bench.openloop import OpenLoop
from labserver.bench.progress import bar
from labserver.bench.recording import Recording
from labserver.bench.records import NS_PER_S, Arrivals, JobType, Request
from labserver.errors import StartupError
from labserver.settings import Settings

REPEATS = 2
ALONE = 3  # jobs, one after the other, that give S
ROUNDS = 3  # jobs a client while the capacity is measured, at least
CAPACITY_S = 10.0  # how long that takes where jobs are short: times that vary want many of them


@dataclass(frozen=True, slots=True)
class RatePlan:
    """Which rates, in units of the capacity, for how long each, how often, in an order by `seed`.

    `seconds` is one time for all rates, or one for each: a queue near its capacity needs longer
    than others to show its mean. Each repeat of a rate has arrivals of its own. The capacity is
    measured before them, unless one is given: a few jobs of random lengths tell little of their
    mean.
    """

    rates: tuple[float, ...]
    seconds: float | tuple[float, ...] = 30.0
    repeats: int = REPEATS
    arrivals: Arrivals = "poisson"
    job: JobType = "pdf2image"
    mode: Literal["quick", "full", "custom"] = "custom"
    seed: int = 0
    capacity_per_s: float | None = None

    def __post_init__(self) -> None:
        if not self.rates or min(self.rates) <= 0 or len(set(self.rates)) < len(self.rates):
            raise StartupError("a sweep of rates wants rates above 0, each once")
        if self.repeats < 1:
            raise StartupError("a sweep of rates wants 1 repeat at least")
        if len(self.each_s) != len(self.rates) or not min(self.each_s) > 0:
            raise StartupError("a sweep of rates wants one time above 0 s, or one for each rate")

    @property
    def each_s(self) -> tuple[float, ...]:
        """How long each rate is kept up, in their order."""
        if isinstance(self.seconds, tuple):
            return self.seconds
        return (self.seconds,) * len(self.rates)

    def loads(self, capacity_per_s: float) -> list[tuple[OpenLoop, int]]:
        """(load, repeat), shuffled: a drift of the machine then favours none of them."""
        each = list(zip(self.rates, self.each_s, strict=True))
        points = [(rate, lasts_s, r + 1) for r in range(self.repeats) for rate, lasts_s in each]
        seeds = np.random.SeedSequence(self.seed).generate_state(len(points)).tolist()
        loads = [
            (OpenLoop(rate * capacity_per_s, lasts_s, self.arrivals, seed), repeat)
            for (rate, lasts_s, repeat), seed in zip(points, seeds, strict=True)
        ]
        random.Random(self.seed).shuffle(loads)
        return loads


def rate_plan_of(
    rates: str, *, seconds: str, repeats: int | None, arrivals: Arrivals, seed: int
) -> RatePlan:
    """The plan that command-line flags ask for. Raises StartupError when they make no sense."""
    levels, each_s = _numbers("--rate", rates), _numbers("--seconds", seconds)
    often = REPEATS if repeats is None else repeats
    return RatePlan(levels, each_s[0] if len(each_s) == 1 else each_s, often, arrivals, seed=seed)


def _numbers(flag: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise StartupError(f"{flag} {text} is not like 0.5,0.8,1.2") from error


async def measure_rates(
    plan: RatePlan, recording: Recording, settings: Settings, progress: bool
) -> None:
    """A warm-up, the calibration if there is none yet, then every point of the plan."""
    job = {"data": "sweep", "jobType": plan.job}
    await recording.cell(Burst(1), job, 0, "warmup")
    capacity_per_s = plan.capacity_per_s
    if capacity_per_s is None:
        alone = await recording.cell(ClosedLoop(1, rounds=ALONE), job, 1, "calibration")
        many = crowd(*pool_of(settings, plan.job), alone, min(CAPACITY_S, max(plan.each_s)))
        crowded = await recording.cell(many, job, 1, "calibration")
        capacity_per_s = busy_rate_per_s(crowded, pool_of(settings, plan.job)[0])
    recording.client["capacity_per_s"] = capacity_per_s
    points = plan.loads(capacity_per_s)
    with bar(points, unit="point", shown=progress) as done:
        for load, repeat in done:
            done.set_description(f"{load.rate_per_s:.3g}/s")
            await recording.cell(load, job, repeat, "measured")


def pool_of(settings: Settings, job: JobType) -> tuple[int, int]:
    """The workers that do such a job, and the places before them."""
    if job == "message":
        return settings.message_workers, settings.message_workers * settings.message_queue_size
    return settings.pdf_workers, settings.pdf_workers * settings.pdf_queue_size


def crowd(workers: int, places: int, alone: Sequence[Request], for_s: float) -> ClosedLoop:
    """A load under which no worker ever waits for a job, so that it shows what they can do.

    It goes on for `for_s`, or longer where so short a time would hold fewer than `ROUNDS` jobs a
    client like the longest of those that were `alone`.
    """
    clients = workers + min(workers, places)
    longest_s = max(request.done_ns - request.sent_ns for request in alone) / NS_PER_S
    if ROUNDS * longest_s * clients / workers > for_s:
        return ClosedLoop(clients, rounds=ROUNDS)
    return ClosedLoop(clients, seconds=for_s)


def busy_rate_per_s(answers: Sequence[Request], workers: int) -> float:
    """c/S of jobs during which all c workers were busy: up to the last request that was sent.

    It takes the service times and not the count of the replies, which depends on where among the
    last replies one stops to count. Raises StartupError when none completed.
    """
    until_ns = max(request.sent_ns for request in answers)
    busy = [r for r in answers if r.done_ns <= until_ns and r.status == 200]
    busy = busy or [r for r in answers if r.status == 200]
    if not busy:
        raise StartupError(
            "no job completed while the capacity was measured: give the jobs a longer deadline"
        )
    return 1000 * workers / float(np.mean([request.process_ms for request in busy]))
