"""An image becomes a PNG file, whole or not at all. Its pixels stay as they are."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Literal

import pyvips

from labserver.work.pdf import fastpng

pyvips.concurrency_set(1)  # one thread an image: the jobs are what runs in parallel
# libvips would keep the images of its last operations, each the raster of a page that is done.
pyvips.cache_set_max(0)

Pages = Generator[tuple[int, pyvips.Image], None, None]
"""What an engine gives: (page number, image) for each page in order."""

Mode = Literal["fast", "small"]
"""fast: ISA-L, see fastpng.py. small: libvips at 80 ms and 0.94 MB a page (PDFium's: 1.23 MB)."""


def save_png(image: pyvips.Image, png: Path, mode: Mode = "fast") -> None:
    """Write an 8-bit RGB image to `png`, which appears under its name only when it is whole."""
    part = png.with_suffix(".part")
    if mode == "fast":
        fastpng.write(image, part)
    else:
        image.copy(interpretation="srgb").pngsave(str(part), compression=6, filter="paeth")
    part.replace(png)
