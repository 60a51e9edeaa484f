"""A run's checks on itself: is it to be trusted, and if not, what to do? It mends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labserver.bench.cells import measured_cells
from labserver.bench.join import join, out_of_order
from labserver.bench.store import Run
from labserver.bench.timeline import depth, jobs
from labserver.theory.little import mean_jobs

LITTLE_LIMIT = 0.05
SEND_LAG_LIMIT = 0.10
CLIENT_CPU_LIMIT = 0.50
DRIFT_LIMIT = 0.15  # a quiet machine stays within 0.02


@dataclass(frozen=True, slots=True)
class Check:
    """A check holds when `value` is at most `limit`; `unit` is "share" or what is counted."""

    name: str
    value: float
    limit: float
    unit: str
    remedy: str

    @property
    def ok(self) -> bool:
        """Whether the run passes; a value that could not be computed (NaN) does not."""
        return self.value <= self.limit

    def __str__(self) -> str:
        scale, unit = (100, " %") if self.unit == "share" else (1, f" {self.unit}")
        found = f"{self.name}: {scale * self.value:.3g}{unit}, limit {scale * self.limit:g}"
        return found if self.ok else f"{found}. {self.remedy}"


def checks(run: Run) -> list[Check]:
    """Every check that the run has the data for, in a fixed order."""
    made = (make(run) for make in CHECKS)
    return [check for check in made if check is not None]


def server_ledger(run: Run) -> Check | None:
    """received = Σ outcomes + waiting + running, on the server's own ledger."""
    ledger = run.info.ledger
    if not ledger:
        return None
    placed = sum(ledger["outcomes"].values()) + ledger["waiting"] + ledger["running"]
    return Check(
        "server's ledger",
        abs(ledger["received"] - placed),
        0,
        "requests in no place or in two",
        "The server has lost count: this is a fault of the server, report it.",
    )


def both_ledgers(run: Run) -> Check | None:
    """The client's count of each outcome, warm-up included, against the server's.

    Of a request that got no answer only the server knows the outcome: abandoned as a rule, but any
    other when its answer and its client's going crossed; or none, when it never came.
    """
    own_way = run.info.client.get("path", "/put") == "/put"  # the gallery keeps no ledger
    if not run.info.ledger or not own_way:
        return None
    without = run.requests["status"] == 0
    ours = Counter(run.requests[~without]["outcome"])
    theirs = Counter(run.info.ledger["outcomes"])
    surplus = (theirs - ours).total() - int(without.sum())
    return Check(
        "ledgers of both sides",
        (ours - theirs).total() + max(0, surplus),
        0,
        "requests counted differently",
        "Something else used this server, or replies were lost: give the run a server of its own.",
    )


def one_end_each(run: Run) -> Check | None:
    """Each job let in has one submit and one end or drop; no end or drop is without a submit."""
    if run.events.empty:
        return None
    moves = run.events.assign(
        came=run.events["event"] == "submit", went=run.events["event"].isin(["end", "drop"])
    )
    counts = moves[moves["came"] | moves["went"]].groupby("job_id")[["came", "went"]].sum()
    return Check(
        "one end for each job",
        int(((counts["came"] != 1) | (counts["went"] != 1)).sum()),
        0,
        "jobs with none or two",
        "The trace was cut off or a job was lost: let the server drain before the run is saved.",
    )


def order(run: Run) -> Check | None:
    """Each answered request was intended, sent, enqueued, started, settled, received: in order."""
    if run.events.empty:
        return None
    return Check(
        "order of moments on both sides",
        len(out_of_order(join(run))),
        0,
        "requests with an effect before its cause",
        "Client and server do not share a clock: run both on one machine, in one boot.",
    )


def little_law(run: Run) -> Check | None:
    """L = X·W of each pool, the worst of them: the pool's own counts against its jobs' own times.

    L is ∫(waiting + busy)dt / T over the whole trace; X·W is the sum of the jobs' times from submit
    to end, over T. Little, "A proof for the queuing formula L = λW", Operations Research 9 (1961).
    """
    told = jobs(run.events)
    off = []
    for pool, mine in told.groupby("pool"):
        steps = depth(run.events, str(pool))
        until_s = float(steps["t_s"].iloc[-1])
        inside_s = mine["left_s"].fillna(until_s) - mine["submit_s"]
        busy_s = float(inside_s.sum())
        if busy_s > 0:
            counted = mean_jobs(steps["t_s"], steps["waiting"] + steps["busy"], until_s)
            off.append(abs(counted * (until_s - float(steps["t_s"].iloc[0])) / busy_s - 1))
    if not off:
        return None
    return Check(
        "Little's law, |L / X·W − 1|",
        max(off),
        LITTLE_LIMIT,
        "share",
        "The trace contradicts itself, its counts or its times are wrong: do not use this run.",
    )


def send_lag(run: Run) -> Check | None:
    """How late the generator sent (p99) against the mean service time."""
    rows = run.measured
    service_s = rows[rows["status"] == 200]["process_ms"].mean() / 1000
    if not service_s > 0:
        return None
    lag_s = float(np.quantile(rows["sent_s"] - rows["intended_s"], 0.99))
    return Check(
        "send lag p99 / service time",
        lag_s / service_s,
        SEND_LAG_LIMIT,
        "share",
        "The generator was late: close other programs, lower the load or give it a core.",
    )


def client_cpu(run: Run) -> Check | None:
    """The share of one core that the generator used during the measured cells."""
    samples = run.samples[["t_s", "client_cpu_s"]].dropna()
    spans = [
        samples[samples["t_s"].between(cell.started_s, cell.ended_s)]
        for cell in measured_cells(run)
    ]
    lasted_s = sum(np.ptp(span["t_s"]) for span in spans if len(span) > 1)
    if not lasted_s:
        return None
    used_s = sum(np.ptp(span["client_cpu_s"]) for span in spans if len(span) > 1)
    return Check(
        "generator's CPU, of a core",
        float(used_s / lasted_s),
        CLIENT_CPU_LIMIT,
        "share",
        "The generator competes with the server: lower the load or run it on another machine.",
    )


def drift(run: Run) -> Check | None:
    """The most that the sentinel, around any cell, was off its own median over the run.

    A reading is the shortest of its rounds: what disturbs a single round (our own probe of /livez)
    only lengthens it, while a slower clock or a core that another program holds lengthens all.
    Simulated work takes no CPU, so that a drift does not change it.
    """
    if run.info.simulated:
        return None
    around_ms = [
        min(reading)
        for cell in measured_cells(run)
        for reading in (cell.sentinel_before_ms, cell.sentinel_after_ms)
        if reading
    ]
    if not around_ms:
        return None
    return Check(
        "drift of the machine",
        float(np.max(np.abs(np.divide(around_ms, np.median(around_ms)) - 1))),
        DRIFT_LIMIT,
        "share",
        "The same work took longer at one time than at another: close other programs, let a laptop "
        "cool down on mains power, and run it again.",
    )


def all_answered(run: Run) -> Check | None:
    """No measured request was without an answer at the end, but for those whose client went."""
    rows = run.measured
    return Check(
        "requests without an answer",
        int(((rows["status"] == 0) & (rows["outcome"] != "timeout")).sum()),
        0,
        "requests",
        "The server stopped, or connections failed: see the error column of requests.csv.",
    )


CHECKS: tuple[Callable[[Run], Check | None], ...] = (
    server_ledger,
    both_ledgers,
    one_end_each,
    order,
    little_law,
    send_lag,
    client_cpu,
    drift,
    all_answered,
)
