"""The sweep: one load after the other on a server of its own, recorded into a run's folder."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from labserver.bench.forecasts import forecasts
from labserver.bench.host import own_host, to_be_measured
from labserver.bench.load import Burst
from labserver.bench.ownserver import default_folder, new_folder, on_own_server
from labserver.bench.progress import bar
from labserver.bench.rates import RatePlan, measure_rates
from labserver.bench.recording import Recording
from labserver.bench.store import Run, read_run
from labserver.errors import StartupError
from labserver.settings import Settings

PDF_JOB = {"data": "sweep", "jobType": "pdf2image"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which numbers of PDFs at once, how often each, and in which order (by `seed`)."""

    concurrency: tuple[int, ...]
    repeats: int
    mode: Literal["quick", "full", "custom"] = "custom"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.concurrency or min(self.concurrency) < 1 or self.repeats < 1:
            raise StartupError("a sweep wants at least one concurrency of at least 1, and 1 repeat")

    def points(self) -> list[tuple[int, int]]:
        """(concurrency, repeat), shuffled: a drift of the machine then favours none of them."""
        points = [(n, r + 1) for r in range(self.repeats) for n in self.concurrency]
        random.Random(self.seed).shuffle(points)
        return points


QUICK = Plan((1, 2, 4, 8, 16), repeats=2, mode="quick")
FULL = Plan(tuple(range(1, 17)), repeats=5, mode="full")


def plan_of(
    *, quick: bool, full: bool, concurrency: str | None, repeats: int | None, seed: int
) -> Plan:
    """The plan that command-line flags ask for; --quick when they ask for nothing.

    Raises StartupError when they contradict each other or are no numbers.
    """
    if quick and full:
        raise StartupError("--quick and --full are two plans: name one of them")
    base = replace(FULL if full else QUICK, seed=seed)
    if concurrency is None and repeats is None:
        return base
    levels = base.concurrency if concurrency is None else levels_of(concurrency)
    return replace(
        base,
        concurrency=levels,
        repeats=base.repeats if repeats is None else repeats,
        mode="custom",
    )


def levels_of(text: str) -> tuple[int, ...]:
    """ "1-4,8" as (1, 2, 3, 4, 8). Raises StartupError when they are no numbers."""
    levels: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            levels |= set(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise StartupError(f"--concurrency {text} is not like 1-16 or 1,2,4") from error
    return tuple(sorted(levels))


async def sweep(
    plan: Plan | RatePlan,
    settings: Settings | None = None,
    folder: Path | None = None,
    *,
    progress: bool = True,
) -> Run:
    """Run `plan` against a server with `settings`; returns the run, which is saved in `folder`.

    What theory says of a sweep of rates on simulated work stands beside it, in forecasts.csv.
    `progress` shows a bar where there is a terminal. Interrupted, it saves what it has and marks it
    INVALID. Raises LaunchError when the server does not start, StartupError when the document
    cannot be read or `folder` holds a run already.
    """
    settings = to_be_measured(settings or Settings())
    load, job = ("open loop", plan.job) if isinstance(plan, RatePlan) else ("burst", "pdf2image")
    host = own_host(settings, job)
    folder = new_folder(folder or default_folder("sweep"))
    recording = Recording(
        folder,
        host,
        kind="sweep",
        mode=plan.mode,
        seed=plan.seed,
        client={"load": load, "job": job, **asdict(plan)},
    )
    async with on_own_server(recording, settings, folder):
        if isinstance(plan, RatePlan):
            await measure_rates(plan, recording, settings, progress)
        else:
            await _measure(plan, recording, progress)
    run = read_run(folder)
    if (told := forecasts(run)) is not None:
        told.save(folder / "forecasts.csv")
    return run


async def _measure(plan: Plan, recording: Recording, progress: bool) -> None:
    """One warm-up request, then every point of the plan."""
    points = plan.points()
    total = 1 + sum(n for n, _ in points)
    with bar(total=total, unit="PDF", shown=progress) as done:
        await recording.cell(Burst(1), PDF_JOB, 0, "warmup", done.update)
        for n, repeat in points:
            done.set_description(f"{n} at once")
            await recording.cell(Burst(n), PDF_JOB, repeat, "measured", done.update)
