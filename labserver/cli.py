"""The command line: each command is a few calls into the rooms that do it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labserver import __version__
from labserver.bench.records import Arrivals, JobType, Policy
from labserver.errors import LabError, StartupError
from labserver.flags import with_settings
from labserver.settings import Settings

if TYPE_CHECKING:
    from labserver.bench.compare import Comparison
    from labserver.bench.prediction import Prediction
    from labserver.bench.rates import RatePlan
    from labserver.bench.sweep import Plan

app = typer.Typer(
    help="A FastAPI server for CPU-heavy jobs, and the kit that measures it.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
@with_settings
def serve(*, settings: Settings) -> None:
    """Run the server until it is told to end (the default command)."""
    from labserver.server.serve import serve as run

    run(settings)


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
    pdf: Annotated[
        Path | None, typer.Option(help="The PDF to convert, in place of the sample.")
    ] = None,
    versus: Annotated[
        str | None,
        typer.Option(
            help="Measure a second server in turn: original, blocking, threadpool, unbounded, "
            'or other flags, such as "--dispatch shared".'
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the run.  [default: results/TIME-sweep]")
    ] = None,
    settings: Settings,
) -> None:
    """Measure 1 to 16 PDFs at once against a server of its own, and draw what came out."""
    from labserver.bench.rates import rate_plan_of
    from labserver.bench.report import Report
    from labserver.bench.sweep import plan_of
    from labserver.bench.sweep import sweep as measure

    if pdf is not None:
        settings = settings.model_copy(update={"sample": pdf})
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
    run = asyncio.run(measure(plan, settings, out))
    print(Report(run))
    draw(run.path)


def measure_versus(plan: Plan | RatePlan, settings: Settings, other: str, out: Path | None) -> None:
    """Measure two servers in turn, and print and draw what they differ in."""
    from labserver.bench.sweep import Plan
    from labserver.bench.versus import Contender, contender, default_folder, versus

    if not isinstance(plan, Plan):
        raise StartupError("--versus compares numbers of PDFs at once: leave out --rate")
    ours, theirs = Contender("labserver", settings), contender(other, settings)
    folder = out or default_folder(theirs)
    _tell(asyncio.run(versus(plan, ours, theirs, folder)), folder / "comparison.png")


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(help="A run's folder, the one to compare with.")],
    other: Annotated[Path, typer.Argument(help="Another run's folder.")],
    out: Annotated[Path | None, typer.Option(help="Also draw it, into this PNG file.")] = None,
) -> None:
    """Say how much faster OTHER is than BASE, and how sure that is."""
    from labserver.bench.compare import Comparison
    from labserver.bench.store import read_run

    _tell(Comparison(read_run(base), read_run(other)), out)


def _tell(pair: Comparison, picture: Path | None) -> None:
    from labserver.plots import comparison, save

    print(pair)
    if picture is not None:
        save(comparison(pair), picture)
        print(picture)


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
    from labserver.bench.report import Report
    from labserver.bench.retry import patience_of
    from labserver.bench.trial import Trial, run_trial

    shape = load_of(
        rate=rate, clients=clients, burst=burst, seconds=seconds, arrivals=arrivals, step=step,
        spike=spike, think=think, seed=seed,
    )  # fmt: skip
    patience = patience_of(timeout, retry, retries, backoff, obey_retry_after=retry_after)
    trial = Trial(shape, job, patience, seed)
    run = asyncio.run(run_trial(trial, _target(url, settings), out, token=_token(settings)))
    print(Report(run))
    draw(run.path)


def _target(url: str | None, settings: Settings) -> Settings | str:
    """Where a load goes. Raises StartupError for flags of a server that is not ours to start."""
    if url is None:
        return settings
    if useless := sorted(settings.model_fields_set - {"token"}):
        flags = ", ".join("--" + name.replace("_", "-") for name in useless)
        raise StartupError(f"--url names a server that runs already: {flags} cannot change it")
    return url


def _token(settings: Settings) -> str | None:
    return settings.token.get_secret_value() if settings.token else None


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run's folder that has jobs at concurrency 1.")],
    workers: Annotated[int | None, typer.Option(help="Workers.  [default: the run's]")] = None,
    cores: Annotated[int | None, typer.Option(help="Cores.  [default: the run's]")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Hardware threads of them all.  [default: the cores]")
    ] = None,
    speed: Annotated[
        float, typer.Option(help="What a core does while one of the run's machine does 1.")
    ] = 1.0,
    concurrency: Annotated[
        str | None, typer.Option(help="PDFs at once, such as 1-16.  [default: the run's]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write it: a .png, or a .csv.")] = None,
) -> None:
    """Say what sweep a machine would give, from the jobs that RUN had alone on its own."""
    from labserver.bench.predict import predict as forecast
    from labserver.bench.store import read_run
    from labserver.bench.sweep import levels_of
    from labserver.bench.target import target_of

    if out is not None and out.suffix not in (".png", ".csv"):
        raise StartupError(f"--out {out}: a forecast is written as .png or as .csv")
    saved = read_run(run)
    target = target_of(saved, workers=workers, cores=cores, threads=threads, speed=speed)
    loads = levels_of(concurrency) if concurrency else ()
    said = forecast(saved, target, loads, seed=seed)
    print(said)
    if out is not None:
        _write_forecast(said, out)
        print(out)


def _write_forecast(said: Prediction, file: Path) -> None:
    from labserver.plots import prediction, save

    if file.suffix == ".png":
        save(prediction(said), file)
    else:
        said.table.to_csv(file, index=False, float_format="%.6g")


@app.command()
def plot(
    run: Annotated[
        Path, typer.Argument(help="A run's folder, such as results/NAME, or a folder of runs.")
    ],
) -> None:
    """Draw a saved run's figures again; of a folder of runs, each one's and those of them all."""
    if (run / "run.json").exists():
        draw(run)
    else:
        draw_several(run)


def draw(folder: Path) -> None:
    """Draw every figure of the run in `folder` and print where each is."""
    from labserver.bench.store import read_run
    from labserver.plots import draw_all

    for path in draw_all(read_run(folder), folder / "plots"):
        print(path)


def draw_several(folder: Path) -> None:
    """Draw the figures of each run below `folder` and of them all, and print where each is."""
    from labserver.bench.store import read_runs
    from labserver.plots import draw_study

    runs = read_runs(folder)
    for run in runs:
        draw(run.path)
    for path in draw_study(runs, folder / "plots"):
        print(path)


@app.command()
def doctor(
    output_dir: Annotated[Path, typer.Option(help="Folder for the pages of finished jobs.")] = Path(
        "out"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Say whether this machine can run the server and measure honestly, in two seconds."""
    from labserver.doctor import examine

    levels = []
    for finding in examine(output_dir, port):
        print(finding, flush=True)
        levels.append(finding.level)
    failed, warned = levels.count("fail"), levels.count("warn")
    print(f"\n{len(levels)} looked at: {failed} fail, {warned} to be warned of")
    if failed:
        raise typer.Exit(1)


@app.command()
def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Parts of their names, such as 03; all of them.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Longer, with figures to rely on.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Save each as it ran.")] = False,
) -> None:
    """Run the lessons from top to bottom and say which failed, and where."""
    from labserver.course.execution import execute
    from labserver.course.lessons import lessons

    failed = 0
    for execution in execute(lessons(names or ()), full=full, save=save):
        print(execution, flush=True)
        failed += bool(execution.failure)
    if failed:
        raise typer.Exit(1)


@app.command()
def pages(
    folder: Annotated[Path, typer.Argument(help="Where to, made if not there.")] = Path("course"),
) -> None:
    """Write the lessons, as they are saved, as web pages that open without a network."""
    from labserver.course.lessons import lessons
    from labserver.course.pages import write_pages

    write_pages(lessons(), folder)
    print(folder / "index.html")


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A FastAPI server for CPU-heavy jobs, and the kit that measures it."""


def main() -> None:
    """Run the command line; `serve` when no command is named."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(__version__)
        return
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--help"):
        arguments.insert(0, "serve")
    try:
        app(arguments, prog_name="labserver")
    except LabError as error:
        sys.exit(_say(error, 2))
    except KeyboardInterrupt:
        sys.exit(130)


def _say(error: LabError, status: int) -> int:
    print(f"labserver: {error}", file=sys.stderr)
    return status
