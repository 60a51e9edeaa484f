"""The pdf2image job: every page of a document as a PNG file in a folder of its own."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from labserver.jobs.job import OnPage, Result
from labserver.jobs.stop import StopToken
from labserver.work.pdf.document import Document
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output
from labserver.work.pdf.png import Mode, save_png
from labserver.work.pdf.raster import Pages, Turn
from labserver.work.pdf.scratch import remove, scratch_folder, scratch_root
from labserver.work.pdf.ulimit import bound_own_memory

Engine = Literal["poppler", "pdfium"]


@dataclass(frozen=True, slots=True)
class PdfWork:
    """Converts a document's pages to image.01.png, image.02.png, … in the job's folder.

    It may be pickled and run in another process. `scratch` is the folder under which the process
    that made it keeps its scratch.
    """

    document: Document
    dpi: int
    output: Output
    job_id: str
    poppler_path: Path | None = None
    engine: Engine = "poppler"
    png: Mode = "fast"
    turn: Turn = "pixels"
    scratch: Path = field(default_factory=scratch_root)

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        """Raises Stopped when nobody waits any more, or what went wrong; then no page is left."""
        with (
            self.output.folder(self.job_id) as folder,
            scratch_folder(self.scratch / self.job_id) as scratch,
            closing(self._rasterise(scratch, stop)) as pages,
        ):
            for page, raster in pages:
                self._check_size(page, raster.size)
                png = folder / f"image.{page:02d}.png"
                save_png(raster, png, self.png)
                del raster  # its memory is free while the next page is drawn
                on_page(page)
        count = len(self.document.pages)
        return Result(f"job[pdf2image] finished, nPages={count}", count)

    def clean_up(self) -> None:
        """Remove what a run that was killed has left."""
        self.output.discard(self.job_id)
        remove(self.scratch / self.job_id)

    def _rasterise(self, scratch: Path, stop: StopToken) -> Pages:
        # Each engine is loaded where it works, and PDFium nowhere else.
        if self.engine == "pdfium":
            from labserver.work.pdf import pdfium

            return pdfium.rasterise(self.document, self.dpi, stop, self.turn)
        from labserver.work.pdf import poppler

        return poppler.rasterise(
            self.document, self.dpi, scratch, stop, self.poppler_path, self.turn
        )

    def _check_size(self, page: int, size: tuple[int, int]) -> None:
        expected = self.document.pages[page - 1].pixels(self.dpi)
        # pdfinfo gives a page's size in six digits, which may round to the pixel beside.
        within = [abs(due - n) <= 1 + due * 1e-5 for n, due in zip(size, expected, strict=True)]
        if not all(within):
            raise RuntimeError(f"page {page} is {size} pixels and should be {expected}")


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a process that is to convert does before its first document: it loads the engine.

    One with PDFium in it also takes the bounds of `limits` on itself; pdftoppm has its own.
    """

    engine: Engine
    limits: Limits

    def __call__(self) -> None:
        """Takes some 0.2 s."""
        if self.engine == "pdfium":
            from labserver.work.pdf import pdfium  # noqa: F401

            bound_own_memory(self.limits)
        else:
            from labserver.work.pdf import poppler  # noqa: F401


@dataclass(frozen=True, slots=True)
class SleepWork:
    """Sleeps `seconds` in place of converting a document."""

    seconds: float

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        """Raises Stopped at the deadline."""
        stop.sleep(self.seconds)
        return Result(f"job[pdf2image] finished: {self.seconds:g} s of simulated work")
