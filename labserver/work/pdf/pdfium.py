"""The PDFium engine. PDFium bears no second thread: import this in a process that has one job."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY, FPDF_LoadMemDocument

from labserver.errors import InvalidJob
from labserver.jobs.stop import StopToken
from labserver.work.pdf.document import POINTS_PER_INCH, Document, PageSize
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.lookalike import why_not_a_pdf
from labserver.work.pdf.raster import Drawn, Pages, Raster, Turn, Turned


def rasterise(document: Document, dpi: int, stop: StopToken, turn: Turn = "pixels") -> Pages:
    """Yield (page number, raster) for each page in order; there is one page's raster at a time.

    Raises Stopped between pages when nobody waits any more.
    """
    with closing(pypdfium2.PdfDocument(document.path)) as pdf:
        pdf.init_forms()  # what a form's fields hold is drawn, as poppler does
        for number in range(1, len(document.pages) + 1):
            stop.check()
            yield number, _rendered(pdf, number, dpi, turn)


def _rendered(pdf: pypdfium2.PdfDocument, number: int, dpi: int, turn: Turn) -> Raster:
    """A page on white, as it is shown, as RGB."""
    with closing(pdf[number - 1]) as page:
        turned_deg = page.get_rotation() if turn == "pixels" else 0
        # PDFium turns it back, so that it is drawn as it lies: see lying.py.
        bitmap = page.render(
            scale=dpi / POINTS_PER_INCH, rotation=-turned_deg % 360, rev_byteorder=True
        )
    pixels = bitmap.to_numpy()
    return Turned(pixels, turned_deg) if turned_deg else Drawn(pixels)


def inspect(path: Path, dpi: int, limits: Limits) -> Document:
    """A document's pages as PDFium sees them, held against `limits` at `dpi`.

    Raises InvalidJob with a reason when it is not a PDF that we convert.
    """
    with closing(_opened(path)) as pdf:
        limits.check_count(len(pdf))
        sizes = (_size(pdf, index) for index in range(len(pdf)))
        return Document.checked(path, sizes, dpi, limits)


def _opened(path: Path) -> pypdfium2.PdfDocument:
    # For some documents PDFium has no error of its own and would still name the one before.
    FPDF_LoadMemDocument(b"", 0, None)
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == FPDF_ERR_PASSWORD:
            reason = "the document is encrypted and needs a password"
        elif error.err_code == FPDF_ERR_SECURITY:
            reason = "the document is encrypted in a way that this server cannot read"
        else:
            reason = why_not_a_pdf(path)
        raise InvalidJob(reason) from error


def _size(pdf: pypdfium2.PdfDocument, index: int) -> PageSize:
    try:
        return PageSize(*pdf.get_page_size(index))
    except pypdfium2.PdfiumError:  # no such page: no area, for which it is refused
        return PageSize(0.0, 0.0)
