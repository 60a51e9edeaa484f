"""What is refused before anything is rendered, with which reason, and that sizes are poppler's."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
import pyvips
from handmade import hostile, page, tree

from labserver.errors import InvalidJob, StartupError
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.settings import Settings
from labserver.work.pdf import pdfinfo, ulimit
from labserver.work.pdf.convert import PdfWork
from labserver.work.pdf.document import PageSize
from labserver.work.pdf.inspect import inspect
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX has ulimit")


def write(folder: Path, content: bytes) -> Path:
    path = folder / "document.pdf"
    path.write_bytes(content)
    return path


def refusal(path: Path, dpi: int = 200, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidJob) as caught:
        inspect(path, dpi, limits or Limits())
    return str(caught.value)


@pytest.fixture
def fake_pdfinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to write a script into that is then taken for pdfinfo."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "pdfinfo"
    script.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return script


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("not-a-pdf.pdf", "the file is not a PDF"),
        ("encrypted.pdf", "the document is encrypted and needs a password"),
        ("truncated.pdf", "the document is damaged and cannot be read"),
        ("zero-pages.pdf", "the document has no pages that can be read"),
        ("page-bomb.pdf", "page 1 is 25000 x 25000 pixels at 200 dpi, more than --max-pixels"),
        ("many-pages.pdf", "the document has (65536|no) pages"),
    ],
)
def test_a_bad_sample_is_refused_with_its_reason(data: Path, name: str, reason: str) -> None:
    assert re.match(reason, refusal(data / name))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("0 bytes", "the file is empty"),
        ("NULs", "the file is not a PDF"),
        ("HTML", "the file is not a PDF but a web page"),
        ("header alone", "the document is damaged and cannot be read"),
        ("no xref", "the document is damaged and cannot be read"),
        ("count too large", "the document has no pages that can be read"),
        ("count negative", "the document has no pages that can be read"),
        ("a missing page", r"page 3 is damaged or has no area \(0 x 0 points\)"),
        ("tree is its own kid", "page 1 is damaged or has no area"),
        ("box of 1e9", r"page 1 is 2777777778 x 2777777778 pixels at 200 dpi.* --max-pixels 640"),
        ("box infinite", r"page 1 is damaged or has no area \(inf x 400 points\)"),
    ],
)
def test_a_hostile_document_is_refused_with_its_reason(
    tmp_path: Path, name: str, reason: str
) -> None:
    assert re.match(reason, refusal(write(tmp_path, hostile()[name])))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xef\xbb\xbf\r\n<html lang=en>", "a web page"),
        (b"Received: from mail\r\nMIME-Version: 1.0\r\n\r\nJVBERi0xLjQK", "an e-mail"),
        (b"PK\x03\x04word/document.xml", "an archive or an office document"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"%!PS-Adobe-3.0\nshowpage\n", "PostScript"),
    ],
)
def test_what_only_bears_the_name_of_a_pdf_is_named(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    assert refusal(write(tmp_path, content)) == f"the file is not a PDF but {kind}"


@pytest.mark.parametrize(
    "name", ["no header", "mail before", "garbage after", "xref names itself", "tree 3000 deep"]
)
def test_a_document_that_readers_forgive_is_taken(tmp_path: Path, name: str) -> None:
    assert len(inspect(write(tmp_path, hostile()[name])).pages) == 1


def test_a_document_is_taken_whose_password_is_empty(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(data)
    maker = importlib.import_module("hostile")
    monkeypatch.setattr(maker, "USER_PASSWORD", b"")
    assert inspect(write(tmp_path, maker.encrypted())).pages == (PageSize(420, 595),)


def test_encryption_that_poppler_does_not_know_is_named(tmp_path: Path) -> None:
    lock = b"<< /Filter /Adobe.PubSec /V 4 /SubFilter /adbe.pkcs7.s5 >>"
    document = page(extra={5: lock}).replace(b"/Root", b"/Encrypt 5 0 R /ID [<00> <00>] /Root")
    assert refusal(write(tmp_path, document)).startswith("the document is encrypted in a way")


@pytest.mark.parametrize("pages", [3, 4])
def test_the_most_pages_are_taken_and_one_more_is_not(tmp_path: Path, pages: int) -> None:
    kids = "3 0 R " * pages
    path = write(tmp_path, tree(f"/Kids [{kids}] /Count {pages}", {4: b"[]"}))
    limits = Limits(max_pages=3)
    if pages == 3:
        assert len(inspect(path, limits=limits).pages) == 3
    else:
        assert refusal(path, limits=limits) == (
            "the document has 4 pages, more than --max-pages 3 allows"
        )


def test_the_most_pixels_are_taken_and_one_row_more_is_not(tmp_path: Path) -> None:
    path = write(tmp_path, page(box="[0 0 72 36]"))
    assert inspect(path, 100, Limits(max_pixels=5000)).pages[0].pixels(100) == (100, 50)
    assert refusal(path, 101, Limits(max_pixels=5000)) == (
        "page 1 is 101 x 51 pixels at 101 dpi, more than --max-pixels 5000 allows"
    )


def test_a_sheet_of_a0_at_the_default_resolution_is_within_the_default_limit(
    tmp_path: Path,
) -> None:
    assert inspect(write(tmp_path, page(box="[0 0 2384 3370]"))).pages[0].pixels(200) == (
        6623,
        9362,
    )


def test_limits_are_those_of_the_settings() -> None:
    assert Limits.of(Settings()) == Limits()
    changed = Settings(max_pages=1, max_pixels=2, max_memory_mb=64, pdf_timeout=4.5)
    assert Limits.of(changed) == Limits(1, 2, 64, 5)


@pytest.mark.parametrize(
    "entries",
    [
        "/CropBox [50 50 200 300]",
        "/CropBox [200 300 50 50]",
        "/CropBox [-100 -100 500 600]",
        "/CropBox [200 200 600 900]",
        "/CropBox [0 0 0 0]",
        "/CropBox [50 50 200 300] /Rotate 90",
        "/Rotate 90",
        "/Rotate -90",
        "/Rotate 450",
        "/Rotate 45",
        "/Rotate 180",
        "/UserUnit 10",
        "/MediaBox [300.123 400.777 0 0]",
        "/MediaBox [-5000 -5000 -4700 -4600]",
        "/MediaBox [0 0 0.001 0.001]",
        "/MediaBox [0 0 0 0]",
        "/MediaBox [(a) (b) (c) (d)]",
        "/MediaBox [0 0 1234.5678 12345.678]",
        "/MediaBox [0 0 1234567.89 0.5]",
    ],
)
def test_an_odd_page_is_as_large_as_it_was_inspected_to_be(tmp_path: Path, entries: str) -> None:
    """A page that differs from its inspection fails, so that a sound one must not differ."""
    box = "" if "MediaBox" in entries else "/MediaBox [0 0 300 400]"
    document = page(entries).replace(b"/MediaBox [0 0 72 72]", box.encode())
    sized = inspect(write(tmp_path, document), 50)
    work = PdfWork(sized, 50, Output(tmp_path / "out", keep=1), "job")
    work(StopToken(time.monotonic_ns() + 60 * NS_PER_S), lambda number: None)
    image = pyvips.Image.new_from_file(str(tmp_path / "out" / "job" / "image.01.png"))
    width, height = sized.pages[0].pixels(50)
    assert image.width == pytest.approx(width, abs=1, rel=1e-5)
    assert image.height == pytest.approx(height, abs=1, rel=1e-5)


def test_boxes_and_rotation_are_inherited_from_the_tree(tmp_path: Path) -> None:
    leaf = b"<< /Type /Page /Parent 2 0 R >>"
    root = "/Kids [3 0 R] /Count 1 /MediaBox [0 0 300 400] /CropBox [0 0 100 200] /Rotate 270"
    document = tree(root).replace(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>", leaf)
    assert inspect(write(tmp_path, document)).pages == (PageSize(200, 100, 270),)


def test_a_title_cannot_pass_for_a_page(tmp_path: Path) -> None:
    """pdfinfo writes a document's title as it is, with its line feeds."""
    bomb = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9000 9000] >>"
    title = b"<< /Title (\\nPages: 1\\nPage 2 size: 72 x 72 pts\\n) >>"
    document = tree("/Kids [3 0 R 4 0 R] /Count 2", {4: bomb, 5: title})
    path = write(tmp_path, document.replace(b"/Root", b"/Info 5 0 R /Root"))
    said = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True).stdout
    assert "\nPages: 1\n" in said
    assert refusal(path).startswith("page 2 is 25000 x 25000 pixels")


def test_a_document_of_which_pdfinfo_complains_for_megabytes_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path, hostile()["nested 50,000 deep"])
    said = subprocess.run(["pdfinfo", path], capture_output=True, check=True)
    assert len(said.stderr) > pdfinfo.MOST_BYTES
    assert inspect(path).pages == (PageSize(72, 72),)


@posix_only
def test_a_pdfinfo_that_never_ends_is_ended(
    tmp_path: Path, fake_pdfinfo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdfinfo, "TIMEOUT_S", 0.1)
    fake_pdfinfo.write_text("#!/bin/sh\nexec sleep 1000\n", encoding="utf-8")
    assert "could not be read" in refusal(write(tmp_path, page()))
    assert not [p for p in psutil.Process().children() if p.name() in ("pdfinfo", "sleep")]


@posix_only
def test_a_pdfinfo_that_never_ends_to_talk_is_not_listened_to(
    tmp_path: Path, fake_pdfinfo: Path
) -> None:
    fake_pdfinfo.write_text("#!/bin/sh\nexec yes Pages: 1\n", encoding="utf-8")
    assert "could not be read" in refusal(write(tmp_path, page()))


@posix_only
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no limit on the address space")
def test_pdfinfo_runs_within_its_limits(tmp_path: Path, fake_pdfinfo: Path) -> None:
    script = """\
        #!/bin/sh
        echo Title: none
        echo Pages: 1
        echo Page 1 size: $(ulimit -v) x $(ulimit -t) pts
        """
    fake_pdfinfo.write_text(textwrap.dedent(script), encoding="utf-8")
    limits = Limits(max_memory_mb=300, max_cpu_s=7)
    assert inspect(write(tmp_path, page()), 10, limits).pages == (PageSize(300 * 1024, 7),)


def test_without_poppler_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartupError, match=r"poppler is not installed: .* --engine"):
        inspect(write(tmp_path, page()))
    with pytest.raises(StartupError, match="poppler is not installed"):
        ulimit.bounded_poppler(Limits())
