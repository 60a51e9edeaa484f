"""The rasters that pdftoppm writes, read by libvips where they are: none is read into Python."""

from __future__ import annotations

import re
from pathlib import Path

import pyvips

HEADER = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
LONGEST_HEADER = 64


def load_ppm(ppm: Path) -> pyvips.Image:
    """The image in a binary 8-bit RGB PPM. The file must stay for as long as the image does.

    Raises ValueError when it is not such a file or is not complete, as on a full disk, where
    pdftoppm still exits with 0.
    """
    width, height, offset = _header(ppm)
    if ppm.stat().st_size != offset + 3 * width * height:
        raise ValueError(f"{ppm.name} is not complete: the disk may be full")
    return pyvips.Image.rawload(str(ppm), width, height, 3, offset=offset)


def _header(ppm: Path) -> tuple[int, int, int]:
    """Width, height and the offset of the first pixel."""
    with ppm.open("rb") as file:
        found = HEADER.match(file.read(LONGEST_HEADER))
    if found is None:
        raise ValueError(f"{ppm.name} is not a binary 8-bit RGB PPM")
    return int(found[1]), int(found[2]), found.end()
