"""A raster file becomes a PNG file through libvips; its pixels never enter Python's memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

# One thread an image: the jobs are what runs in parallel. libvips reads this when it is loaded.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import pyvips

COMPRESSION = 3
HEADER = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
LONGEST_HEADER = 64


def ppm_to_png(ppm: Path, png: Path) -> tuple[int, int]:
    """Write `png` from a binary 8-bit RGB PPM; returns its width and height in pixels.

    The file appears under its name only when it is whole. Raises ValueError when `ppm` is not such
    a file or is not complete, as on a full disk, where pdftoppm still exits with 0.
    """
    width, height, offset = _header(ppm)
    if ppm.stat().st_size != offset + 3 * width * height:
        raise ValueError(f"{ppm.name} is not complete: the disk may be full")
    part = png.with_suffix(".part")
    try:
        image = pyvips.Image.rawload(str(ppm), width, height, 3, offset=offset)
        image = image.copy(interpretation="srgb")
        image.pngsave(str(part), compression=COMPRESSION, filter="up")
        part.replace(png)
    finally:
        part.unlink(missing_ok=True)
    return width, height


def _header(ppm: Path) -> tuple[int, int, int]:
    """Width, height and the offset of the first pixel."""
    with ppm.open("rb") as file:
        found = HEADER.match(file.read(LONGEST_HEADER))
    if found is None:
        raise ValueError(f"{ppm.name} is not a binary 8-bit RGB PPM")
    return int(found[1]), int(found[2]), found.end()
