"""The pdf2image job: every page of a document as a PNG file in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass

from labserver.jobs.job import OnPage, Result
from labserver.jobs.stop import StopToken
from labserver.work.pdf.inspect import Document
from labserver.work.pdf.output import Output
from labserver.work.pdf.png import ppm_to_png
from labserver.work.pdf.poppler import rasterise

SIMULATED_DOCUMENT_S = 6.0


@dataclass(frozen=True, slots=True)
class PdfWork:
    """Converts a document's pages to image.01.png, image.02.png, … in the job's folder."""

    document: Document
    dpi: int
    output: Output
    job_id: str

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        """Raises Stopped when nobody waits any more, or what went wrong; then no page is left."""
        with self.output.folder(self.job_id) as folder:
            for page, raster in rasterise(self.document, self.dpi, stop):
                size = ppm_to_png(raster, folder / f"image.{page:02d}.png")
                self._check_size(page, size)
                on_page(page)
        pages = len(self.document.pages)
        return Result(f"job[pdf2image] finished, nPages={pages}", pages)

    def _check_size(self, page: int, size: tuple[int, int]) -> None:
        expected = self.document.pages[page - 1].pixels(self.dpi)
        # pdfinfo gives a page's size in six digits, which may round to the pixel beside.
        if any(abs(given - due) > 1 for given, due in zip(size, expected, strict=True)):
            raise RuntimeError(f"page {page} is {size} pixels and should be {expected}")


@dataclass(frozen=True, slots=True)
class SleepWork:
    """Sleeps `seconds` in place of converting a document."""

    seconds: float

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        """Raises Stopped at the deadline."""
        stop.sleep(self.seconds)
        return Result(f"job[pdf2image] finished: {self.seconds:g} s of simulated work")
