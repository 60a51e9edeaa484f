"""The poppler engine: pdf2image writes a few pages at a time as PPM files into a scratch folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pdf2image import convert_from_path
from pdf2image.exceptions import PDFPopplerTimeoutError

from labserver.errors import Stopped
from labserver.jobs.stop import StopToken
from labserver.work.pdf.inspect import Document
from labserver.work.pdf.scratch import scratch_folder

PAGES_PER_CALL = 4
KILL_EVERY_S = 0.05


def rasterise(document: Document, dpi: int, stop: StopToken) -> Iterator[tuple[int, Path]]:
    """Yield (page number, PPM file) for each page in order; the file is gone at the next one.

    Raises Stopped when nobody waits any more: pdftoppm is then killed where it stands. Raises
    RuntimeError when pdftoppm did not give a page.
    """
    last = len(document.pages)
    for first in range(1, last + 1, PAGES_PER_CALL):
        stop.check()
        pages = range(first, min(first + PAGES_PER_CALL, last + 1))
        with scratch_folder() as folder:
            files = _pdftoppm(document.path, pages, dpi, folder, stop)
            for page, file in zip(pages, files, strict=True):
                stop.check()
                yield page, file
                file.unlink()


def _pdftoppm(path: Path, pages: range, dpi: int, folder: Path, stop: StopToken) -> list[Path]:
    """One call of pdftoppm, which ends by itself, at the deadline, or when asked to stop."""
    try:
        with _killed_on_request(folder, stop):
            files = convert_from_path(
                path,
                dpi=dpi,
                first_page=pages.start,
                last_page=pages.stop - 1,
                fmt="ppm",
                output_folder=folder,
                paths_only=True,
                thread_count=1,
                use_cropbox=True,
                timeout=stop.remaining_s(),  # type: ignore[arg-type] # goes to Popen.communicate
            )
    except PDFPopplerTimeoutError as error:
        raise Stopped("the deadline passed while pdftoppm ran") from error
    stop.check()
    if len(files) != len(pages):
        raise RuntimeError(
            f"pdftoppm gave {len(files)} of the pages {pages.start} to {pages.stop - 1}: "
            "it crashed, was killed or ran out of memory"
        )
    return sorted(Path(str(file)) for file in files)


@contextmanager
def _killed_on_request(folder: Path, stop: StopToken) -> Iterator[None]:
    """Kill the pdftoppm that writes into `folder` when a stop is requested before it ends.

    pdf2image keeps its child to itself, so the child is found by the folder on its command line.
    """
    ended = threading.Event()

    def kill() -> None:
        # More than once: the request may come in the moment before pdftoppm is started.
        while not ended.is_set():
            _kill_children_writing_into(folder)
            ended.wait(KILL_EVERY_S)

    try:
        with stop.calling(threading.Thread(target=kill, name="kill-pdftoppm").start):
            yield
    finally:
        ended.set()


def _kill_children_writing_into(folder: Path) -> None:
    for child in psutil.Process().children():
        try:
            if any(argument.startswith(str(folder)) for argument in child.cmdline()):
                child.kill()
        except psutil.NoSuchProcess:
            continue
