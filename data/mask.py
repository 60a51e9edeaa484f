"""A black-and-white picture as an image mask of a PDF: a stencil to paint through."""

from io import BytesIO

from pdfwriter import Document
from PIL import Image
from PIL.TiffImagePlugin import ROWSPERSTRIP, STRIPBYTECOUNTS, STRIPOFFSETS


def add_mask(document: Document, picture: Image.Image) -> int:
    """Add a picture of mode "1", painted where it is true, and return its object's number."""
    return document.add_stream(_ccitt_g4(picture), mask_entries(picture.width, picture.height))


def mask_entries(width_px: int, height_px: int) -> str:
    """Return the dictionary entries of an image mask in CCITT G4."""
    return (
        f"/Type /XObject /Subtype /Image /ImageMask true /Width {width_px} /Height {height_px}"
        " /BitsPerComponent 1 /Filter /CCITTFaxDecode"
        f" /DecodeParms << /K -1 /Columns {width_px} /Rows {height_px} >>"
    )


def _ccitt_g4(picture: Image.Image) -> bytes:
    """Return the one strip of a TIFF that libtiff wrote, without the TIFF around it."""
    file = BytesIO()
    picture.save(file, "TIFF", compression="group4", tiffinfo={ROWSPERSTRIP: picture.height})
    with Image.open(file) as tiff:
        (start,), (length,) = tiff.tag_v2[STRIPOFFSETS], tiff.tag_v2[STRIPBYTECOUNTS]
    return file.getvalue()[start : start + length]
