"""What the sampler sees of a server's files, which come and go while it looks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labserver.bench.sampler import size


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    for job in ("a", "b"):
        (tmp_path / job).mkdir()
        (tmp_path / job / "page.ppm").write_bytes(b"12345")
    return tmp_path


def test_it_counts_the_bytes_of_all_files_below(scratch: Path) -> None:
    assert size(scratch) == 10


def test_it_passes_over_what_has_gone(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Path.stat

    def stat(self: Path, **how: bool) -> object:
        """Look at a file; the folder of the other job has gone by then."""
        seen = look(self, **how)
        if self.name == "page.ppm":
            shutil.rmtree(scratch / ("b" if self.parent.name == "a" else "a"), ignore_errors=True)
        return seen

    monkeypatch.setattr(Path, "stat", stat)
    assert size(scratch) == 5
