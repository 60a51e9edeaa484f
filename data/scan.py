"""Scan a sheet: what a scanner and its software make of it, as a page of a PDF.

A JPEG of the bare paper lies under a black-and-white mask for each ink, painted in the ink's
colour (mixed raster content). It reckons in integers from a fixed seed and stays clear of the
floating-point functions whose last bit differs between machines: the bytes must not.
"""

from io import BytesIO

import numpy as np
from mask import add_mask
from numpy.typing import NDArray
from pdfwriter import Document
from PIL import Image
from sheet import DPI, HEIGHT, INKS, WIDTH, Box, Sheet

PT_PER_PX = 72 / DPI
PAGE_PT = (HEIGHT * PT_PER_PX, WIDTH * PT_PER_PX)  # the sheet lay sideways in the scanner
UPRIGHT = 270  # … so the page says how far to turn it back
PAPER_PX = (1240, 1756)  # 150 dpi
PAPER_RGB = (248, 237, 208)
# These decide what the page costs as a PNG, and in bytes: README.md has the figures.
GRAIN, JPEG_QUALITY = 22, 13
TAPE_PX, TAPE_RGB, TAPE_DYE = 80, np.array((122, 110, 126)), (75, 12, -75)
LARGEST_MASK_PX = (2000, 2400)

Pixels = NDArray[np.signedinteger]


def add_scanned_page(document: Document, sheet: Sheet, seed: int) -> None:
    """Add a scan of `sheet` to `document`; `seed` decides its grain, blotches and skew."""
    width, height = PAPER_PX[1], PAPER_PX[0]
    paper = document.add_stream(
        _jpeg(_paper(sheet, seed)),
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height}"
        " /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode",
    )
    images = {"Paper": paper}
    content = [f"q {PAGE_PT[0]:g} 0 0 {PAGE_PT[1]:g} 0 0 cm /Paper Do Q"]
    for ink, colour in INKS.items():
        if ink in sheet.layers:
            box, mask = _mask(sheet.layers[ink], seed)
            images[ink] = add_mask(document, _sideways(mask))
            rgb = " ".join(f"{share:g}" for share in colour)
            content.append(f"q {rgb} rg {_placement(box)} cm /{ink} Do Q")
    document.add_page("\n".join(content).encode(), PAGE_PT, images, rotate=UPRIGHT)


def _placement(box: Box) -> str:
    """Return the matrix that lays the unit square on `box` of the sheet that lies sideways."""
    left, top, right, bottom = (edge * PT_PER_PX for edge in box)
    x, y = PAGE_PT[0] - bottom, PAGE_PT[1] - right
    return f"{bottom - top:.6g} 0 0 {right - left:.6g} {x:.6g} {y:.6g}"


def _sideways(upright: Image.Image) -> Image.Image:
    return upright.transpose(Image.Transpose.ROTATE_270)


def _mask(layer: Image.Image, seed: int) -> tuple[Box, Image.Image]:
    """Return where a layer has ink, and that part in black and white with the scan's rough edge."""
    skewed = _skewed(layer, seed)
    box = skewed.getbbox()
    if box is None:
        raise ValueError("a layer without ink")
    left, top, right, bottom = box
    if right - left > LARGEST_MASK_PX[0] or bottom - top > LARGEST_MASK_PX[1]:
        raise ValueError(f"a layer of {right - left} × {bottom - top} pixels")
    ink = np.asarray(skewed.crop(box), dtype=np.int16)
    rough = _smoothed(ink) + _noise(seed, ink.shape) * 3 // 8
    return box, Image.fromarray(rough > 127)


def _skewed(layer: Image.Image, seed: int) -> Image.Image:
    """Return the layer turned by a sixth of a degree at most: no sheet goes in quite straight."""
    slope = (seed % 7 - 3) / 1024
    matrix = (1, slope, -slope * HEIGHT / 2, -slope, 1, slope * WIDTH / 2)
    return layer.transform(layer.size, Image.Transform.AFFINE, matrix)


def _paper(sheet: Sheet, seed: int) -> Image.Image:
    """Return the sheet without its inks: upright, RGB, at 150 dpi; bound at the left if odd."""
    width, height = PAPER_PX
    y, x = np.mgrid[0:height, 0:width].astype(np.int32)
    rgb = np.empty((height, width, 3), dtype=np.int32)
    rgb[:] = PAPER_RGB
    rgb += (_smoothed(_noise(seed, (height, width))) * GRAIN // 128 + _blotches(seed))[..., None]
    rgb[:, :TAPE_PX] = _tape(seed)
    rgb += (_vignette(x, y) + _fold(y) + _gutter(x))[..., None]
    if seed % 2 == 0:
        rgb = rgb[:, ::-1]
    for box, colour in sheet.tints:
        left, top, right, bottom = (int(edge) * 150 // DPI for edge in box)
        rgb[top:bottom, left:right] = rgb[top:bottom, left:right] * np.array(colour) // 255
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def _tape(seed: int) -> Pixels:
    """Return the binding's tweed of blue and orange: most of what a page's PNG has to store."""
    shape = (PAPER_PX[1] // 2, TAPE_PX // 2)
    dye, weave = (_smoothed(_noise(seed + n, shape).repeat(2, 0).repeat(2, 1)) for n in (100, 200))
    return dye[..., None] * np.array(TAPE_DYE) // 64 + weave[..., None] * 3 // 8 + TAPE_RGB


def _vignette(x: Pixels, y: Pixels) -> Pixels:
    """Return the darkening towards the corners."""
    width, height = PAPER_PX
    return -((2 * x - width) ** 2 // 130_000 + (2 * y - height) ** 2 // 260_000)


def _fold(y: Pixels) -> Pixels:
    """Return the crease across the middle: a shadow above it, light below it."""
    distance = y - PAPER_PX[1] // 2
    near = np.maximum(0, 48 - abs(distance)) // 6
    return np.where(distance < 0, -near, near) - 14 * (abs(distance) < 2)


def _gutter(x: Pixels) -> Pixels:
    """Return the shadow along the binding."""
    return -(np.maximum(0, TAPE_PX + 40 - x) ** 2) // 300


def _blotches(seed: int) -> Pixels:
    """Return what damp has done to the paper."""
    coarse = Image.fromarray((_noise(seed + 1000, (14, 10)) + 128).astype(np.uint8))
    fine = coarse.resize(PAPER_PX, Image.Resampling.BICUBIC)
    return np.asarray(fine, dtype=np.int32) // 32 - 4


def _smoothed(pixels: Pixels) -> Pixels:
    """Return the mean over 3 × 3 pixels."""
    padded = np.pad(pixels, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) // 9


def _noise(seed: int, shape: tuple[int, ...]) -> Pixels:
    """Return even noise from -128 to 127.

    It takes the generator's raw bits, which numpy promises to keep (NEP 19), as it does not promise
    for the distributions made from them.
    """
    count = int(np.prod(shape))
    bits = np.random.PCG64(seed).random_raw(count // 8 + 1).astype("<u8")
    return bits.view(np.uint8)[:count].reshape(shape).astype(np.int16) - 128


def _jpeg(upright: Image.Image) -> bytes:
    file = BytesIO()
    _sideways(upright).save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return file.getvalue()
