"""Where finished pages go: one folder a job, whole or not at all, and only the newest are kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PART = ".part"
STALE_AFTER_S = 86_400


@dataclass(frozen=True, slots=True)
class Output:
    """Job folders under `root`, of which the newest `keep` stay."""

    root: Path
    keep: int

    @contextmanager
    def folder(self, job_id: str) -> Iterator[Path]:
        """A folder to write a job's pages into; it gets the job's name when the block succeeds."""
        part = self.root / (job_id + PART)
        part.mkdir(parents=True)
        try:
            yield part
            part.replace(self.root / job_id)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._remove_oldest()

    def discard(self, job_id: str) -> None:
        """Remove the pages of a job whose process died before it came to its end."""
        shutil.rmtree(self.root / (job_id + PART), ignore_errors=True)

    def remove_stale(self) -> None:
        """Remove what killed servers left unfinished: nothing has changed there for a day."""
        for part in self.root.glob(f"*{PART}"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > STALE_AFTER_S:
                    shutil.rmtree(part, ignore_errors=True)

    def _remove_oldest(self) -> None:
        # Several workers may do this at once: what another has just removed is none of our concern.
        ages: list[tuple[float, Path]] = []
        for folder in self.root.iterdir():
            with suppress(FileNotFoundError):
                if folder.suffix != PART and folder.is_dir():
                    ages.append((folder.stat().st_mtime, folder))
        for _, folder in sorted(ages)[: -self.keep]:
            shutil.rmtree(folder, ignore_errors=True)
