"""Two runs side by side: how much faster, how sure, and whether they may be compared at all."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from labserver.bench.cells import is_open, throughputs
from labserver.bench.stats import mean_interval
from labserver.bench.store import Run

# Runs on machines that differ in one of these say nothing about the servers.
MACHINE = ("cpu", "cores", "memory_gb")
DOCUMENT = ("name", "sha256")


@dataclass(frozen=True, slots=True)
class Effect:
    """How many times the base's throughput the other run has at one load.

    That is a concurrency, or the rate of an open loop as a share of each run's own capacity.

    `low` and `high` are the 95 % interval of the ratio, from the logarithms of the repeats' ratios
    (Student's t); they are NaN when there is one repeat only.
    """

    load: float
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
        """One for each load that both runs have, smallest first."""
        if is_open(self.base) != is_open(self.other):
            return []
        both = {"base": self.points(self.base), "other": self.points(self.other)}
        paired = pd.concat(both, axis=1, join="inner")
        return [_effect(float(str(load)), rows) for load, rows in paired.groupby(level="load")]

    def points(self, run: Run) -> pd.Series[float]:
        """The throughput of each measured cell of one of the two, by (load, repeat)."""
        repeats = {cell.cell: cell.repeat for cell in run.info.cells}
        table = throughputs(run)
        table["repeat"] = [repeats[str(cell)] for cell in table.index]
        rate = table["rate_per_s"] / (run.info.client["capacity_per_s"] if self._relative else 1)
        table["load"] = table["concurrency"].where(table["concurrency"] > 0, rate.round(6))
        return table.set_index(["load", "repeat"])[self.unit]

    @property
    def axis(self) -> str:
        """What a load is here: "N" at once, a rate "of cap."acity, or a "rate/s"."""
        if not is_open(self.base):
            return "N"
        return "of cap." if self._relative else "rate/s"

    @property
    def _relative(self) -> bool:
        """Whether both rates were planned so: unlike servers then meet at the same utilisation."""
        return all("capacity_per_s" in run.info.client for run in (self.base, self.other))

    @property
    def table(self) -> pd.DataFrame:
        """The effects as text, for a reader."""
        unit = "pages/s" if self.unit == "pages_per_s" else "docs/s"
        winner = not self.reasons
        return pd.DataFrame(
            {
                self.axis: f"{e.load:.4g}",
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
        return "docs_per_s" if self.base.info.simulated else "pages_per_s"

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


def _effect(load: float, rows: pd.DataFrame) -> Effect:
    base, other = rows["base"].to_numpy(), rows["other"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(other / base)
    low = high = math.nan
    if len(logs) > 1 and np.isfinite(logs).all():
        found = mean_interval(logs)
        low, high = math.exp(found.low), math.exp(found.high)
    ratio = float(np.exp(logs.mean()))
    return Effect(load, base.mean(), other.mean(), ratio, low, high, len(rows))
