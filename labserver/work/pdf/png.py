"""An image becomes a PNG file, whole or not at all. Its pixels stay as they are."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import pyvips

from labserver.work.pdf import fastpng

pyvips.concurrency_set(1)  # one thread an image: the jobs are what runs in parallel
# libvips would keep the images of its last operations, each the raster of a page that is done.
pyvips.cache_set_max(0)

Pages = Generator[tuple[int, pyvips.Image], None, None]
"""What an engine gives: (page number, image) for each page in order."""

Mode = Literal["fast", "small"]

# On the sample's pages at 200 dpi: fast 34 ms of CPU and 1.08 MB, small 75 ms and 0.94 MB a page.
OPTIONS: dict[Mode, dict[str, Any]] = {
    "fast": {"compression": 2, "filter": "up"},
    "small": {"compression": 6, "filter": "paeth"},
}


def save_png(image: pyvips.Image, png: Path, mode: Mode = "fast", *, alone: bool = False) -> None:
    """Write an 8-bit RGB image to `png`, which appears under its name only when it is whole.

    "fast" is faster still in a process that does nothing else, where it is `alone`: a thread that
    works in Python would hold up a server's loop.
    """
    part = png.with_suffix(".part")
    if alone and mode == "fast":
        fastpng.write(image, part)
    else:
        image.copy(interpretation="srgb").pngsave(str(part), **OPTIONS[mode])
    part.replace(png)
