"""A page's pixels, as an engine draws them and a PNG keeps them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Strip = NDArray[np.uint8]
"""Some rows of a page, (rows, 3 x width): red, green and blue of each pixel from the left."""


class Raster(Protocol):
    """A page in 8-bit RGB, which need not be in memory as a whole."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def strips(self, rows: int) -> Iterator[Strip]:
        """The page from its top, so many rows at a time; each strip is good until the next one."""


Pages = Generator[tuple[int, Raster], None, None]
"""What an engine gives: (page number, raster) for each page in order."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A raster in memory: pixels, (height, width, 3)."""

    pixels: NDArray[np.uint8]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width, _ = self.pixels.shape
        return width, height

    def strips(self, rows: int) -> Iterator[Strip]:
        """Views of the pixels, without a copy where they lie one after the other."""
        for top in range(0, len(self.pixels), rows):
            strip = self.pixels[top : top + rows]
            yield strip.reshape(len(strip), -1)
