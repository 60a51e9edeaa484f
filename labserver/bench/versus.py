"""Two servers in one run: their points alternate, so that a drift of the machine meets both."""

from __future__ import annotations

import argparse
import random
import re
import shlex
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from labserver.bench.bareloop import BareLoop
from labserver.bench.compare import Comparison
from labserver.bench.host import PLACES, Host, own_host, to_be_measured
from labserver.bench.load import Burst
from labserver.bench.ownserver import new_folder, on_own_server
from labserver.bench.progress import bar
from labserver.bench.recording import Recording
from labserver.bench.records import LOOP
from labserver.bench.store import read_run
from labserver.bench.sweep import PDF_JOB, Plan
from labserver.errors import StartupError
from labserver.settings import Settings

NOT_IN_A_NAME = re.compile(r"[^\w.]+")  # the name is that of a folder, too
GALLERY = ("original", "blocking", "threadpool", "unbounded")


@dataclass(frozen=True, slots=True)
class Contender:
    """A server, and where on it the jobs go."""

    name: str
    settings: Settings
    path: str = "/put"


def contender(text: str, settings: Settings) -> Contender:
    """The contender that `--versus TEXT` means: a piece of the gallery, a loop, or other flags.

    Flags change `settings`. "loop" is the same conversions without a server. Raises StartupError
    for what is none of these.
    """
    asked = {name: getattr(settings, name) for name in settings.model_fields_set}
    if text == LOOP:
        if settings.engine == "sleep":
            raise StartupError(f"--versus {LOOP} converts documents: leave out --engine sleep")
        return Contender(LOOP, settings, LOOP)
    if text in GALLERY:
        if settings.engine == "pdfium":  # which cannot run in the gallery's threads
            asked = asked | {"engine": "poppler", "runner": "auto"}
        served = Settings.of(**(asked | {"gallery": True}))
        return Contender(text, served, f"/gallery/{text}/put")
    if not text.startswith("--"):
        raise StartupError(
            f"--versus {text}: name one of {', '.join((*GALLERY, LOOP))}, or server flags "
            'in quotes, such as "--dispatch shared"'
        )
    changed = _parse(text)
    if "engine" in changed and "runner" not in changed:
        asked["runner"] = "auto"  # it goes with the engine
    served = Settings.of(**(asked | changed))
    named = [str(value) for key, value in changed.items() if key not in PLACES]
    name = "-".join(named) or "same"
    return Contender(NOT_IN_A_NAME.sub("-", name), served)


async def versus(
    plan: Plan, ours: Contender, theirs: Contender, folder: Path, *, progress: bool = True
) -> Comparison:
    """Run `plan` on both; their runs are saved in `folder`, each in a folder of its name.

    Each point is measured on one and then at once on the other, in an order drawn by the seed.
    Raises what `sweep` raises.
    """
    names = (ours.name, theirs.name if theirs.name != ours.name else f"{theirs.name}-2")
    hosts = [own_host(to_be_measured(one.settings)) for one in (ours, theirs)]
    folders = [new_folder(folder / name) for name in names]
    recordings = [
        _recording(path, host, one, plan)
        for path, host, one in zip(folders, hosts, (ours, theirs), strict=True)
    ]
    async with AsyncExitStack() as stack:
        for recording, one, path in zip(recordings, (ours, theirs), folders, strict=True):
            if isinstance(recording, BareLoop):
                await stack.enter_async_context(recording.running())
            else:
                served = to_be_measured(one.settings)
                await stack.enter_async_context(on_own_server(recording, served, path))
        await _alternate(plan, recordings, progress)
    return Comparison(base=read_run(folders[1]), other=read_run(folders[0]))


async def _alternate(plan: Plan, recordings: list[Recording], progress: bool) -> None:
    order = random.Random(plan.seed)
    points = plan.points()
    total = 2 + 2 * sum(n for n, _ in points)
    with bar(total=total, unit="PDF", shown=progress) as done:
        for recording in recordings:
            await recording.cell(Burst(1), PDF_JOB, 0, "warmup", done.update)
        for n, repeat in points:
            done.set_description(f"{n} at once")
            for recording in order.sample(recordings, k=2):
                await recording.cell(Burst(n), PDF_JOB, repeat, "measured", done.update)


def _recording(folder: Path, host: Host, one: Contender, plan: Plan) -> Recording:
    client = {"load": "burst", "job": "pdf2image", "path": one.path, **asdict(plan)}
    if one.path == LOOP:
        return BareLoop(folder, host, one.settings, plan, client)
    return Recording(
        folder,
        host,
        kind="sweep",
        mode=plan.mode,
        seed=plan.seed,
        client=client,
        path=one.path,
    )


def _parse(text: str) -> dict[str, object]:
    """Server flags in one string, by the names of Settings."""
    parser = argparse.ArgumentParser(prog="--versus", exit_on_error=False, add_help=False)
    for name, field in Settings.model_fields.items():
        kind = argparse.BooleanOptionalAction if field.annotation is bool else "store"
        parser.add_argument("--" + name.replace("_", "-"), action=kind, default=argparse.SUPPRESS)
    try:
        known, unknown = parser.parse_known_args(shlex.split(text))
    except argparse.ArgumentError as error:
        raise StartupError(f"--versus: {error}") from error
    if unknown:
        raise StartupError(f"--versus: the server has no flag {unknown[0]}")
    return vars(known)
