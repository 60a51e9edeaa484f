"""The rasters that pdftoppm writes, read a few rows at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labserver.work.pdf.raster import Strip

HEADER = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
LONGEST_HEADER = 64


@dataclass(frozen=True, slots=True)
class Ppm:
    """A raster in a binary 8-bit RGB PPM file, which must stay for as long as it is read."""

    path: Path
    size: tuple[int, int]
    offset: int

    @classmethod
    def open(cls, path: Path) -> Ppm:
        """Raises ValueError when it is not such a file or is not complete.

        On a full disk it is not, and pdftoppm still exits with 0.
        """
        with path.open("rb") as file:
            found = HEADER.match(file.read(LONGEST_HEADER))
        if found is None:
            raise ValueError(f"{path.name} is not a binary 8-bit RGB PPM")
        width, height = int(found[1]), int(found[2])
        if path.stat().st_size != found.end() + 3 * width * height:
            raise ValueError(f"{path.name} is not complete: the disk may be full")
        return cls(path, (width, height), found.end())

    @classmethod
    def is_whole(cls, path: Path) -> bool:
        """Whether it has been written to its end."""
        try:
            cls.open(path)
        except ValueError:
            return False
        return True

    def pixels(self) -> NDArray[np.uint8]:
        """The page as a whole, (height, width, 3), mapped from the file."""
        width, height = self.size
        return np.memmap(self.path, np.uint8, "r", self.offset, (height, width, 3))

    def strips(self, rows: int) -> Iterator[Strip]:
        """The page from its top, so many rows at a time; each strip is good until the next one."""
        width, height = self.size
        strip = np.empty((min(rows, height), 3 * width), np.uint8)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            for top in range(0, height, rows):
                part = strip[: height - top]
                if file.readinto(part.data) != part.nbytes:
                    raise ValueError(f"{self.path.name} was cut off while it was read")
                yield part
