"""Pages that are shown turned: drawn as they lie, and their pixels turned after."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import psutil
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_fastpng import raster_of
from test_hostile import linux_only
from test_pdfium import MOST_UNLIKE, unlike
from test_runners import ignore, stop_in

from labserver.errors import Stopped
from labserver.work.pdf import lying, scratch
from labserver.work.pdf.convert import Engine, PdfWork
from labserver.work.pdf.document import Document
from labserver.work.pdf.inspect import inspect
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output
from labserver.work.pdf.raster import COLUMNS, Strip, Turn, Turned
from labserver.work.pdf.ulimit import bounded_poppler

DPI = 100


@pytest.fixture
def turned(data: Path, tmp_path: Path) -> Document:
    """The first pages of both samples, each shown turned by each right angle."""
    pdf = pypdfium2.PdfDocument.new()
    for deg in (0, 90, 180, 270):
        for name in ("page.pdf", "scan-17pages.pdf"):
            pdf.import_pages(pypdfium2.PdfDocument(data / name), [0])
            pdf[len(pdf) - 1].set_rotation(deg)
    pdf.save(tmp_path / "turned.pdf")
    return inspect(tmp_path / "turned.pdf", DPI)


def copy_of(document: Document, folder: Path, programs: Path | None = None) -> Path | None:
    return lying.lying(document, folder, stop_in(), programs)


def pages_of(document: Document, folder: Path, engine: Engine, turn: Turn) -> list[Strip]:
    work = PdfWork(document, DPI, Output(folder, keep=9), turn, engine=engine, turn=turn)
    work(stop_in(), ignore)
    pages = []
    for file in sorted((folder / turn).iterdir()):
        with Image.open(file) as page:
            pages.append(np.asarray(page))
    return pages


@given(
    width=st.integers(1, 2 * COLUMNS + 1),
    height=st.integers(1, 40),
    rows=st.integers(1, 50),
    deg=st.sampled_from([0, 90, 180, 270]),
)
def test_turned_pixels_are_all_there(width: int, height: int, rows: int, deg: int) -> None:
    pixels = raster_of(width, height, 0).pixels
    with Image.fromarray(pixels) as image:
        expected = np.asarray(image.rotate(-deg, expand=True))  # Pillow turns the other way round
    page = Turned(pixels, deg)
    assert page.size == expected.shape[1::-1]
    strips = [strip.copy() for strip in page.strips(rows)]
    assert {len(strip) for strip in strips[:-1]} <= {rows}
    assert np.array_equal(np.concatenate(strips), expected.reshape(len(expected), -1))


@pytest.mark.parametrize("engine", ["poppler", "pdfium"])
def test_pages_look_as_if_the_engine_had_turned_them(
    turned: Document, tmp_path: Path, engine: Engine
) -> None:
    by_us, by_it = (pages_of(turned, tmp_path, engine, turn) for turn in get_args(Turn))
    assert len(by_us) == len(by_it) == 8
    for ours, its in zip(by_us, by_it, strict=True):
        assert ours.shape == its.shape
        assert unlike(ours, its) < MOST_UNLIKE
        assert unlike(np.roll(its, 1, axis=(0, 1)), its) > MOST_UNLIKE
    for upright in (0, 1):
        assert np.array_equal(by_us[upright], by_it[upright])


def test_the_copy_has_the_same_pages_and_none_is_turned(turned: Document, tmp_path: Path) -> None:
    copy = copy_of(turned, tmp_path)
    assert copy is not None
    for lies, shown in zip(inspect(copy, DPI).pages, turned.pages, strict=True):
        across = shown.turned_deg in (90, 270)
        assert lies.turned_deg == 0
        assert lies.pixels(DPI) == shown.pixels(DPI)[:: -1 if across else 1]


def test_no_copy_is_made_without_need(data: Path, tmp_path: Path) -> None:
    assert copy_of(inspect(data / "page.pdf"), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_no_copy_is_made_of_a_large_document(
    turned: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lying, "LARGEST_BYTES", turned.path.stat().st_size - 1)
    assert copy_of(turned, tmp_path) is None


@pytest.mark.parametrize("deg", [90, 45])
def test_where_pdfium_sees_another_document_the_engine_turns(
    turned: Document, tmp_path: Path, deg: int
) -> None:
    first, *others = turned.pages
    other = replace(turned, pages=(replace(first, turned_deg=deg), *others))
    assert copy_of(other, tmp_path) is None
    assert not (tmp_path / "lying.pdf").exists()


def test_a_document_that_pdfium_cannot_read_is_turned_by_the_engine(
    turned: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lying, "COMMAND", (sys.executable, "-c", "import os; os.abort()"))
    assert copy_of(turned, tmp_path) is None
    pages = pages_of(turned, tmp_path, "poppler", "pixels")
    monkeypatch.undo()
    for page, its in zip(pages, pages_of(turned, tmp_path, "poppler", "engine"), strict=True):
        assert np.array_equal(page, its)


def test_a_copy_that_takes_too_long_is_given_up(
    turned: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lying, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(lying, "TIMEOUT_S", 0.2)
    assert copy_of(turned, tmp_path) is None
    assert not psutil.Process().children()


def test_a_request_to_stop_ends_it(
    turned: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lying, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(lying, "TIMEOUT_S", 50)
    stop, ended = stop_in(), list[Stopped]()

    def run() -> None:
        try:
            lying.lying(turned, tmp_path, stop, None)
        except Stopped as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not psutil.Process().children():
        assert time.monotonic() < deadline, "the copy was never begun"
    stop.request()
    thread.join(10)
    assert len(ended) == 1
    assert not psutil.Process().children()


@linux_only
def test_it_runs_within_the_bounds_of_a_conversion(turned: Document, tmp_path: Path) -> None:
    for megabytes, made in ((1024, True), (16, False)):
        programs = bounded_poppler(Limits(max_memory_mb=megabytes))
        assert programs is not None
        assert (copy_of(turned, tmp_path, programs) is not None) == made
    scratch.remove_own()
