"""The inspection of a document as a piece of work, for an engine that runs in a process apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labserver.jobs.job import OnPage
from labserver.jobs.stop import StopToken
from labserver.work.pdf.document import Document
from labserver.work.pdf.limits import Limits


@dataclass(frozen=True, slots=True)
class Inspection:
    """Inspects a document through PDFium."""

    path: Path
    dpi: int
    limits: Limits

    def __call__(self, stop: StopToken, on_page: OnPage) -> Document:
        """Raises InvalidJob with a reason when it is not a PDF that we convert."""
        from labserver.work.pdf import pdfium

        return pdfium.inspect(self.path, self.dpi, self.limits)
