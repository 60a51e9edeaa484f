"""A forecast as a reader sees it: its table, what it rests on, and how far off it was before."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from labserver.bench.model import Model
from labserver.bench.stats import mean_interval
from labserver.bench.store import Run
from labserver.bench.wording import joined, numbers, wrapped
from labserver.theory.distributions import Empirical
from labserver.theory.sharing import Cores


@dataclass(frozen=True, eq=False)
class Backtest:
    """A model's `table` for N that were measured, too: `measured_per_s` beside `docs_per_s`."""

    service: Empirical
    cores: Cores
    table: pd.DataFrame

    @property
    def error(self) -> pd.Series[float]:
        """Predicted over measured, less 1, by N: above 0 the model promised too much."""
        return self.table["docs_per_s"] / self.table["measured_per_s"] - 1

    def __str__(self) -> str:
        return ", ".join(f"{error:+z.1%} at N = {n}" for n, error in self.error.items())


@dataclass(frozen=True, repr=False, eq=False)
class Prediction:
    """What `model` says of a machine, from the jobs that `run` had alone.

    `sweeps` holds a table for each thing that may be assumed of the cores: "cores", each as fast
    as one alone; "slowed", as slow as the run's own were when all of them were busy; "16 threads",
    each as good as a core.
    """

    run: Run
    model: Model
    full_speed: float
    sweeps: Mapping[str, pd.DataFrame]
    backtests: Sequence[Backtest]

    @property
    def table(self) -> pd.DataFrame:
        """The raw numbers, a row a case and N."""
        return pd.concat(dict(self.sweeps), names=["case"]).reset_index()

    def __str__(self) -> str:
        notes = [line for note in self._notes() for line in wrapped(note)]
        shown = self._shown().to_string(index=False)
        return "\n".join([*joined(self._headline()), "", shown, "", *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        headline = html.escape(" · ".join(self._headline()))
        notes = "<br>".join(html.escape(note) for note in self._notes())
        return (
            f"<p><b>{headline}</b></p>{self._shown().to_html(index=False, border=0)}<p>{notes}</p>"
        )

    def _shown(self) -> pd.DataFrame:
        """The table as the text that a reader sees."""
        sweep = self.sweeps["cores"]
        shown = pd.DataFrame({"N": sweep.index.astype(str)})
        for name, case in self.sweeps.items():
            shown["docs/s" if name == "cores" else name] = _rates(case)
        if pages := self.run.info.document.get("pages"):
            shown.insert(2, "pages/s", numbers(pages * sweep["docs_per_s"]))
        for column in ("last", "mean", "queue", "process"):
            if f"{column}_s" in sweep:
                name = {"queue": "wait", "process": "work"}.get(column, column)
                shown[f"{name} s"] = numbers(sweep[f"{column}_s"])
        if (sweep["completed"] < 1).any():
            shown["done"] = [f"{share:.0%}" for share in sweep["completed"]]
        return shown

    def _headline(self) -> list[str]:
        info = self.run.info
        return [
            f"{info.name} on {self.model.target}: a forecast, nothing of it is measured",
            *(["SIMULATED WORK"] if info.simulated else []),
            f"S from {info.machine['cpu']}, {info.machine['cores']} cores",
            info.document["name"],
            f"{self.model.draws} draws, seed {self.model.seed}",
        ]

    def _notes(self) -> list[str]:
        return [
            self._service_note(),
            self._load_note(),
            *self._case_notes(),
            'Not modelled: memory bandwidth and caches, but for what "slowed" takes of them; the '
            "clock rate under load; queues of each worker's own, in place of one for all; the "
            "overhead of HTTP.",
            *self._error_notes(),
        ]

    def _service_note(self) -> str:
        times_s = self.model.service.samples_s
        if times_s.size == 1:
            return f"S = {times_s[0]:.4g} s, of one job alone: no interval can be given."
        spread = mean_interval(times_s)
        return (
            f"S = {spread.estimate:.4g} s [{spread.low:.4g}, {spread.high:.4g}], the mean of "
            f"{spread.n} jobs alone, of which each job of the forecast takes its own time."
        )

    def _load_note(self) -> str:
        target, think_s = self.model.target, self.model.think_s
        load = (
            "A burst of N, to its last reply"
            if think_s is None
            else f"N clients in a closed loop who think for {think_s:g} s"
        )
        return (
            f"{load}, simulated: {target.workers} workers take jobs in order and share the cores "
            "fairly (processor sharing, μ(n) = min(n, m)/S). Medians, and in brackets 95 % of the "
            "draws: how sure S is, and chance. The model's own errors stand below."
        )

    def _case_notes(self) -> list[str]:
        target, notes = self.model.target, []
        if "slowed" in self.sweeps:
            own = self.run.info.machine["cores"]
            notes.append(
                f"slowed: with all cores busy each does {self.full_speed:.0%} of what one does "
                f"alone, as this run's {own} did. That others lose as much is an assumption."
            )
        if target.threads > target.cores:
            notes.append(
                f"{target.threads} threads: as if each were a core, which none is; docs/s is as if "
                "they added nothing. The truth lies between."
                if target.workers > target.cores
                else f"{target.threads} threads change nothing here: {target.workers} workers have "
                "a core each."
            )
        return notes

    def _error_notes(self) -> list[str]:
        if not self.backtests:
            return ["Untested: the run measured no N above 1 that the model could be held against."]
        names = ["from its jobs alone", "slowed as it was with its cores full"]
        return [
            f"Held against this run itself, {name}: off by {test}."
            for name, test in zip(names, self.backtests, strict=False)
        ]


def _rates(case: pd.DataFrame) -> list[str]:
    columns = (numbers(case[f"docs_per_s{bound}"]) for bound in ("", "_low", "_high"))
    return [
        f"{rate} [{low}, {high}]" if low != "–" else rate
        for rate, low, high in zip(*columns, strict=True)
    ]
