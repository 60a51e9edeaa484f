"""Commands that put a load on a server: sweep and load."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labserver.bench.records import Arrivals, JobType, Policy
from labserver.cli.app import app
from labserver.cli.saved import draw, tell
from labserver.errors import StartupError
from labserver.flags import with_settings
from labserver.settings import Settings

if TYPE_CHECKING:
    from labserver.bench.rates import RatePlan
    from labserver.bench.sweep import Plan

OtherPdf = Annotated[
    Path | None, typer.Option("--pdf", help="The PDF to convert, in place of the sample.")
]


@app.command()
@with_settings
def sweep(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="1, 2, 4, 8, 16 at once, twice.")] = False,
    full: Annotated[bool, typer.Option("--full", help="1 to 16 at once, five times.")] = False,
    concurrency: Annotated[
        str | None, typer.Option(help="PDFs at once, such as 1-16 or 1,2,4.")
    ] = None,
    repeats: Annotated[int | None, typer.Option(help="How often each is measured.")] = None,
    rate: Annotated[
        str | None,
        typer.Option(help="Open loop instead, at rates in units of the capacity: 0.5,0.8,1.2."),
    ] = None,
    seconds: Annotated[
        str, typer.Option(help="With --rate: how long each is kept up, or a time for each: 5,9,20.")
    ] = "30",
    arrivals: Annotated[
        Arrivals, typer.Option(help="With --rate: a Poisson process, or one each 1/rate.")
    ] = "poisson",
    seed: Annotated[int, typer.Option(help="Seed of the order in which they are run.")] = 0,
    pdf: OtherPdf = None,
    versus: Annotated[
        str | None,
        typer.Option(
            help="Measure a second server in turn: original, blocking, threadpool, unbounded, or "
            'other flags, such as "--dispatch shared"; or loop, the same work without a server.'
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the run.  [default: results/TIME-sweep]")
    ] = None,
    settings: Settings,
) -> None:
    """Measure 1 to 16 PDFs at once against a server of its own, and draw what came out."""
    from labserver.bench.ownserver import default_folder
    from labserver.bench.rates import rate_plan_of
    from labserver.bench.report import Report
    from labserver.bench.sweep import plan_of
    from labserver.bench.sweep import sweep as measure

    settings = _converting(pdf, settings)
    plan: Plan | RatePlan
    if rate is None:
        plan = plan_of(quick=quick, full=full, concurrency=concurrency, repeats=repeats, seed=seed)
    elif quick or full or concurrency is not None:
        raise StartupError("--rate is a plan of its own: leave out --quick, --full, --concurrency")
    else:
        plan = rate_plan_of(rate, seconds=seconds, repeats=repeats, arrivals=arrivals, seed=seed)
    if versus is not None:
        measure_versus(plan, settings, versus, out)
        return
    folder = out or default_folder("sweep")
    with _told_when_interrupted(folder):
        run = asyncio.run(measure(plan, settings, folder))
    print(Report(run))
    draw(run.path)


def measure_versus(plan: Plan | RatePlan, settings: Settings, other: str, out: Path | None) -> None:
    """Measure two servers in turn, and print and draw what they differ in."""
    from labserver.bench.ownserver import default_folder
    from labserver.bench.sweep import Plan
    from labserver.bench.versus import Contender, contender, versus

    if not isinstance(plan, Plan):
        raise StartupError("--versus compares numbers of PDFs at once: leave out --rate")
    ours, theirs = Contender("labserver", settings), contender(other, settings)
    folder = out or default_folder(f"versus-{theirs.name}")
    with _told_when_interrupted(folder):
        pair = asyncio.run(versus(plan, ours, theirs, folder))
    tell(pair, folder / "comparison.png")


@app.command()
@with_settings
def load(
    *,
    rate: Annotated[float | None, typer.Option(help="Open loop: requests per second.")] = None,
    clients: Annotated[
        int | None, typer.Option(help="Closed loop: clients that wait for their answers.")
    ] = None,
    burst: Annotated[int | None, typer.Option(help="So many requests at one moment.")] = None,
    seconds: Annotated[float, typer.Option(help="How long a rate or clients go on.")] = 30.0,
    arrivals: Annotated[
        Arrivals, typer.Option(help="Of a rate: a Poisson process, or one each 1/rate.")
    ] = "poisson",
    step: Annotated[
        str | None, typer.Option(help="Of a rate: RATE@SECOND, another one from then on.")
    ] = None,
    spike: Annotated[
        str | None, typer.Option(help="Of a rate: RATE@SECOND+SECONDS, another one for a while.")
    ] = None,
    think: Annotated[
        float, typer.Option(help="Of clients: seconds from an answer to the next request.")
    ] = 0.0,
    job: Annotated[JobType, typer.Option(help="What is asked for.")] = "pdf2image",
    pdf: OtherPdf = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a client disconnects.")
    ] = None,
    retry: Annotated[
        Policy, typer.Option(help="What clients do after a failure; budget: jitter within 10 %.")
    ] = "none",
    retries: Annotated[int, typer.Option(help="Most retries of a request.")] = 3,
    backoff: Annotated[float, typer.Option(help="Seconds before the first; doubled each time.")] = (
        0.1
    ),
    retry_after: Annotated[
        bool,
        typer.Option("--retry-after/--no-retry-after", help="Obey the server's Retry-After."),
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of the arrivals and of the jitter.")] = 0,
    url: Annotated[
        str | None, typer.Option(help="A server that runs already, in place of one of its own.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the run.  [default: results/TIME-load]")
    ] = None,
    settings: Settings,
) -> None:
    """Put one load on a server, its own or the one at --url, and draw what came out."""
    from labserver.bench.load import load_of
    from labserver.bench.ownserver import default_folder
    from labserver.bench.report import Report
    from labserver.bench.retry import patience_of
    from labserver.bench.trial import Trial, run_trial

    shape = load_of(
        rate=rate, clients=clients, burst=burst, seconds=seconds, arrivals=arrivals, step=step,
        spike=spike, think=think, seed=seed,
    )  # fmt: skip
    patience = patience_of(timeout, retry, retries, backoff, obey_retry_after=retry_after)
    trial = Trial(shape, job, patience, seed)
    target = _target(url, _converting(pdf, settings))
    folder = out or default_folder("load")
    with _told_when_interrupted(folder):
        run = asyncio.run(run_trial(trial, target, folder, token=_token(settings)))
    print(Report(run))
    draw(run.path)


@contextmanager
def _told_when_interrupted(folder: Path) -> Iterator[None]:
    """Say where an interrupted measurement has left what it had."""
    try:
        yield
    except KeyboardInterrupt:
        if any(folder.rglob("run.json")):
            print(
                f"labserver: interrupted; what was measured is in {folder}, marked INVALID",
                file=sys.stderr,
            )
        raise


def _converting(pdf: Path | None, settings: Settings) -> Settings:
    return settings if pdf is None else settings.model_copy(update={"sample": pdf})


def _target(url: str | None, settings: Settings) -> Settings | str:
    """Where a load goes. Raises StartupError for flags of a server that is not ours to start."""
    if url is None:
        return settings
    if useless := sorted(settings.model_fields_set - {"token"}):
        names = ["pdf" if name == "sample" else name for name in useless]
        flags = ", ".join("--" + name.replace("_", "-") for name in names)
        raise StartupError(f"--url names a server that runs already: {flags} cannot change it")
    return url


def _token(settings: Settings) -> str | None:
    return settings.token.get_secret_value() if settings.token else None
