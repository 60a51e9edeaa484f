"""A conversion on another machine: the document goes there with it, and the pages come back."""

from __future__ import annotations

import atexit
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.stop import StopToken
from labserver.work.pdf import scratch
from labserver.work.pdf.convert import PdfWork
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output
from labserver.work.pdf.ulimit import bounded_poppler

# Fewer pixels than four A4 pages at 200 dpi have come back as bytes even where the output folder is
# shared: some 5 MB, and a network's file system may show a new folder seconds late.
FEW_PIXELS = 16_000_000
MOST_BYTES = 256_000_000

Brought = tuple[Result, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class PdfAbroad:
    """`work` as a server would do it itself, to be done on a machine that may share no folder.

    `mark` is a file in the output folder. Where it is seen the folder is shared, and the pages of a
    large document are written there; otherwise they come back as bytes. `lasting` documents are
    wanted by many jobs.
    """

    work: PdfWork
    limits: Limits
    mark: Path
    lasting: bool

    @property
    def document(self) -> Path:
        """The document's file, at the server."""
        return self.work.document.path

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        """At the server: do it there."""
        return self.work(stop, on_page)

    def abroad(self, document: Path, run: Callable[[Task], Result]) -> Brought:
        """At the other machine: convert `document`; `run` does the work.

        Raises what the work raises, and RuntimeError when the pages are too large to be sent.
        """
        here = replace(
            self.work,
            document=replace(self.work.document, path=document),
            poppler_path=_poppler(self.limits) if self.work.engine == "poppler" else None,
            scratch=scratch.scratch_root(),
        )
        if self._is_large and self.mark.is_file():
            return run(here), ()
        prefix = f"{scratch.PREFIX}{os.getpid()}-"  # who clears up after a killed worker finds it
        with tempfile.TemporaryDirectory(prefix=prefix) as folder:
            result = run(replace(here, output=Output(Path(folder), keep=1)))
            return result, _read(Path(folder) / self.work.job_id)

    def come_home(self, brought: Brought) -> Result:
        """At the server: write the pages that were sent, all or none."""
        result, pages = brought
        if pages:
            with self.work.output.folder(self.work.job_id) as folder:
                for number, page in enumerate(pages, start=1):
                    (folder / f"image.{number:02d}.png").write_bytes(page)
        return result

    def clean_up(self) -> None:
        """Remove what a machine that was lost has left in the shared folder."""
        self.work.clean_up()

    @property
    def _is_large(self) -> bool:
        pages = self.work.document.pages
        return sum(math.prod(page.pixels(self.work.dpi)) for page in pages) > FEW_PIXELS


def _read(folder: Path) -> list[bytes]:
    files = sorted(folder.iterdir(), key=lambda file: int(file.name.split(".")[1]))
    if sum(file.stat().st_size for file in files) > MOST_BYTES:
        raise RuntimeError(
            f"the pages take more than the {MOST_BYTES // 10**6} MB that are sent: let "
            "--output-dir be a folder that the server shares with the cluster's workers"
        )
    return [file.read_bytes() for file in files]


@cache
def _poppler(limits: Limits) -> Path | None:
    """Made once for each process that works for others; see `bounded_poppler`."""
    atexit.register(scratch.remove_own)
    return bounded_poppler(limits)
