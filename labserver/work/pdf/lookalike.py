"""What a file is that no engine can open: damaged, or something else under the name of a PDF."""

from __future__ import annotations

import codecs
from pathlib import Path

LONGEST_PREAMBLE = 1024
# What people send under the name of a PDF, by its first bytes in lower case.
LOOKS_LIKE = {
    "a web page": (b"<!doctype html", b"<html", b"<head", b"<script"),
    "an e-mail": (b"from:", b"from ", b"received:", b"return-path:", b"mime-version:"),
    "an archive or an office document": (b"pk\x03\x04", b"\xd0\xcf\x11\xe0"),
    "an image": (b"\x89png", b"\xff\xd8\xff", b"gif8", b"ii*\0", b"mm\0*"),
    "PostScript": (b"%!ps",),
}


def why_not_a_pdf(path: Path) -> str:
    """The reason why the file cannot be opened, in a user's words."""
    with path.open("rb") as file:
        head = file.read(LONGEST_PREAMBLE).lower()
    if not head:
        return "the file is empty"
    if b"%pdf-" in head:
        return "the document is damaged and cannot be read"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    found = [kind for kind, starts in LOOKS_LIKE.items() if start.startswith(starts)]
    return f"the file is not a PDF but {found[0]}" if found else "the file is not a PDF"
