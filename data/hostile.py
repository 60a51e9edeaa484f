"""The documents that a server must refuse or survive: small, and wrong in one way each.

They are written out object by object, so that what is wrong with each can be read here.
"""

import hashlib
import struct

from mask import mask_entries
from pdfwriter import assemble, stream

CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
ONE_PAGE = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
USER_PASSWORD = b"next please"
# PDF 32000-1, 7.6.3.3: what fills a password up to 32 bytes.
PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def not_a_pdf() -> bytes:
    """Return plain text, as when somebody renames a file."""
    return b"Dear printer,\n\nthis is a letter. Only its name says that it is a PDF.\n"


def zero_pages() -> bytes:
    """Return a sound document without a page."""
    return assemble({1: CATALOGUE, 2: b"<< /Type /Pages /Kids [] /Count 0 >>"})


def truncated(document: bytes) -> bytes:
    """Return the first two thirds of a document, as an upload that broke off leaves it."""
    return document[: len(document) * 2 // 3]


def page_bomb() -> bytes:
    """Return one page of 9,000 × 9,000 pt: 625 megapixels, 1.9 GB of RGB, at 200 dpi."""
    side_pt = 9000
    rings = range(120, side_pt // 2, 120)
    squares = [f"{i} {i} {side_pt - 2 * i} {side_pt - 2 * i} re S" for i in rings]
    return assemble(_one_page("\n".join(squares).encode(), side_pt, side_pt))


def empty_page() -> bytes:
    """Return one page whose MediaBox has no area: a viewer has to make a size up."""
    return assemble(_one_page(b"0 0 72 72 re f", 0, 0))


def many_pages() -> bytes:
    """Return a page tree of 16 nodes that each list the next one twice: 65,536 pages in 2 kB.

    A tree may not share its branches, but a reader that only guards against loops walks it all.
    """
    levels = 16
    objects = {1: CATALOGUE}
    for level in range(levels):
        number, count = level + 2, 2 ** (levels - level)
        kids = f"[{number + 1} 0 R {number + 1} 0 R]"
        objects[number] = f"<< /Type /Pages /Kids {kids} /Count {count} >>".encode()
    objects[levels + 2] = b"<< /Type /Page /MediaBox [0 0 72 72] >>"
    return assemble(objects)


def image_bomb() -> bytes:
    """Return an ordinary A5 page that paints 32,000 × 32,000 white pixels, 4 kB of data, 10 times.

    Its size passes every look at the page; only a deadline stops the decoding.
    """
    side_px = 32_000
    # In CCITT G4 a row like the (white) row above it is the single bit 1.
    rows = b"\xff" * (side_px // 8)
    content = b"q 420 0 0 595 0 0 cm" + b" /Bomb Do" * 10 + b" Q"
    objects = _one_page(content, 420, 595, "/XObject << /Bomb 5 0 R >>")
    return assemble({**objects, 5: stream(rows, mask_entries(side_px, side_px))})


def encrypted() -> bytes:
    """Return one page that only `USER_PASSWORD` opens, its content encrypted with 40-bit RC4.

    RC4 keeps no secret today; it is in every reader, and it needs no library to write.
    """
    # For want of an owner's password the user's stands in: PDF 32000-1, algorithm 3, step a.
    file_id, permissions = b"waiting-line-000", -4
    padded = (USER_PASSWORD + PADDING)[:32]
    owner = _rc4(_md5(padded)[:5], padded)
    key = _md5(padded + owner + struct.pack("<i", permissions) + file_id)[:5]  # algorithm 2
    user = _rc4(key, PADDING)  # algorithm 4
    content_key = _md5(key + struct.pack("<I", 4)[:3] + b"\0\0")[:10]  # algorithm 1, object 4
    content = _rc4(content_key, b"36 36 100 100 re f")
    lock = (
        f"<< /Filter /Standard /V 1 /R 2 /O <{owner.hex()}> /U <{user.hex()}> /P {permissions} >>"
    )
    return assemble(
        {**_one_page(content, 420, 595), 5: lock.encode()},
        trailer=f"/Encrypt 5 0 R /ID [<{file_id.hex()}> <{file_id.hex()}>]",
    )


def _one_page(
    content: bytes, width_pt: int, height_pt: int, resources: str = ""
) -> dict[int, bytes]:
    page = (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width_pt} {height_pt}]"
        f" /Resources << {resources} >> /Contents 4 0 R >>"
    )
    return {1: CATALOGUE, 2: ONE_PAGE, 3: page.encode(), 4: stream(content)}


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
