"""A document whose pages are drawn as they lie, though they are to be shown turned (/Rotate).

A scanner's page that is shown turned costs poppler and PDFium twice as much as the same page as it
lies: each pixel of its images is then found and written on its own, across the rows. Turning the
finished pixels costs a twentieth of that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL

from labserver.jobs.stop import StopToken
from labserver.work.pdf.document import Document

PROGRAM = "unturn"
COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("unturn.py")))
TIMEOUT_S = 5.0
# The copy lies in memory beside the rasters, for as long as the job takes.
LARGEST_BYTES = 32_000_000
RIGHT_ANGLES = {0, 90, 180, 270}


def lying(document: Document, folder: Path, stop: StopToken, programs: Path | None) -> Path | None:
    """A copy of a document in `folder` with its pages as they lie; it takes some 0.1 s.

    None when no page is turned, and when there is no such copy: the document is too large for one,
    or PDFium does not read it as poppler does. `programs` is the folder of the bounded programs;
    None runs ours without bounds. Raises Stopped when nobody waits any more.
    """
    turned = [page.turned_deg for page in document.pages]
    if not any(turned) or not RIGHT_ANGLES.issuperset(turned):
        return None
    if document.path.stat().st_size > LARGEST_BYTES:
        return None
    copy = folder / "lying.pdf"
    command = COMMAND if programs is None else (programs / PROGRAM,)
    if _runs([*command, document.path.absolute(), copy, *map(str, turned)], stop):
        return copy
    copy.unlink(missing_ok=True)  # where a disk is full, the rasters need its room
    return None


def _runs(command: list[str | Path], stop: StopToken) -> bool:
    """Whether the command succeeds within its time; it has ended when this returns."""
    with subprocess.Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            with stop.calling(process.kill):
                process.wait(min(TIMEOUT_S, stop.remaining_s()))
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
    stop.check()
    return process.returncode == 0
