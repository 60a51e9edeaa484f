"""A ticket with a number on it: the one light page, for jobs that should be short."""

from mask import add_mask
from pdfwriter import Document
from PIL import Image, ImageDraw
from sheet import font

PAGE_PT = (298, 420)  # A6
WORDS_PX = (1000, 800)  # 240 × 192 pt at 300 dpi


def ticket() -> bytes:
    """Return a PDF of one A6 page: a box of lines, and a mask for the words in it."""
    document = Document()
    words = add_mask(document, _words())
    content = b"""
        2 w 0.12 0.29 0.55 RG 20 20 258 380 re S 26 26 246 368 re S
        q 0.66 0.20 0.12 rg 240 0 0 192 29 110 cm /Words Do Q
    """
    document.add_page(content, PAGE_PT, {"Words": words})
    return document.to_bytes()


def _words() -> Image.Image:
    picture = Image.new("1", WORDS_PX)
    pen = ImageDraw.Draw(picture)
    middle = WORDS_PX[0] / 2
    pen.text((middle, 60), "Your number", fill=1, font=font("Serif", 90), anchor="mm")
    pen.text((middle, 400), "17", fill=1, font=font("Serif-Bold", 420), anchor="mm")
    pen.text((middle, 740), "Please take a seat.", fill=1, font=font("Serif", 70), anchor="mm")
    return picture
