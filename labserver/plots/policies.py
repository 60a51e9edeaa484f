"""What tells the runs of a study apart, and how each of their policies looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labserver.bench.cells import places_of, policy_of, pool_of
from labserver.bench.store import Run
from labserver.plots.style import INK

# All of them show what was completed, and so its blue; markers and dashes tell them in grey.
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": INK["200"].colour, "marker": "o", "ls": "-"},
    {"color": "#56B4E9", "marker": "^", "ls": "--"},
    {"color": "#009E73", "marker": "D", "ls": "-."},
    {"color": "#5B7A99", "marker": "s", "ls": ":"},
    {"color": "#222222", "marker": "v", "ls": (0, (5, 1, 1, 1, 1, 1))},
    {"color": "#8A8A8A", "marker": "P", "ls": (0, (1, 1))},
)


def told_apart(runs: Sequence[Run]) -> list[str]:
    """A label for each run: of discipline, queue size and deadline, those in which they differ."""
    traits = [
        (
            policy_of(run),
            f"Q = {places_of(run)}",
            f"T = {run.info.server[f'{pool_of(run)}_timeout'] or float('inf'):g} s",
        )
        for run in runs
    ]
    differs = [len(set(column)) > 1 for column in zip(*traits, strict=True)]
    return [
        ", ".join(trait for trait, told in zip(row, differs, strict=True) if told) or row[0]
        for row in traits
    ]


def looks(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """A look for each label, in the order in which they come; a seventh looks as the first."""
    kinds = dict.fromkeys(labels)
    return {label: LOOKS[n % len(LOOKS)] for n, label in enumerate(kinds)}
