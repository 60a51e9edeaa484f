"""An image becomes a PNG file through libvips, whole or not at all. Its pixels stay as they are."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import pyvips

pyvips.concurrency_set(1)  # one thread an image: the jobs are what runs in parallel
# libvips would keep the images of its last operations, each the raster of a page that is done.
pyvips.cache_set_max(0)

Pages = Generator[tuple[int, pyvips.Image], None, None]
"""What an engine gives: (page number, image) for each page in order."""

Mode = Literal["fast", "small"]

# On the sample's pages at 200 dpi: fast 40 ms of CPU and 1.11 MB, small 80 ms and 0.99 MB a page.
OPTIONS: dict[Mode, dict[str, Any]] = {
    "fast": {"compression": 3, "filter": "up"},
    "small": {"compression": 6, "filter": "paeth"},
}


def save_png(image: pyvips.Image, png: Path, mode: Mode = "fast") -> None:
    """Write an 8-bit RGB image to `png`, which appears under its name only when it is whole."""
    part = png.with_suffix(".part")
    image.copy(interpretation="srgb").pngsave(str(part), **OPTIONS[mode])
    part.replace(png)
