"""Hostile documents by hand, each wrong in one way: some say nonsense, some never end."""

from __future__ import annotations

import importlib.util
import re
import zlib
from collections.abc import Callable
from pathlib import Path

WRITER = Path(__file__).resolve().parent.parent / "data" / "pdfwriter.py"
_spec = importlib.util.spec_from_file_location("pdfwriter", WRITER)
assert _spec is not None
assert _spec.loader is not None
_writer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_writer)
stream: Callable[..., bytes] = _writer.stream
assemble: Callable[..., bytes] = _writer.assemble

CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
FORM = "/Type /XObject /Subtype /Form /BBox [0 0 72 72]"
TILING = "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 10 10]"
GROUP = "/Group << /S /Transparency /CS /DeviceRGB >>"
IMAGE = "/Type /XObject /Subtype /Image /BitsPerComponent 8 /ColorSpace /DeviceGray"
SQUARE = b"10 10 50 50 re f"


def page(
    entries: str = "",
    content: bytes = SQUARE,
    box: str = "[0 0 72 72]",
    extra: dict[int, bytes] | None = None,
    filters: str = "",
) -> bytes:
    """One page with `entries`, and `extra` objects from number 5 on."""
    body = f"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox {box} {entries} >>"
    tree = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    objects = {1: CATALOGUE, 2: tree, 3: body.encode(), 4: stream(content, filters)}
    return assemble({**objects, **(extra or {})})


def tree(root: str, extra: dict[int, bytes] | None = None) -> bytes:
    """A page tree whose root has the entries `root`; object 3 is a sound page."""
    leaf = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>"
    objects = {1: CATALOGUE, 2: f"<< /Type /Pages {root} >>".encode(), 3: leaf}
    return assemble({**objects, **(extra or {})})


def xobject(content: bytes, form: bytes) -> bytes:
    """A page that paints the form /A, its object 5."""
    return page("/Resources << /XObject << /A 5 0 R >> >>", content, extra={5: form})


def tiled(content: bytes, entries: str) -> bytes:
    """A page filled with the pattern /P, its object 5."""
    return page(
        "/Resources << /Pattern << /P 5 0 R >> >>",
        b"/Pattern cs /P scn 0 0 72 72 re f",
        extra={5: stream(content, f"{TILING} {entries}")},
    )


def memory_bomb(million: int = 30) -> bytes:
    """One page whose content is an array of so many million numbers, some 50 bytes each to read.

    It is 2 kB of file for each million.
    """
    content = zlib.compress(b"[" + b"0 " * (million * 1_000_000) + b"] 0 d", 9)
    return page(content=content, filters="/Filter /FlateDecode")


def doubling(levels: int) -> bytes:
    """Forms that each paint the next one ten times: 10 ** `levels` squares."""
    forms = {
        n: stream(b"/A Do " * 10, f"{FORM} /Resources << /XObject << /A {n + 1} 0 R >> >>")
        for n in range(5, 5 + levels)
    }
    return page(
        "/Resources << /XObject << /A 5 0 R >> >>",
        b"/A Do",
        extra={**forms, 5 + levels: stream(SQUARE, FORM)},
    )


def with_prev(document: bytes, offset: int | None = None) -> bytes:
    """A document whose cross-reference table names a previous one; by default, itself."""
    found = re.search(rb"startxref\n(\d+)", document)
    assert found is not None
    previous = int(found[1]) if offset is None else offset
    return document.replace(b"/Root", b"/Prev %d /Root" % previous)


def _deep_tree(levels: int = 3000) -> bytes:
    nodes = {n: f"<< /Type /Pages /Kids [{n + 1} 0 R] /Count 1 >>" for n in range(3, levels)}
    extra = {n: node.encode() for n, node in nodes.items()}
    return tree("/Kids [3 0 R] /Count 1", {**extra, levels: b"<< /Type /Page >>"})


def _rubbish(entries: str) -> bytes:
    noise = bytes(n * n * 7 % 251 for n in range(4000))
    image = stream(noise, f"{IMAGE} /Width 3000 /Height 3000 {entries}")
    return xobject(b"q 72 0 0 72 0 0 cm /A Do Q", image)


def hostile() -> dict[str, bytes]:
    """Every document here, by name."""
    sound = page()
    self_form = stream(b"/A Do /A Do", f"{FORM} /Resources << /XObject << /A 5 0 R >> >>")
    self_mask = stream(
        SQUARE, f"{FORM} {GROUP} /Resources << /ExtGState << /G << /SMask << /G 5 0 R >> >> >> >>"
    )
    nesting = "/X " + "[" * 50_000 + "]" * 50_000
    skewed = stream(bytes(100), f"{IMAGE} /Width 30000 /Height 30000 /Interpolate true")
    loop = "/Resources << /Pattern << /P 5 0 R >> >> /XStep 1 /YStep 1"
    return {
        "0 bytes": b"",
        "one byte": b"%",
        "header alone": b"%PDF-1.7\n",
        "NULs": bytes(100_000),
        "HTML": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "no xref": sound.partition(b"xref")[0],
        "no header": sound.replace(b"%PDF-1.4", b"        "),
        "mail before": b"MIME-Version: 1.0\r\n\r\n" + b"x" * 500 + sound,
        "garbage after": sound + bytes(range(256)) * 1000,
        "xref names itself": with_prev(sound),
        "xref into nowhere": with_prev(sound, 10**12),
        "xref of 40 million": sound.replace(b"xref\n0 5", b"xref\n0 40000000"),
        "catalogue loops": assemble({1: b"1 0 R"}),
        "tree is its own kid": tree("/Kids [2 0 R] /Count 1"),
        "tree with a loop": tree("/Kids [3 0 R 2 0 R 3 0 R] /Count 3"),
        "tree without kids": tree("/Kids 3 0 R /Count 1"),
        "tree 3000 deep": _deep_tree(),
        "parents in a ring": tree("/Parent 3 0 R /Kids [3 0 R] /Count 1"),
        "a missing page": tree("/Kids [3 0 R 99 0 R 3 0 R] /Count 3"),
        "count too large": tree("/Kids [3 0 R] /Count 1000000000"),
        "count too small": tree("/Kids [3 0 R 3 0 R 3 0 R] /Count 1"),
        "count negative": tree("/Kids [3 0 R] /Count -5"),
        "count a name": tree("/Kids [3 0 R] /Count /Many"),
        "box a reference to itself": page(box="3 0 R"),
        "box of strings": page(box="[(a) (b) (c) (d)]"),
        "box of 1e9": page(box="[0 0 1000000000 1000000000]"),
        "box infinite": page(box=f"[0 0 {'9' * 400} 400]"),
        "box far away": page(box="[-5000000 -5000000 -4999900 -4999900]"),
        "crop box outside": page("/CropBox [1000 1000 1200 1300]"),
        "nested 50,000 deep": page(nesting),
        "content loops": page(content=b"", extra={5: b"[5 0 R 5 0 R]"}).replace(
            b"/Contents 4", b"/Contents 5"
        ),
        "form paints itself": xobject(b"/A Do", self_form),
        "mask masks itself": page(
            "/Resources << /ExtGState << /G << /SMask << /S /Luminosity /G 5 0 R >> >> >> >>",
            b"/G gs 0 0 72 72 re f",
            extra={5: self_mask},
        ),
        "forms ten by ten": doubling(25),
        "pattern of itself": tiled(b"/Pattern cs /P scn 0 0 72 72 re f", loop),
        "pattern of tiny steps": tiled(SQUARE, "/XStep 0.0001 /YStep 0.0001 /Resources << >>"),
        "dashes without end": page(content=b"[0.00001 0.00001] 0 d 0 0 m 1000000 1000000 l S"),
        "100,000 dashes": page(content=b"[" + b"0.001 " * 100_000 + b"] 0 d 0 0 m 72 72 l S"),
        "q without Q": page(content=b"q " * 200_000 + SQUARE),
        "skewed image": xobject(b"q 72 9 9 72 0 0 cm /A Do Q", skewed),
        "JBIG2 rubbish": _rubbish("/Filter /JBIG2Decode"),
        "JPX rubbish": _rubbish("/Filter /JPXDecode"),
        "DCT rubbish": _rubbish("/Filter /DCTDecode"),
        "CCITT rubbish": _rubbish("/Filter /CCITTFaxDecode /DecodeParms << /K -1 >>"),
        "filters by the hundred": _rubbish(f"/Filter [{'/ASCIIHexDecode ' * 500}]"),
        "memory bomb": memory_bomb(),
    }
