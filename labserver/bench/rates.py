"""Open-loop points in units of what this server can do, which is measured first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from tqdm import tqdm

from labserver.bench.load import Burst, ClosedLoop
from labserver.bench.openloop import OpenLoop
from labserver.bench.recording import Recording
from labserver.bench.records import Arrivals, JobType, Request
from labserver.errors import StartupError
from labserver.settings import Settings

REPEATS = 2
ALONE = 3  # jobs, one after the other, that give S
ROUNDS = 3  # jobs a client while the capacity is measured


@dataclass(frozen=True, slots=True)
class RatePlan:
    """Which rates, in units of the capacity, for how long each, how often, in an order by `seed`.

    Each repeat of a rate has arrivals of its own.
    """

    rates: tuple[float, ...]
    seconds: float = 30.0
    repeats: int = REPEATS
    arrivals: Arrivals = "poisson"
    job: JobType = "pdf2image"
    mode: Literal["quick", "full", "custom"] = "custom"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.rates or min(self.rates) <= 0 or self.repeats < 1 or not self.seconds > 0:
            raise StartupError("a sweep of rates wants rates and seconds above 0, and 1 repeat")

    def loads(self, capacity_per_s: float) -> list[tuple[OpenLoop, int]]:
        """(load, repeat), shuffled: a drift of the machine then favours none of them."""
        points = [(rate, r + 1) for r in range(self.repeats) for rate in self.rates]
        seeds = np.random.SeedSequence(self.seed).generate_state(len(points)).tolist()
        loads = [
            (OpenLoop(rate * capacity_per_s, self.seconds, self.arrivals, seed), repeat)
            for (rate, repeat), seed in zip(points, seeds, strict=True)
        ]
        random.Random(self.seed).shuffle(loads)
        return loads


def rate_plan_of(
    rates: str, *, seconds: float, repeats: int | None, arrivals: Arrivals, seed: int
) -> RatePlan:
    """The plan that command-line flags ask for. Raises StartupError when they make no sense."""
    try:
        levels = tuple(sorted({float(rate) for rate in rates.split(",")}))
    except ValueError as error:
        raise StartupError(f"--rate {rates} is not like 0.5,0.8,1.2") from error
    often = REPEATS if repeats is None else repeats
    return RatePlan(levels, seconds, often, arrivals, seed=seed)


async def measure_rates(
    plan: RatePlan, recording: Recording, settings: Settings, progress: bool
) -> None:
    """A warm-up, the calibration, then every point of the plan."""
    job = {"data": "sweep", "jobType": plan.job}
    await recording.cell(Burst(1), job, 0, "warmup")
    await recording.cell(ClosedLoop(1, rounds=ALONE), job, 1, "calibration")
    capacity_per_s = await capacity(recording, job, *pool_of(settings, plan.job))
    recording.client["capacity_per_s"] = capacity_per_s
    points = plan.loads(capacity_per_s)
    with tqdm(points, unit="point", disable=None if progress else True, leave=False) as bar:
        for load, repeat in bar:
            bar.set_description(f"{load.rate_per_s:.3g}/s")
            await recording.cell(load, job, repeat, "measured")


def pool_of(settings: Settings, job: JobType) -> tuple[int, int]:
    """The workers that do such a job, and the places before them."""
    if job == "message":
        return settings.message_workers, settings.message_workers * settings.message_queue_size
    return settings.pdf_workers, settings.pdf_workers * settings.pdf_queue_size


async def capacity(recording: Recording, job: dict[str, str], workers: int, places: int) -> float:
    """Jobs per second while no worker ever waits for one, from a closed loop that sees to it."""
    clients = workers + min(workers, places)
    answers = await recording.cell(ClosedLoop(clients, rounds=ROUNDS), job, 1, "calibration")
    return busy_rate_per_s(answers, workers)


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
