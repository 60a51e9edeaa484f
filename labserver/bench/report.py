"""A saved run as a table, for a terminal and for a notebook. It reads a run and changes nothing."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from labserver.bench.checks import Check, checks
from labserver.bench.forecasts import Forecasts, forecasts
from labserver.bench.health import Health, health, quantile_if_any
from labserver.bench.provenance import provenance
from labserver.bench.stats import Quantile
from labserver.bench.store import Run
from labserver.bench.summary import TAIL, summary
from labserver.bench.wording import decimals_of, joined, numbers, wrapped
from labserver.theory.little import steps


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
            *_reply_notes(self.health),
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


def _reply_notes(health: Health) -> list[str]:
    if health.reply_ms.empty:
        return ["end of work to reply: no completed job in the trace"]
    notes = [f"end of work to reply, at the client: {_spread(health.reply_ms)}"]
    if len(health.sent_ms):
        notes.insert(0, f"end of work to the server's sending the reply: {_spread(health.sent_ms)}")
    return notes


def _spread(times_ms: pd.Series[float]) -> str:
    tails = (("p99", 0.99), ("p95", TAIL))  # the farthest one that there are samples for
    found = [(name, quantile_if_any(times_ms, q)) for name, q in tails]
    tail = next((f"{name} {_bounded(it)} ms, " for name, it in found if it is not None), "")
    return (
        f"median {times_ms.median():.1f} ms, {tail}max {times_ms.max():.1f} ms "
        f"({len(times_ms)} jobs)"
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
    spread = [f" ±{h:.{decimals_of(table['docs_per_s'])}f}" if h >= 0 else "" for h in half]
    shown["docs/s"] = np.char.add(numbers(table["docs_per_s"]), spread)
    shown["pages/s"] = numbers(table["pages_per_s"])
    shown["p50 s"] = numbers(table["p50_s"])
    tail = table["p95_s"].fillna(table["max_s"])
    kind = np.where(table["p95_s"].notna(), " p95", np.where(table["max_s"].notna(), " max", ""))
    shown["tail s"] = np.char.add(numbers(tail), kind)
    for column, name in (("queue_ms", "wait"), ("process_ms", "work"), ("overhead_ms", "over")):
        shown[f"{name} ms"] = numbers(table[column], decimals=int(table[column].max() < 100))
    return shown
