"""Make the sample documents, byte for byte the same each time: python data/make_samples.py

They land beside this script, or in --out; --check compares what is there and writes nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import booklet
import hostile
from pdfwriter import Document
from scan import add_scanned_page
from ticket import ticket


def build() -> dict[str, bytes]:
    """Return every sample, by file name."""
    return {
        "scan-17pages.pdf": scanned_booklet(),
        "page.pdf": ticket(),
        "encrypted.pdf": hostile.encrypted(),
        "truncated.pdf": hostile.truncated(ticket()),
        "not-a-pdf.pdf": hostile.not_a_pdf(),
        "zero-pages.pdf": hostile.zero_pages(),
        "many-pages.pdf": hostile.many_pages(),
        "empty-page.pdf": hostile.empty_page(),
        "page-bomb.pdf": hostile.page_bomb(),
        "image-bomb.pdf": hostile.image_bomb(),
    }


def scanned_booklet() -> bytes:
    """Return the booklet as a scanner would deliver it."""
    document = Document()
    for number, sheet in enumerate(booklet.draw(), start=1):
        add_scanned_page(document, sheet, seed=number)
    return document.to_bytes()


def differing(samples: dict[str, bytes], folder: Path) -> list[str]:
    """Return the names of the samples that `folder` lacks or holds with other bytes."""
    paths = {name: folder / name for name in samples}
    return [n for n, path in paths.items() if not path.is_file() or path.read_bytes() != samples[n]]


def main(argv: Sequence[str] | None = None) -> int:
    """Make or check the samples; return the process's status: 1 if a check found a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="the folder")
    parser.add_argument("--check", action="store_true", help="compare only; write nothing")
    options = parser.parse_args(argv)
    samples = build()
    if options.check:
        different = differing(samples, options.out)
        for name in different:
            print(f"{name}: missing or different", file=sys.stderr)
        return 1 if different else 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in samples.items():
        (options.out / name).write_bytes(content)
    for name, content in samples.items():
        print(f"{len(content):>9,} bytes  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
