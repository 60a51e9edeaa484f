"""What a document is, before anything is spent on converting it. It believes no document."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

from labserver.errors import InvalidJob
from labserver.settings import Settings
from labserver.work.pdf import pdfinfo
from labserver.work.pdf.document import Document, PageSize
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.lookalike import why_not_a_pdf

DPI: int = Settings.model_fields["dpi"].default
OPENING_FAILED = 1
SIZE = re.compile(r"^Page +(\d+) size: +(\S+) x (\S+) pts", re.MULTILINE)
ROTATION = re.compile(r"^Page +(\d+) rot: +(-?\d+)", re.MULTILINE)
COUNT = re.compile(r" *(\d+)")
DEFAULT = Limits()


def inspect(path: Path, dpi: int = DPI, limits: Limits = DEFAULT) -> Document:
    """Read a document's pages with poppler's pdfinfo, and hold them against `limits` at `dpi`.

    Sizes are what pdftoppm makes of them: of the crop box where it lies in the media box, 612 x 792
    where there is neither, and without the UserUnit, which poppler does not know.

    Raises InvalidJob with a reason when it is not a PDF that we convert, StartupError when pdfinfo
    is not installed.
    """
    status, said = pdfinfo.about(path, limits)
    if status < 0:
        raise InvalidJob(_too_hard(limits))
    if status == OPENING_FAILED:
        raise InvalidJob(_why_not_opened(path, limits))
    # A title may hold any line; pdfinfo writes it before the count, and its own words after.
    _, _, about_pages = said.rpartition("\nPages:")
    counted = COUNT.match(about_pages)
    count = int(counted[1]) if counted else 0
    limits.check_count(count)
    return Document.checked(path, _page_sizes(about_pages, count), dpi, limits)


def _page_sizes(about_pages: str, count: int) -> Iterable[PageSize]:
    """Each page's size from pdfinfo's lines `Page N size` and `Page N rot`."""
    sizes = {int(n): (_points(x), _points(y)) for n, x, y in SIZE.findall(about_pages)}
    turned = {int(n): int(degrees) for n, degrees in ROTATION.findall(about_pages)}
    for number in range(1, count + 1):
        across = sizes.get(number, (0.0, 0.0))
        deg = turned.get(number, 0)
        yield PageSize(*(across[::-1] if deg in (90, 270) else across), deg)


def _points(text: str) -> float:
    """A length as C prints it: `595.28`, `1e+09`, `inf`, `-nan`."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _too_hard(limits: Limits) -> str:
    return (
        "the document could not be read: that crashed pdfinfo or takes more than "
        f"{pdfinfo.TIMEOUT_S:g} s or {limits.max_memory_mb} MB (--max-memory-mb)"
    )


def _why_not_opened(path: Path, limits: Limits) -> str:
    """The reason why poppler could not open a document, in a user's words."""
    complaints = pdfinfo.complaints(path, limits)
    if "Incorrect password" in complaints:
        return "the document is encrypted and needs a password"
    if "security handler" in complaints:
        return "the document is encrypted in a way that this server cannot read"
    if "Out of memory" in complaints:
        return _too_hard(limits)
    return why_not_a_pdf(path)
