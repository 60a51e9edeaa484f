"""The poppler engine: pdf2image writes a few pages at a time as PPM files into a scratch folder."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import psutil
from pdf2image import convert_from_path
from pdf2image.exceptions import PDFPopplerTimeoutError

from labserver.errors import Stopped
from labserver.jobs.stop import StopToken
from labserver.work.pdf.document import Document
from labserver.work.pdf.lying import lying
from labserver.work.pdf.ppm import Ppm
from labserver.work.pdf.raster import Pages, Turn, Turned

# A call costs some 20 ms beside its pages: pdf2image runs pdfinfo and asks for a version first.
PAGES_PER_CALL = 6
# Their rasters lie in memory together: 72 MB, as much as those of six A4 pages at 200 dpi.
PIXELS_PER_CALL = 24_000_000
LOOK_EVERY_S = 0.05
KILL_EVERY_S = 0.05


def rasterise(
    document: Document,
    dpi: int,
    scratch: Path,
    stop: StopToken,
    poppler_path: Path | None = None,
    turn: Turn = "pixels",
) -> Pages:
    """Yield (page number, raster) for each page in order; the raster is gone at the next one.

    The rasters are files in `scratch`, a few at a time. `poppler_path` is the folder of the
    pdftoppm to run; None takes the one on the PATH.

    Raises Stopped when nobody waits any more: pdftoppm is then killed where it stands. Raises
    RuntimeError when pdftoppm did not give a page.
    """
    with ThreadPoolExecutor(1, "pdftoppm") as beside:
        copy = None
        if turn == "pixels":
            copy = beside.submit(lying, document, scratch, stop, poppler_path).result()
        path = copy or document.path
        for pages in batches(document, dpi):
            stop.check()
            call = beside.submit(_pdftoppm, path, pages, dpi, scratch, stop, poppler_path)
            try:
                for page, ppm in _images(pages, call, scratch, stop):
                    turned_deg = document.pages[page - 1].turned_deg if copy else 0
                    yield page, Turned(ppm.pixels(), turned_deg) if turned_deg else ppm
            except BaseException:
                _kill_children_writing_into(scratch)
                raise


def _images(
    pages: range, call: Future[None], folder: Path, stop: StopToken
) -> Iterator[tuple[int, Ppm]]:
    """The pages that a call gives, each compressed by the caller while the next one is drawn."""
    given = 0
    for file in _finished(call, folder):
        stop.check()
        yield pages[given], Ppm.open(file)
        file.unlink()
        given += 1
    if given != len(pages):
        raise RuntimeError(
            f"pdftoppm gave {given} of the pages {pages.start} to {pages.stop - 1}: "
            "it crashed, was killed or ran out of memory"
        )


def _finished(call: Future[None], folder: Path) -> Iterator[Path]:
    """The files of a call in order, each as soon as it is whole, and all when the call has ended.

    Each is to be gone before the next one is asked for.
    """
    while True:
        ended = bool(wait([call], LOOK_EVERY_S).done)
        files = sorted(file for file in folder.iterdir() if file.suffix == ".ppm")
        yield from (file for file in files if ended or Ppm.is_whole(file))
        if ended:
            call.result()
            return


def batches(document: Document, dpi: int) -> Iterator[range]:
    """The pages of each call: a few, and one alone when it is so large as all of them should be."""
    first, held = 1, 0
    for page, size in enumerate(document.pages, start=1):
        pixels = math.prod(size.pixels(dpi))
        if page > first and (page == first + PAGES_PER_CALL or held + pixels > PIXELS_PER_CALL):
            yield range(first, page)
            first, held = page, 0
        held += pixels
    yield range(first, len(document.pages) + 1)


def _pdftoppm(
    path: Path, pages: range, dpi: int, folder: Path, stop: StopToken, poppler_path: Path | None
) -> None:
    """One call of pdftoppm, which ends by itself, at the deadline, or when asked to stop."""
    try:
        with _killed_on_request(folder, stop):
            convert_from_path(
                path,
                dpi=dpi,
                first_page=pages.start,
                last_page=pages.stop - 1,
                fmt="ppm",
                output_folder=folder,
                paths_only=True,
                thread_count=1,
                use_cropbox=True,
                poppler_path=poppler_path,  # type: ignore[arg-type] # its default is None
                timeout=stop.remaining_s(),  # type: ignore[arg-type] # goes to Popen.communicate
            )
    except PDFPopplerTimeoutError as error:
        raise Stopped("the deadline passed while pdftoppm ran") from error
    stop.check()


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
