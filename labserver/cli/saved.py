"""Commands on saved runs, which need no server: plot, compare and predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labserver.cli.app import app
from labserver.errors import StartupError

if TYPE_CHECKING:
    from labserver.bench.compare import Comparison
    from labserver.bench.prediction import Prediction


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
def compare(
    base: Annotated[Path, typer.Argument(help="A run's folder, the one to compare with.")],
    other: Annotated[Path, typer.Argument(help="Another run's folder.")],
    out: Annotated[Path | None, typer.Option(help="Also draw it, into this PNG file.")] = None,
) -> None:
    """Say how much faster OTHER is than BASE, and how sure that is."""
    from labserver.bench.compare import Comparison
    from labserver.bench.store import read_run

    tell(Comparison(read_run(base), read_run(other)), out)


def tell(pair: Comparison, picture: Path | None) -> None:
    """Print a comparison, and draw it into `picture`, if any."""
    from labserver.plots import comparison, save

    print(pair)
    if picture is not None:
        save(comparison(pair), picture)
        print(picture)


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
