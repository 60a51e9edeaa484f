"""A sheet of paper to draw on in several inks, before anybody scans it.

It knows shapes and text, not what a page says.
"""

from collections.abc import Sequence
from functools import cache
from math import sqrt
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

DPI = 300
WIDTH, HEIGHT = 2480, 3507  # A4 upright
LEFT, RIGHT = 250, 2230  # the column of text

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom

# Layers, in the order in which they are painted.
INKS: dict[str, tuple[float, float, float]] = {
    "grey": (0.45, 0.43, 0.41),
    "ochre": (0.72, 0.49, 0.10),
    "green": (0.15, 0.42, 0.28),
    "blue": (0.12, 0.29, 0.55),
    "violet": (0.41, 0.22, 0.46),
    "red": (0.66, 0.20, 0.12),
    "black": (0.14, 0.13, 0.15),
}


@cache
def font(face: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Return one of the DejaVu faces that matplotlib ships, e.g. `Serif-Bold`."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVu{face}.ttf"
    # The other layout engine depends on libraries of the machine.
    return ImageFont.truetype(path, size_px, layout_engine=ImageFont.Layout.BASIC)


class Sheet:
    """An upright A4 page at 300 dpi: one grey picture for each ink used, 255 where there is ink.

    Coordinates are pixels from the top left corner. `tints` are boxes that are printed in a pale
    colour rather than drawn in ink.
    """

    def __init__(self) -> None:
        self.layers: dict[str, Image.Image] = {}
        self.tints: list[tuple[Box, tuple[int, int, int]]] = []
        self._pens: dict[str, ImageDraw.ImageDraw] = {}

    def pen(self, ink: str) -> ImageDraw.ImageDraw:
        """Return the pen of one of the `INKS`."""
        if ink not in self.layers:
            self.layers[ink] = Image.new("L", (WIDTH, HEIGHT), 0)
            self._pens[ink] = ImageDraw.Draw(self.layers[ink])
        return self._pens[ink]

    def text(
        self,
        ink: str,
        at: Point,
        words: str,
        size: int = 44,
        face: str = "Sans",
        anchor: str = "mm",
    ) -> None:
        """Write one line; `anchor` is Pillow's: horizontal l, m, r, then vertical a, m, s, d."""
        self.pen(ink).text(at, words, fill=255, font=font(face, size), anchor=anchor)

    def paragraph(self, top: float, words: str, size: int = 58, face: str = "Serif") -> float:
        """Set a paragraph across the column and return where the next one starts.

        `~` is a space at which no line breaks.
        """
        for line in _wrapped(words, font(face, size), RIGHT - LEFT):
            self.text("black", (LEFT, top), line, size, face, anchor="la")
            top += size * 3 // 2
        return top + size // 2

    def line(self, ink: str, points: Sequence[Point], width: int = 7) -> None:
        """Draw a line through `points`."""
        self.pen(ink).line(list(points), fill=255, width=width, joint="curve")

    def dashed(self, ink: str, start: Point, end: Point, width: int = 5, dashes: int = 24) -> None:
        """Draw a straight line of `dashes` dashes."""
        for i in range(dashes):
            a, b = i / dashes, (i + 0.55) / dashes
            self.line(ink, [_between(start, end, a), _between(start, end, b)], width)

    def arrow(self, ink: str, start: Point, end: Point, width: int = 7) -> None:
        """Draw a straight arrow from `start` to `end`."""
        self.line(ink, [start, end], width)
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = sqrt(dx * dx + dy * dy)
        ux, uy = dx / length, dy / length
        back = (end[0] - 36 * ux, end[1] - 36 * uy)
        wings = [(back[0] + 18 * uy, back[1] - 18 * ux), (back[0] - 18 * uy, back[1] + 18 * ux)]
        self.pen(ink).polygon([end, *wings], fill=255)

    def box(self, ink: str, box: Box, width: int = 7, filled: bool = False) -> None:
        """Draw a box with slightly rounded corners."""
        self.pen(ink).rounded_rectangle(
            box, radius=12, outline=255, width=width, fill=255 if filled else None
        )

    def hatch(self, ink: str, box: Box, gap: int = 22, width: int = 5) -> None:
        """Fill a box with slanted lines."""
        left, top, right, bottom = (int(edge) for edge in box)
        for start in range(left - (bottom - top) + gap, right, gap):
            first = max(start, left), bottom - (max(start, left) - start)
            stop = min(start + bottom - top, right)
            self.line(ink, [first, (stop, bottom - (stop - start))], width)

    def disc(self, ink: str, centre: Point, radius: float, width: int = 0) -> None:
        """Draw a ring of `width`, or a full disc when that is 0."""
        x, y = centre
        box = (x - radius, y - radius, x + radius, y + radius)
        self.pen(ink).ellipse(
            box, fill=None if width else 255, outline=255 if width else None, width=width
        )

    def tint(self, box: Box, colour: tuple[int, int, int]) -> None:
        """Lay a pale RGB colour under a box."""
        self.tints.append((box, colour))


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _wrapped(words: str, face: ImageFont.FreeTypeFont, width_px: int) -> list[str]:
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip().replace("~", " ")
        if face.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word.replace("~", " "))
    return lines
