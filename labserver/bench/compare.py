"""Two runs side by side: how much faster, how sure, and whether they may be compared at all."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from labserver.bench.cells import throughputs
from labserver.bench.stats import mean_interval
from labserver.bench.store import Run

# Runs on machines that differ in one of these say nothing about the servers.
MACHINE = ("cpu", "cores", "memory_gb")
DOCUMENT = ("name", "sha256")


@dataclass(frozen=True, slots=True)
class Effect:
    """How many times the base's throughput the other run has at one concurrency.

    `low` and `high` are the 95 % interval of the ratio, from the logarithms of the repeats' ratios
    (Student's t); they are NaN when there is one repeat only.
    """

    concurrency: int
    base_per_s: float
    other_per_s: float
    ratio: float
    low: float
    high: float
    repeats: int

    @property
    def verdict(self) -> str:
        """What may be said of it."""
        if math.isnan(self.low):
            return "one repeat: no interval"
        if self.low > 1:
            return "faster"
        return "slower" if self.high < 1 else "no difference seen"


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """`other` against `base`: what two runs of the same points differ in."""

    base: Run
    other: Run

    @cached_property
    def reasons(self) -> list[str]:
        """Why no winner may be called; empty when one may."""
        pairs = [
            *((f"machine's {key}", run_value(self, "machine", key)) for key in MACHINE),
            *((f"document's {key}", run_value(self, "document", key)) for key in DOCUMENT),
        ]
        unlike = [f"the {what} differs: {a} and {b}" for what, (a, b) in pairs if a != b]
        invalid = [
            f"{run.info.name} is INVALID: {'; '.join(run.info.warnings)}"
            for run in (self.base, self.other)
            if run.info.verdict == "INVALID"
        ]
        return unlike + invalid

    @cached_property
    def effects(self) -> list[Effect]:
        """One for each concurrency that both runs have, smallest first."""
        both = {"base": _by_point(self.base), "other": _by_point(self.other)}
        paired = pd.concat(both, axis=1, join="inner")
        return [_effect(int(str(n)), rows) for n, rows in paired.groupby(level="concurrency")]

    @property
    def table(self) -> pd.DataFrame:
        """The effects as text, for a reader."""
        unit = "pages/s" if self.unit == "pages_per_s" else "docs/s"
        winner = not self.reasons
        return pd.DataFrame(
            {
                "N": e.concurrency,
                f"{self.base.info.name} {unit}": f"{e.base_per_s:.3g}",
                f"{self.other.info.name} {unit}": f"{e.other_per_s:.3g}",
                "ratio": f"{e.ratio:.2f}×",
                "95 %": "–" if math.isnan(e.low) else f"[{e.low:.2f}, {e.high:.2f}]",
                "repeats": e.repeats,
                "verdict": e.verdict if winner else "not comparable",
            }
            for e in self.effects
        )

    @property
    def unit(self) -> str:
        """What is compared: pages where pages were made, documents else."""
        return _unit(self.base)

    def __str__(self) -> str:
        table = self.table.to_string(index=False) if self.effects else "no point in common"
        refusals = [f"NO WINNER: {reason}" for reason in self.reasons]
        return "\n".join([self._headline(), "", table, *refusals])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        refusals = "<br>".join(f"NO WINNER: {html.escape(reason)}" for reason in self.reasons)
        table = self.table.to_html(index=False, border=0)
        return f"<p><b>{html.escape(self._headline())}</b></p>{table}<p>{refusals}</p>"

    def _headline(self) -> str:
        return f"{self.other.info.name} against {self.base.info.name}: throughput, and its ratio"


def run_value(comparison: Comparison, part: str, key: str) -> tuple[object, object]:
    """The two runs' values of one thing that run.json says."""
    base, other = (getattr(run.info, part).get(key) for run in (comparison.base, comparison.other))
    return base, other


def _unit(run: Run) -> str:
    return "docs_per_s" if run.info.simulated else "pages_per_s"


def _by_point(run: Run) -> pd.Series[float]:
    """The throughput of each measured cell, by (concurrency, repeat)."""
    repeats = {cell.cell: cell.repeat for cell in run.info.cells}
    table = throughputs(run)
    table["repeat"] = [repeats[str(cell)] for cell in table.index]
    return table.set_index(["concurrency", "repeat"])[_unit(run)]


def _effect(concurrency: int, rows: pd.DataFrame) -> Effect:
    base, other = rows["base"].to_numpy(), rows["other"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(other / base)
    low = high = math.nan
    if len(logs) > 1 and np.isfinite(logs).all():
        found = mean_interval(logs)
        low, high = math.exp(found.low), math.exp(found.high)
    ratio = float(np.exp(logs.mean()))
    return Effect(concurrency, base.mean(), other.mean(), ratio, low, high, len(rows))
