"""A program of its own that copies a PDF and has no page of the copy shown turned (/Rotate).

`python -P unturn.py DOCUMENT COPY 270 0 …` with the degrees by which each page is shown turned.
It exits with 0 when the copy is there, and with 1 when PDFium does not see such a document.
"""

# PDFium bears no second thread and may crash on a document, so no server calls it in its own
# process. This imports nothing of ours, which would cost more than what it does.

from __future__ import annotations

import io
import sys
from pathlib import Path

import pypdfium2


def unturn(document: str, copy: str, turned_deg: list[int]) -> bool:
    """Whether the copy was made; it is not when the pages are not turned by these degrees.

    Raises pypdfium2.PdfiumError or OSError when the one cannot be read or the other written.
    """
    pdf = pypdfium2.PdfDocument(document)
    pages = list(pdf)
    if [page.get_rotation() for page in pages] != turned_deg:
        return False
    for page in pages:
        page.set_rotation(0)
    # PDFium does not notice when a file cannot be written to its end.
    whole = io.BytesIO()
    pdf.save(whole)
    Path(copy).write_bytes(whole.getvalue())
    return True


if __name__ == "__main__":
    made = unturn(sys.argv[1], sys.argv[2], [int(deg) for deg in sys.argv[3:]])
    sys.exit(0 if made else 1)
