"""Two servers in turn: both are saved, and the one's leftovers do not meet the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from labserver.bench.recording import Recording
from labserver.bench.sweep import Plan
from labserver.bench.versus import Contender, contender, versus
from labserver.settings import Settings


def converting() -> list[str]:
    """The pdftoppm below this process that convert."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if child.name() == "pdftoppm" and "-r" in child.cmdline():
                found.append(child.name())
        except psutil.NoSuchProcess:
            continue
    return found


def test_two_sets_of_flags_are_measured_in_turn_and_compared(tmp_path: Path) -> None:
    settings = Settings(engine="sleep", time_scale=0.01)
    ours, theirs = Contender("labserver", settings), contender("--dispatch shared", settings)
    pair = asyncio.run(versus(Plan((1, 2), 2), ours, theirs, tmp_path, progress=False))
    assert [effect.load for effect in pair.effects] == [1, 2]
    assert pair.other.info.server["dispatch"] == "least-busy"
    assert pair.base.info.server["dispatch"] == "shared"
    assert {path.name for path in tmp_path.iterdir()} == {"labserver", "shared"}
    assert not psutil.Process().children()


def test_a_cell_ends_when_the_work_that_nobody_waits_for_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original goes on converting after its 504; the next cell must not meet that."""
    left: list[list[str]] = []
    real = Recording.cell

    async def cell(self: Recording, *about: object) -> object:
        answers = await real(self, *about)  # type: ignore[arg-type]
        left.append(converting())
        return answers

    monkeypatch.setattr(Recording, "cell", cell)
    settings = Settings(dpi=100, pdf_timeout=0.2)
    theirs = contender("original", settings)
    pair = asyncio.run(
        versus(Plan((2,), 1), Contender("labserver", settings), theirs, tmp_path, progress=False)
    )
    assert set(pair.base.measured["status"]) == {504}
    assert left == [[]] * 4
