"""Where a run's numbers come from, in phrases: machine, document, engine, queues, seed, date."""

from __future__ import annotations

from collections.abc import Sequence

from labserver.bench.cells import policy_of, pool_of
from labserver.bench.records import LOOP
from labserver.bench.store import Run


def provenance(run: Run) -> list[str]:
    """The phrases that say where the run's numbers come from, for a headline or a footer."""
    info = run.info
    server, document, pool = info.server, info.document, pool_of(run)
    timeout_s, no_server = server[f"{pool}_timeout"], info.client.get("path") == LOOP
    return [
        *(["SIMULATED WORK"] if info.simulated else []),
        f"{info.machine['cpu']}, {info.machine['cores']} cores",
        *([info.client["load"]] if info.kind == "load" else []),
        *([f"meanwhile: {info.client['meanwhile']}"] if "meanwhile" in info.client else []),
        document["name"] + _pages(document["pages"]),
        _served_by(run),
        *([] if no_server else [_waiting_in(run)]),
        *([] if no_server or policy_of(run) == "fifo" else [policy_of(run)]),
        *([f"deadline {timeout_s:g} s"] if timeout_s and not no_server else []),
        f"{info.mode}, seed {info.seed}, n = {len(run.measured)}, {info.started_at[:10]}",
    ]


def provenance_of(runs: Sequence[Run]) -> list[str]:
    """The phrases that the provenances of several runs have in common, and how many there are."""
    first, *others = map(provenance, runs)
    common = [phrase for phrase in first if all(phrase in other for other in others)]
    return [*common, f"{len(runs)} runs, n = {sum(len(run.measured) for run in runs)}"]


def _pages(number: int) -> str:
    return f" ({number} {'page' if number == 1 else 'pages'})" if number else ""


def _waiting_in(run: Run) -> str:
    server, pool = run.info.server, pool_of(run)
    queues = f"{server['dispatch']}, queue {server[f'{pool}_queue_size']} a worker"
    return f"{server[f'{pool}_workers']} workers, {queues}"


def _served_by(run: Run) -> str:
    """What did the work: an engine and a runner, unless it went another way."""
    server, path = run.info.server, run.info.client.get("path", "/put")
    if path == LOOP:
        return (
            f"{server['engine']}, {server['pdf_workers']} processes, no server, {server['dpi']} dpi"
        )
    if path != "/put":
        return f"by {path}, {server['dpi']} dpi"
    if not server["engine"]:
        return "a server that ran already"
    if pool_of(run) == "message":
        return f"{server['runner']} runner"
    return f"{server['engine']}, {server['runner']} runner, {server['dpi']} dpi"
