"""A run's folder: written once while it runs, read back any number of times, without a server."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from labserver.bench.perfetto import trace_of
from labserver.bench.records import (
    EVENT_COLUMNS,
    LATER_COLUMNS,
    PROBE_COLUMNS,
    REQUEST_COLUMNS,
    SAMPLE_COLUMNS,
    RunInfo,
)
from labserver.errors import RunFormatError

RESULTS = Path(__file__).resolve().parents[2] / "results"
TIMED = re.compile(r"20\d{6}-")  # the name of a run that was given none

TABLES = {
    "requests": REQUEST_COLUMNS,
    "events": EVENT_COLUMNS,
    "samples": SAMPLE_COLUMNS,
    "probes": PROBE_COLUMNS,
}
TEXT_COLUMNS = {
    "cell", "phase", "outcome", "job_id", "worker", "error", "event", "pool",
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Run:
    """A saved run, read back.

    `requests`, `events`, `samples` and `probes` are the raw tables (records.py names their
    columns); everything else is derived from them.
    """

    path: Path
    info: RunInfo
    requests: pd.DataFrame
    events: pd.DataFrame
    samples: pd.DataFrame
    probes: pd.DataFrame

    @property
    def measured(self) -> pd.DataFrame:
        """The measured requests, without warm-up, and with `latency_s` and their cell's load.

        That is its `concurrency` or its `rate_per_s`; the other is 0. It is a copy.
        """
        return self._measured.copy()

    @cached_property
    def _measured(self) -> pd.DataFrame:
        rows = self.requests[self.requests["phase"] == "measured"].copy()
        rows["latency_s"] = rows["done_s"] - rows["intended_s"]
        for load in ("concurrency", "rate_per_s"):
            rows[load] = rows["cell"].map({c.cell: getattr(c, load) for c in self.info.cells})
        return rows

    def __repr__(self) -> str:
        cells = sum(cell.phase == "measured" for cell in self.info.cells)
        return (
            f"Run({str(self.path)!r}: {self.info.mode} {self.info.kind}, "
            f"{cells} {'cell' if cells == 1 else 'cells'}, "
            f"{len(self.measured)} requests, {self.info.verdict})"
        )


def write_run(
    folder: Path, info: RunInfo, tables: Mapping[str, Iterable[Mapping[Any, Any]]]
) -> None:
    """Write a run's tables, their trace.json and then run.json, which says that all is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in TABLES.items():
        write_table(folder / f"{name}.csv", columns, tables.get(name, ()))
    requests, events = (
        read_table(folder / f"{name}.csv", TABLES[name]) for name in ("requests", "events")
    )
    trace = json.dumps(
        trace_of(info.cells, requests, events), separators=(",", ":"), allow_nan=False
    )
    (folder / "trace.json").write_text(trace, encoding="utf-8")
    write_info(folder, info)


def write_info(folder: Path, info: RunInfo) -> None:
    """Write run.json."""
    text = json.dumps(info.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8")


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Mapping[Any, Any]]) -> None:
    """Write rows under a header of `columns`, in that order."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_run(folder: Path | str) -> Run:
    """Read a run's folder back. Raises RunFormatError, which says what is missing or unreadable."""
    folder = Path(folder)
    try:
        info = RunInfo.from_json(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise RunFormatError(f"{folder} is not a finished run: it has no run.json") from error
    except ValueError as error:
        raise RunFormatError(f"{folder / 'run.json'}: {error}") from error
    tables = {name: read_table(folder / f"{name}.csv", TABLES[name]) for name in TABLES}
    return Run(path=folder, info=info, **tables)


def read_runs(folder: Path | str) -> list[Run]:
    """The finished runs in the folders below `folder`, by name: a study, whose runs differ in one
    thing. Raises RunFormatError when there is none.
    """
    runs = [read_run(file.parent) for file in sorted(Path(folder).glob("*/run.json"))]
    if not runs:
        raise RunFormatError(f"{folder} is not a finished run, nor a folder of such: no run.json")
    return runs


def kept_runs(folder: Path = RESULTS) -> list[Run]:
    """The valid runs at any depth below `folder` that were given a name, by path.

    What cannot be read is left out.
    """
    places = [file.parent.relative_to(folder) for file in sorted(folder.rglob("run.json"))]
    runs = []
    for place in places:
        if not any(TIMED.match(part) for part in place.parts):
            with suppress(RunFormatError):
                runs.append(read_run(folder / place))
    return [run for run in runs if run.info.verdict == "valid"]


def read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a table: text stays text ("" when empty), the rest is numbers (NaN when empty)."""
    columns = list(columns)
    text = {column: "string" for column in columns if column in TEXT_COLUMNS}
    try:
        table = pd.read_csv(path, dtype=text)
        if table.empty:  # with no row to see it by, pandas would take numbers for objects
            table = table.astype({column: float for column in table if column not in text})
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing from its run") from error
    for column in set(LATER_COLUMNS) & set(columns) - set(table):
        table[column] = math.nan
    if missing := [column for column in columns if column not in table]:
        raise RunFormatError(f"{path} lacks the columns {', '.join(missing)}")
    return table.fillna(dict.fromkeys(text, ""))
