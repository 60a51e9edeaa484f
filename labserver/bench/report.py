"""A saved run as a table, for a terminal and for a notebook. It reads a run and changes nothing."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from labserver.bench.cells import axis_of, policy_of, pool_of, throughputs
from labserver.bench.checks import Check, checks
from labserver.bench.forecasts import Forecasts, forecasts
from labserver.bench.health import Health, health, quantile_if_any
from labserver.bench.records import LOOP
from labserver.bench.stats import Quantile, mean_interval
from labserver.bench.store import Run
from labserver.theory.little import steps

WIDTH = 100
TAIL = 0.95


def summary(run: Run) -> pd.DataFrame:
    """A row a concurrency, or a rate of an open loop, with raw numbers (NaN: too few samples).

    `docs_per_s` and `pages_per_s` are means over repeats, `*_low` and `*_high` their t-interval.
    Latencies (seconds) and times (mean ms) are of the completed requests, pooled over repeats:
    `p50_s` and `p95_s` with order-statistic bounds, `max_s`, and `queue_ms`, `process_ms`,
    `overhead_ms`, which add up to the mean latency. A burst's requests share their fate, so that
    the bounds of its quantiles are narrower than they should be.
    """
    axis = axis_of(run)
    cells = dict(iter(throughputs(run).groupby(axis)))
    rows = {n: _row(rows, cells[n]) for n, rows in run.measured.groupby(axis)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis(axis)


COLUMNS = [
    "repeats", "requests", "200", "503", "504", "other",
    "docs_per_s", "docs_per_s_low", "docs_per_s_high",
    "pages_per_s", "pages_per_s_low", "pages_per_s_high",
    "p50_s", "p50_s_low", "p50_s_high", "p95_s", "p95_s_low", "p95_s_high", "max_s",
    "queue_ms", "process_ms", "overhead_ms",
]  # fmt: skip


def _row(rows: pd.DataFrame, cells: pd.DataFrame) -> dict[str, float]:
    statuses = rows["status"].value_counts()
    known = {str(status): int(statuses.get(status, 0)) for status in (200, 503, 504)}
    done = rows[rows["status"] == 200]
    overhead_ms = 1000 * done["latency_s"] - done["queue_ms"] - done["process_ms"]
    return {
        "repeats": len(cells),
        "requests": len(rows),
        **known,
        "other": len(rows) - sum(known.values()),
        **_rate("docs_per_s", cells["docs_per_s"]),
        **_rate("pages_per_s", cells["pages_per_s"]),
        **_latency("p50_s", done["latency_s"], 0.5),
        **_latency("p95_s", done["latency_s"], TAIL),
        "max_s": done["latency_s"].max(),
        "queue_ms": done["queue_ms"].mean(),
        "process_ms": done["process_ms"].mean(),
        "overhead_ms": overhead_ms.mean(),
    }


def _rate(name: str, repeats: pd.Series[float]) -> dict[str, float]:
    if len(repeats) < 2:
        return {name: repeats.mean()}
    found = mean_interval(repeats)
    return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}


def _latency(name: str, latency_s: pd.Series[float], q: float) -> dict[str, float]:
    """The quantile with its bounds; a median may stand without them, a tail may not."""
    if (found := quantile_if_any(latency_s, q)) is not None:
        return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}
    return {name: latency_s.median()} if q == 0.5 else {}


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
    return f"{server['engine']}, {server['runner']} runner, {server['dpi']} dpi"


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """What there is to read about a run: its text in a terminal, its table in a notebook."""

    run: Run

    @cached_property
    def table(self) -> pd.DataFrame:
        """The run's `summary`."""
        return summary(self.run)

    @cached_property
    def checks(self) -> list[Check]:
        """The run's checks on itself, made anew from its data."""
        return checks(self.run)

    @cached_property
    def health(self) -> Health:
        """How the server itself fared."""
        return health(self.run)

    @cached_property
    def forecasts(self) -> Forecasts | None:
        """What theory says of the run, where it does."""
        return forecasts(self.run)

    @property
    def warnings(self) -> list[str]:
        """The warnings saved with the run, and each check that fails now."""
        failed = [str(check) for check in self.checks if not check.ok]
        return list(dict.fromkeys([*self.run.info.warnings, *failed]))

    @property
    def verdict(self) -> str:
        """INVALID when the run says so or a check fails now, else valid."""
        failed = any(not check.ok for check in self.checks)
        return "INVALID" if failed else self.run.info.verdict

    def __str__(self) -> str:
        notes = [line for note in self._notes() for line in wrapped(note)]
        theory = [str(self.forecasts), ""] if self.forecasts else []
        return "\n".join([*joined(self._headline()), "", self._text_table(), "", *theory, *notes])

    __repr__ = __str__

    def _text_table(self) -> str:
        return self._shown().to_string(index=False) if len(self.table) else "no request"

    def _shown(self) -> pd.DataFrame:
        return _shown(self.table, self.run.info.client.get("capacity_per_s"))

    def _repr_html_(self) -> str:
        headline = html.escape(" · ".join(self._headline()))
        table = self._shown().to_html(index=False, border=0)
        notes = "<br>".join(html.escape(note) for note in self._notes())
        theory = self.forecasts._repr_html_() if self.forecasts else ""
        return f"<p><b>{headline}</b></p>{table}{theory}<p>{notes}</p>"

    def _headline(self) -> list[str]:
        return [f"{self.run.info.name}: {self.verdict}", *provenance(self.run)]

    def _notes(self) -> list[str]:
        held = sum(check.ok for check in self.checks)
        return [
            "± is the 95 % t-interval over repeats. Latency: completed requests, from the intended "
            "time; its tail is p95 where 59 samples allow one, else max; its mean is wait + work + "
            "over.",
            _memory_note(self.health),
            _livez_note(self.health),
            _reply_note(self.health.reply_ms),
            *_client_notes(self.run.measured),
            f"{held} of {len(self.checks)} checks hold",
            *(f"WARNING {warning}" for warning in self.warnings),
        ]


def _memory_note(health: Health) -> str:
    if math.isnan(health.peak_mb):
        return "memory: not recorded"
    return (
        f"memory at its peak: {health.peak_mb:.0f} MB with child processes and page files, "
        f"{health.server_peak_mb:.0f} MB the server alone"
    )


def _livez_note(health: Health) -> str:
    median, p99 = health.livez_p50_ms, health.livez_p99_ms
    if median is None:
        return "/livez: too few probes"
    tail = f"p99 {_bounded(p99)} ms" if p99 else "too few probes for a p99"
    lag = health.loop_lag_p99_ms
    return (
        f"/livez under load: p50 {median.estimate:.1f} ms, {tail}, max {health.livez_max_ms:.1f} "
        f"ms ({health.probes} probes, {health.probes_failed} failed)"
        + (f"; event loop late by {_bounded(lag)} ms at p99" if lag else "")
    )


def _reply_note(reply_ms: pd.Series[float]) -> str:
    if reply_ms.empty:
        return "end of work to reply: no completed job in the trace"
    tails = (("p99", 0.99), ("p95", TAIL))  # the farthest one that there are samples for
    found = [(name, quantile_if_any(reply_ms, q)) for name, q in tails]
    tail = next((f"{name} {_bounded(it)} ms, " for name, it in found if it is not None), "")
    return (
        f"end of work to reply, at the client: median {reply_ms.median():.1f} ms, {tail}"
        f"max {reply_ms.max():.1f} ms ({len(reply_ms)} jobs)"
    )


def _client_notes(rows: pd.DataFrame) -> list[str]:
    """What became of the clients' patience, where they had little; the most of them at once."""
    notes = []
    if len(rows) and rows["rate_per_s"].any():
        inside = steps(rows["sent_s"], rows["done_s"])[1]
        notes.append(f"the generator had up to {inside.max()} requests under way at once")
    first = rows[rows["attempt"] == 1]
    if len(rows) > len(first):
        served = rows[rows["status"] == 200]["first"].nunique()
        notes.append(
            f"{len(first)} requests took {len(rows)} attempts ({len(rows) / len(first):.2f} each), "
            f"and {served} of them were served in the end"
        )
    if gone := int((rows["outcome"] == "timeout").sum()):
        notes.append(f"in {gone} attempts the client went before its answer")
    return notes


def _bounded(found: Quantile) -> str:
    return f"{found.estimate:.1f} [{found.low:.1f}, {found.high:.1f}]"


def _shown(table: pd.DataFrame, capacity_per_s: float | None) -> pd.DataFrame:
    """The table as the text that a reader sees; rates also in units of the capacity."""
    rates = table.index.to_series()
    load: dict[str, list[str]]
    if table.index.name == "concurrency":
        load = {"N": [str(n) for n in table.index]}
    elif capacity_per_s is None:
        load = {"rate/s": numbers(rates)}
    else:
        load = {"rate/s": numbers(rates), "of cap.": numbers(rates / capacity_per_s, 2)}
    shown = pd.DataFrame({**load, "reps": table["repeats"].array})
    for column in ("requests", "200", "503", "504", "other"):
        if column != "other" or table["other"].any():
            shown["sent" if column == "requests" else column] = table[column].array
    half = table["docs_per_s_high"] - table["docs_per_s"]
    spread = [f" ±{h:.{_decimals(table['docs_per_s'])}f}" if h >= 0 else "" for h in half]
    shown["docs/s"] = np.char.add(numbers(table["docs_per_s"]), spread)
    shown["pages/s"] = numbers(table["pages_per_s"])
    shown["p50 s"] = numbers(table["p50_s"])
    tail = table["p95_s"].fillna(table["max_s"])
    kind = np.where(table["p95_s"].notna(), " p95", np.where(table["max_s"].notna(), " max", ""))
    shown["tail s"] = np.char.add(numbers(tail), kind)
    for column, name in (("queue_ms", "wait"), ("process_ms", "work"), ("overhead_ms", "over")):
        shown[f"{name} ms"] = numbers(table[column], decimals=int(table[column].max() < 100))
    return shown


def numbers(values: pd.Series[float], decimals: int | None = None) -> list[str]:
    """The values with the same number of decimals, by default three digits of the smallest."""
    places = _decimals(values) if decimals is None else decimals
    return ["–" if np.isnan(value) else f"{value:.{places}f}" for value in values]


def _decimals(values: pd.Series[float]) -> int:
    smallest = values[values > 0].min()
    return 2 if np.isnan(smallest) else max(0, 2 - math.floor(math.log10(smallest)))


def joined(phrases: list[str], width: int = WIDTH) -> list[str]:
    """The phrases with dots between, in lines of at most `width` that break between phrases."""
    lines = [phrases[0]]
    for phrase in phrases[1:]:
        longer = f"{lines[-1]} · {phrase}"
        lines[-1:] = [longer] if len(longer) <= width else [lines[-1], phrase]
    return [short for line in lines for short in textwrap.wrap(line, width)]


def wrapped(sentence: str) -> list[str]:
    """The sentence in lines of a report's width."""
    return textwrap.wrap(sentence, WIDTH, subsequent_indent="  ")
