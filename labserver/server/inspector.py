"""The inspection of documents through PDFium, in a process of its own: never in the server's."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from labserver.errors import InvalidJob, ProcessDied, Stopped
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.runners.process import ProcessRunner
from labserver.work.pdf.convert import Preparation
from labserver.work.pdf.document import Document
from labserver.work.pdf.inspection import Inspection
from labserver.work.pdf.limits import Limits

TIMEOUT_S = 10.0


class Inspector:
    """Entered, it has a warm process; a second document waits until the first is inspected."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._runner = ProcessRunner(1, Preparation("pdfium", limits))

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.__exit__(kind, error, traceback)

    def inspect(self, path: Path, dpi: int) -> Document:
        """A document's pages as PDFium sees them, held against the limits at `dpi`.

        Raises InvalidJob with a reason when it is not a PDF that we convert, or when reading it
        takes too long or the process with it.
        """
        stop = StopToken(time.monotonic_ns() + round(TIMEOUT_S * NS_PER_S))
        timer = threading.Timer(TIMEOUT_S, stop.request)
        timer.start()
        try:
            return self._runner.run(Inspection(path, dpi, self._limits), stop, lambda page: None)
        except Stopped as error:
            raise InvalidJob(f"the document could not be read in {TIMEOUT_S:g} s") from error
        except ProcessDied as error:
            raise InvalidJob("the document is damaged and cannot be read") from error
        finally:
            timer.cancel()
