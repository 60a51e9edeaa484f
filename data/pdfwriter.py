"""Write PDF files: objects in, bytes out.

Nothing is compressed here and nothing carries a date or a random id, so that the same objects give
the same bytes under every version of every library.
"""

from dataclasses import dataclass, field

PAGE_TREE = 1


@dataclass
class Document:
    """A PDF under construction; objects are numbered in the order in which they are added.

    The page tree and the catalogue come last in the file, as most scanners' software has them: a
    file that was cut off has lost both.
    """

    objects: dict[int, bytes] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)

    def add(self, body: bytes | str) -> int:
        """Add one object (without its `obj … endobj`) and return its number."""
        number = PAGE_TREE + 1 + len(self.objects)
        self.objects[number] = body.encode("ascii") if isinstance(body, str) else body
        return number

    def add_stream(self, data: bytes, entries: str = "") -> int:
        """Add a stream, with any dictionary entries beyond its `/Length`; return its number."""
        return self.add(stream(data, entries))

    def add_page(
        self,
        content: bytes,
        size_pt: tuple[float, float],
        images: dict[str, int] | None = None,
        rotate: int = 0,
    ) -> None:
        """Add a page of `size_pt` (width, height) whose content may paint `images` by name."""
        contents = self.add_stream(content)
        named = " ".join(f"/{name} {number} 0 R" for name, number in (images or {}).items())
        page = self.add(
            f"<< /Type /Page /Parent {PAGE_TREE} 0 R /MediaBox [0 0 {size_pt[0]:g} {size_pt[1]:g}]"
            f" /Rotate {rotate} /Resources << /XObject << {named} >> >>"
            f" /Contents {contents} 0 R >>"
        )
        self.pages.append(page)

    def to_bytes(self) -> bytes:
        """Return the whole file."""
        kids = " ".join(f"{page} 0 R" for page in self.pages)
        catalogue = PAGE_TREE + 1 + len(self.objects)
        tree = f"<< /Type /Pages /Kids [{kids}] /Count {len(self.pages)} >>"
        root = f"<< /Type /Catalog /Pages {PAGE_TREE} 0 R >>"
        objects = {**self.objects, PAGE_TREE: tree.encode(), catalogue: root.encode()}
        return assemble(objects, root=catalogue)


def stream(data: bytes, entries: str = "") -> bytes:
    """Return a stream object's body."""
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def assemble(objects: dict[int, bytes], root: int = 1, trailer: str = "") -> bytes:
    """Return a PDF file of `objects`, in their order, with its cross-reference table.

    `objects` maps 1 … n, each number once, to bodies; `root` is the catalogue's number.
    """
    # Four bytes above 127 in a comment: the specification's way to say that the file is binary.
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offsets[number] for number in sorted(offsets))
    out += f"trailer\n<< /Size {len(objects) + 1} /Root {root} 0 R {trailer} >>\n".encode()
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)
