"""A page's pixels, as an engine draws them and a PNG keeps them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

COLUMNS = 512  # of some rows are turned at a time, so that they stay in a core's cache

Strip = NDArray[np.uint8]
"""Some rows of a page, (rows, 3 x width): red, green and blue of each pixel from the left."""


class Raster(Protocol):
    """A page in 8-bit RGB, which need not be in memory as a whole."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def strips(self, rows: int) -> Iterator[Strip]:
        """The page from its top, so many rows at a time; each strip is good until the next one."""


Turn = Literal["pixels", "engine"]
"""Who turns a page that is shown turned: its pixels are, once drawn, or the engine as it draws."""

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


@dataclass(frozen=True, slots=True)
class Turned:
    """A raster in memory that is shown turned: pixels as they lie, (height, width, 3)."""

    pixels: NDArray[np.uint8]
    clockwise_deg: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as it is shown."""
        height, width, _ = self._shown().shape
        return width, height

    def strips(self, rows: int) -> Iterator[Strip]:
        """The page from its top, so many rows at a time; each strip is good until the next one."""
        shown = self._shown()
        height, width, _ = shown.shape
        strip = np.empty((min(rows, height), width, 3), np.uint8)
        for top in range(0, height, rows):
            part = strip[: height - top]
            for left in range(0, width, COLUMNS):
                block = slice(left, left + COLUMNS)
                # One colour at a time: an innermost axis of 3 makes it four times as slow.
                for colour in range(3):
                    part[:, block, colour] = shown[top : top + rows, block, colour]
            yield part.reshape(len(part), -1)

    def _shown(self) -> NDArray[np.uint8]:
        return np.rot90(self.pixels, -self.clockwise_deg // 90)
