"""The pages of finished jobs: one, all as a zip, and what they are. No path comes from outside."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from labserver.server.wire import Page

CHUNK = 256 * 1024
PNG_HEADER = struct.Struct(">16xII")  # after signature, length and type: width and height


def page_file(root: Path, job_id: UUID, number: int) -> Path:
    """Where page `number` of a job is, when it is."""
    return root / str(job_id) / f"image.{number:02d}.png"


def page_files(root: Path, job_id: UUID) -> list[Path]:
    """The pages of a job in order; none when there is no such job, or no longer."""
    return sorted((root / str(job_id)).glob("image.*.png"), key=_number)


def pages(root: Path, job_id: UUID) -> list[Page]:
    """What the pages of a job are and where they are had; their size is in their first bytes."""
    return [_page(file, job_id) for file in page_files(root, job_id)]


def zipped(files: list[Path]) -> Iterator[bytes]:
    """A zip of `files`, piece by piece: stored, since PNG is deflated already.

    Raises FileNotFoundError when a file has gone before its turn: what was sent is then no zip.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            with file.open("rb") as source, archive.open(file.name, "w") as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    yield sink.take()
    yield sink.take()


def _page(file: Path, job_id: UUID) -> Page:
    number = _number(file)
    with file.open("rb") as png:
        width, height = PNG_HEADER.unpack(png.read(PNG_HEADER.size))
    return Page(
        n=number,
        url=f"/jobs/{job_id}/pages/{number}.png",
        width=width,
        height=height,
        bytes=file.stat().st_size,
    )


def _number(file: Path) -> int:
    return int(file.name.split(".")[1])


class _Sink(io.RawIOBase):
    """Where a zip is written to that nobody can seek in: what was written is taken from it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken
