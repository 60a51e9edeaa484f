"""A document that can be converted, and how large its pages are. It reads no file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from labserver.errors import InvalidJob
from labserver.work.pdf.limits import Limits

POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class PageSize:
    """A page's crop box as it is shown, rotation applied, in points of 1/72 inch.

    `turned_deg` is that rotation, clockwise, where the engine does not see to it by itself.
    """

    width_pt: float
    height_pt: float
    turned_deg: int = 0

    def pixels(self, dpi: int) -> tuple[int, int]:
        """Width and height in pixels at `dpi`, rounded up as poppler does."""
        scale = dpi / POINTS_PER_INCH
        return math.ceil(self.width_pt * scale), math.ceil(self.height_pt * scale)


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF that can be converted: where it is and how large its pages are."""

    path: Path
    pages: tuple[PageSize, ...]

    @classmethod
    def checked(cls, path: Path, sizes: Iterable[PageSize], dpi: int, limits: Limits) -> Self:
        """A document that `limits` allow to be converted at `dpi`. Raises InvalidJob otherwise."""
        pages = tuple(sizes)
        limits.check_count(len(pages))
        for number, size in enumerate(pages, start=1):
            # Such is also what poppler gives for a page that it cannot find.
            if not (0 < size.width_pt < math.inf and 0 < size.height_pt < math.inf):
                raise InvalidJob(
                    f"page {number} is damaged or has no area "
                    f"({size.width_pt:g} x {size.height_pt:g} points)"
                )
            limits.check_page(number, size.pixels(dpi), dpi)
        return cls(path, pages)
