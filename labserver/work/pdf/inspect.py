"""What a document is, before anything is spent on converting it."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdf2image import pdfinfo_from_path
from pdf2image.exceptions import (
    PDFInfoNotInstalledError,
    PDFPageCountError,
    PDFPopplerTimeoutError,
)

from labserver.errors import InvalidJob, StartupError

POINTS_PER_INCH = 72
PDFINFO_TIMEOUT_S = 10
INSTALL = {
    "linux": "apt-get install poppler-utils (Debian, Ubuntu) or dnf install poppler-utils (Fedora)",
    "darwin": "brew install poppler",
    "win32": "winget install oschwartz10612.Poppler, then open a new terminal",
}
SIZE = re.compile(r"([\d.]+) x ([\d.]+) pts")


@dataclass(frozen=True, slots=True)
class PageSize:
    """A page's crop box as it is shown, rotation applied, in points of 1/72 inch."""

    width_pt: float
    height_pt: float

    def pixels(self, dpi: int) -> tuple[int, int]:
        """Width and height in pixels at `dpi`, rounded up as poppler does."""
        scale = dpi / POINTS_PER_INCH
        return math.ceil(self.width_pt * scale), math.ceil(self.height_pt * scale)


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF that can be converted: where it is and how large its pages are."""

    path: Path
    pages: tuple[PageSize, ...]


def inspect(path: Path) -> Document:
    """Read a document's pages with poppler's pdfinfo.

    Raises InvalidJob with a reason when it is not a PDF that we can convert, StartupError when
    pdfinfo is not installed.
    """
    info = _pdfinfo(path)
    if int(info["Pages"]) < 1:
        raise InvalidJob("the document has no pages")
    info = _pdfinfo(path, last_page=int(info["Pages"]))
    return Document(path, tuple(_page_size(info, n + 1) for n in range(int(info["Pages"]))))


def _pdfinfo(path: Path, last_page: int | None = None) -> dict[str, Any]:
    pages: dict[str, Any] = {} if last_page is None else {"first_page": 1, "last_page": last_page}
    try:
        info = pdfinfo_from_path(str(path), timeout=PDFINFO_TIMEOUT_S, **pages)
    except PDFInfoNotInstalledError as error:
        raise StartupError(
            f"poppler is not installed: {INSTALL.get(sys.platform, INSTALL['linux'])}; "
            "or only simulate the work: --engine sleep"
        ) from error
    except PDFPopplerTimeoutError as error:
        raise InvalidJob(f"the document could not be read in {PDFINFO_TIMEOUT_S} s") from error
    except PDFPageCountError as error:
        raise InvalidJob(_reason(path, str(error))) from error
    # pdfinfo pads page numbers with spaces: "Page    1 size".
    return {" ".join(key.split()): value for key, value in info.items()}


def _reason(path: Path, poppler_says: str) -> str:
    if "Incorrect password" in poppler_says:
        return "the document is encrypted and needs a password"
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            return "the file is not a PDF"
    return "the document is damaged and cannot be read"


def _page_size(info: dict[str, Any], number: int) -> PageSize:
    """A page's size from pdfinfo's lines `Page N size` and `Page N rot`."""
    found = SIZE.search(str(info.get(f"Page {number} size", "")))
    if found is None:
        raise InvalidJob(f"page {number} of the document has no size")
    width_pt, height_pt = float(found[1]), float(found[2])
    if int(info.get(f"Page {number} rot", 0)) % 180:
        width_pt, height_pt = height_pt, width_pt
    return PageSize(width_pt, height_pt)
