"""A conversion without a server: what a worker does, in the calling thread, for who measures it."""

from __future__ import annotations

import atexit
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from labserver.jobs.job import Result
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.work.pdf import scratch
from labserver.work.pdf.convert import PdfWork
from labserver.work.pdf.inspect import DPI, inspect
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output
from labserver.work.pdf.ulimit import bounded_poppler

DEADLINE_S = 3600


def converter(document: Path, folder: Path, dpi: int = DPI) -> Callable[[], Result]:
    """A function that converts `document` with poppler, each time into a new folder in `folder`.

    The document is inspected now, as a server inspects its sample when it starts; `folder` keeps
    the pages of the last conversion. Raises InvalidJob when it is not a PDF that we convert,
    StartupError when poppler is not installed.
    """
    atexit.register(scratch.remove_own)
    poppler = bounded_poppler(Limits())
    inspected, output = inspect(document, dpi), Output(folder, keep=1)

    def convert() -> Result:
        stop = StopToken(time.monotonic_ns() + DEADLINE_S * NS_PER_S)
        return PdfWork(inspected, dpi, output, str(uuid.uuid4()), poppler)(stop, lambda page: None)

    return convert
