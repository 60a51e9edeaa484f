"""What a document may be and what its conversion may take. It judges numbers and reads no PDF."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from labserver.errors import InvalidJob

if TYPE_CHECKING:
    from labserver.settings import Settings


def _default(name: str) -> Any:
    return field(default_factory=lambda: _setting(name))


def _setting(name: str) -> Any:
    # A process that converts is handed its limits: it starts without reading the settings.
    from labserver.settings import Settings

    return Settings.model_fields[name].default


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one conversion: pages, pixels of a page, memory and CPU time of a process.

    The pixels of a whole document have no bound of their own: its deadline ends it.
    """

    max_pages: int = _default("max_pages")
    max_pixels: int = _default("max_pixels")
    max_memory_mb: int = _default("max_memory_mb")
    max_cpu_s: int = field(default_factory=lambda: math.ceil(_setting("pdf_timeout")))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that a server's settings give.

        A process may take no more CPU time than its job has until its deadline. That binds what a
        server which was killed leaves running; all others are stopped at the deadline itself.
        """
        return cls(
            max_pages=settings.max_pages,
            max_pixels=settings.max_pixels,
            max_memory_mb=settings.max_memory_mb,
            max_cpu_s=math.ceil(settings.pdf_timeout),
        )

    def check_count(self, pages: int) -> None:
        """Raise InvalidJob when a document of so many pages is not converted."""
        if pages < 1:
            raise InvalidJob("the document has no pages that can be read")
        if pages > self.max_pages:
            raise InvalidJob(
                f"the document has {pages} pages, more than --max-pages {self.max_pages} allows"
            )

    def check_page(self, number: int, pixels: tuple[int, int], dpi: int) -> None:
        """Raise InvalidJob when page `number`, of so many pixels at `dpi`, is too large."""
        width, height = pixels
        if width * height > self.max_pixels:
            raise InvalidJob(
                f"page {number} is {width} x {height} pixels at {dpi} dpi, "
                f"more than --max-pixels {self.max_pixels} allows"
            )
