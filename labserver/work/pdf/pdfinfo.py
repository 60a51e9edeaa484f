"""poppler's pdfinfo, run within bounds of time, memory and output. What it says is read elsewhere.

pdf2image has a function for this, but that keeps in memory whatever pdfinfo writes, and of a
damaged document it complains at up to 50 MB a second.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE

from labserver.work.pdf.limits import Limits
from labserver.work.pdf.ulimit import bounded

TIMEOUT_S = 5.0
# A page takes some 60 bytes, so that this holds thousands of them.
MOST_BYTES = 1 << 20


def about(path: Path, limits: Limits) -> tuple[int, str]:
    """pdfinfo's exit status, negative when it was killed, and what it says of a document.

    Count and sizes come from one run: a last page beyond the document's is no error to pdfinfo.
    """
    with _run(path, limits, stdout=PIPE, stderr=DEVNULL) as process:
        assert process.stdout is not None
        said = process.stdout.read(MOST_BYTES)
        if len(said) == MOST_BYTES:
            process.kill()
        return process.wait(), said.decode("utf-8", "replace")


def complaints(path: Path, limits: Limits) -> str:
    """The beginning of what pdfinfo complains of in a document."""
    with _run(path, limits, stdout=DEVNULL, stderr=PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read(MOST_BYTES)
        process.kill()
        return said.decode("utf-8", "replace")


@contextmanager
def _run(
    path: Path, limits: Limits, *, stdout: int, stderr: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A pdfinfo that is killed when it takes too long, and has ended when the block is left."""
    last = str(limits.max_pages)
    command = bounded(["pdfinfo", "-f", "1", "-l", last, str(path.absolute())], limits)
    with subprocess.Popen(command, stdin=DEVNULL, stdout=stdout, stderr=stderr) as process:
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
