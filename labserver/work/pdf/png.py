"""A raster becomes a PNG file, whole or not at all. Its pixels stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from labserver.work.pdf import fastpng
from labserver.work.pdf.raster import Raster

Mode = Literal["fast", "small"]


def save_png(raster: Raster, png: Path, mode: Mode = "fast") -> None:
    """Write `raster` to `png`, which appears under its name only when it is whole.

    "small" takes several times the CPU for a file a sixth smaller.
    """
    part = png.with_suffix(".part")
    if mode == "fast":
        fastpng.write(raster, part)
    else:
        _write_small(raster, part)
    part.replace(png)


def _write_small(raster: Raster, path: Path) -> None:
    import pyvips  # here: "fast" need not load libvips

    pyvips.concurrency_set(1)  # one thread an image: the jobs are what runs in parallel
    # libvips would keep the images of its last operations, each the raster of a page that is done.
    pyvips.cache_set_max(0)
    width, height = raster.size
    (whole,) = raster.strips(height)
    pixels = whole.reshape(height, width, 3)
    image = pyvips.Image.new_from_array(pixels, interpretation="srgb")
    image.pngsave(str(path), compression=6, filter="paeth")
