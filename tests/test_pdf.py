"""From a document to its pages: what is refused, what is written, what is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import pyvips
from PIL import Image

from labserver.errors import InvalidJob, Stopped
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.work.pdf import scratch
from labserver.work.pdf.convert import PdfWork
from labserver.work.pdf.inspect import PageSize, inspect
from labserver.work.pdf.output import Output
from labserver.work.pdf.png import Mode, save_png
from labserver.work.pdf.ppm import Ppm
from labserver.work.pdf.raster import Drawn

BAD_DOCUMENTS = [
    ("not-a-pdf.pdf", "not a PDF"),
    ("encrypted.pdf", "encrypted"),
    ("zero-pages.pdf", "no pages|damaged"),
    ("truncated.pdf", "damaged"),
]
MODES: tuple[Mode, Mode] = ("fast", "small")


def stop_in(seconds: float = 60.0) -> StopToken:
    return StopToken(time.monotonic_ns() + round(seconds * NS_PER_S))


def pdftoppm(document: Path, folder: Path, *, dpi: int, last_page: int) -> list[Path]:
    """The rasters that poppler makes of the first pages."""
    subprocess.run(
        ["pdftoppm", "-r", str(dpi), "-cropbox", "-l", str(last_page), document, folder / "raster"],
        check=True,
    )
    return sorted(folder.glob("raster*.ppm"))


def pdftoppm_of_ours() -> list[psutil.Process]:
    """Those that convert; pdf2image also starts one to ask for its version."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.name() == "pdftoppm" and "-r" in child.cmdline():
                found.append(child)
    return found


def test_the_sample_is_seventeen_portrait_pages(data: Path) -> None:
    document = inspect(data / "scan-17pages.pdf")
    assert len(document.pages) == 17
    # Landscape paper turned by 270 degrees: upright on the screen.
    assert {page.pixels(200) for page in document.pages} == {(1654, 2338)}


@pytest.mark.parametrize(("name", "reason"), BAD_DOCUMENTS)
def test_a_bad_document_is_refused_with_its_reason(data: Path, name: str, reason: str) -> None:
    with pytest.raises(InvalidJob, match=reason):
        inspect(data / name)


def test_pixels_round_up() -> None:
    assert PageSize(595, 841).pixels(200) == (1653, 2337)
    assert PageSize(72, 72.1).pixels(72) == (72, 73)


def test_every_page_becomes_a_png_of_its_size(data: Path, tmp_path: Path) -> None:
    document = inspect(data / "scan-17pages.pdf")
    pages: list[int] = []
    work = PdfWork(document, 50, Output(tmp_path, keep=5), "job")
    result = work(stop_in(), pages.append)
    assert result.pages == 17
    assert result.text.endswith("nPages=17")
    assert pages == list(range(1, 18))
    files = sorted((tmp_path / "job").iterdir())
    assert [file.name for file in files] == [f"image.{n:02d}.png" for n in range(1, 18)]
    for file in files:
        image = pyvips.Image.new_from_file(str(file))
        assert (image.width, image.height) == document.pages[0].pixels(50)
    assert not list(scratch.scratch_root().iterdir())


@pytest.mark.parametrize("mode", MODES)
def test_the_png_has_the_pixels_that_poppler_made(data: Path, tmp_path: Path, mode: Mode) -> None:
    (ppm,) = pdftoppm(data / "page.pdf", tmp_path, dpi=50, last_page=1)
    png = tmp_path / "page.png"
    save_png(Ppm.open(ppm), png, mode)
    with Image.open(png) as written, Image.open(ppm) as raster:
        assert written.mode == "RGB"
        assert written.tobytes() == raster.tobytes()


def test_small_is_smaller_than_fast(data: Path, tmp_path: Path) -> None:
    (ppm,) = pdftoppm(data / "scan-17pages.pdf", tmp_path, dpi=100, last_page=1)
    for mode in MODES:
        save_png(Ppm.open(ppm), tmp_path / f"{mode}.png", mode)
    fast, small = ((tmp_path / f"{mode}.png").stat().st_size for mode in MODES)
    assert small < 0.95 * fast


def test_a_raster_cut_off_by_a_full_disk_is_an_error(tmp_path: Path) -> None:
    ppm = tmp_path / "page.ppm"
    ppm.write_bytes(b"P6\n100 100\n255\n" + bytes(100))
    with pytest.raises(ValueError, match="not complete"):
        Ppm.open(ppm)
    assert not Ppm.is_whole(ppm)
    ppm.write_bytes(b"P6\n100 100\n255\n" + bytes(30_000))
    assert Ppm.is_whole(ppm)
    ppm.write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match="not a binary"):
        Ppm.open(ppm)


@pytest.mark.parametrize("mode", MODES)
def test_a_png_that_cannot_be_written_to_its_end_is_not_there(tmp_path: Path, mode: Mode) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    try:
        with pytest.raises((OSError, pyvips.Error)):
            save_png(Drawn(noise), tmp_path / "page.png", mode)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "page.png").exists()


def test_stopped_in_the_middle_it_kills_pdftoppm_and_leaves_no_page(
    data: Path, tmp_path: Path
) -> None:
    work = PdfWork(inspect(data / "scan-17pages.pdf"), 200, Output(tmp_path, keep=5), "job")
    stop = stop_in()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work(stop, lambda page: None)
        except Stopped as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not pdftoppm_of_ours():
        assert time.monotonic() < deadline, "pdftoppm never began"
    stop.request()
    thread.join(10)
    assert len(ended) == 1
    assert not pdftoppm_of_ours()
    assert not list(tmp_path.iterdir())
    assert not list(scratch.scratch_root().iterdir())


def test_a_deadline_ends_pdftoppm_too(data: Path, tmp_path: Path) -> None:
    work = PdfWork(inspect(data / "scan-17pages.pdf"), 600, Output(tmp_path, keep=5), "job")
    with pytest.raises(Stopped):
        work(stop_in(0.5), lambda page: None)
    assert not pdftoppm_of_ours()
    assert not list(tmp_path.iterdir())


def test_a_pdftoppm_that_is_killed_is_a_failure_and_not_a_short_document(
    data: Path, tmp_path: Path
) -> None:
    work = PdfWork(inspect(data / "scan-17pages.pdf"), 200, Output(tmp_path, keep=5), "job")
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work(stop_in(), lambda page: None)
        except RuntimeError as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not (children := pdftoppm_of_ours()):
        assert time.monotonic() < deadline, "pdftoppm never began"
    children[0].kill()
    thread.join(30)
    assert len(ended) == 1
    assert "was killed" in str(ended[0])
    assert not list(tmp_path.iterdir())


def test_only_the_newest_jobs_are_kept(tmp_path: Path) -> None:
    output = Output(tmp_path, keep=2)
    for age, name in enumerate("abcd"):
        with output.folder(name) as folder:
            (folder / "image.01.png").touch()
        os.utime(tmp_path / name, (age, age))
    with output.folder("e"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "e"]


def test_stale_scratch_of_a_dead_server_goes_and_a_living_ones_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "MEMORY_BACKED", tmp_path)
    gone = subprocess.Popen(["true"])
    gone.wait()
    for name in (f"labserver-{gone.pid}", f"labserver-{os.getpid()}", "labserver-log-x"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    fresh = tmp_path / "labserver-999999999"
    fresh.mkdir()
    scratch.remove_stale()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"labserver-{os.getpid()}", "labserver-log-x", fresh.name}
    shutil.rmtree(tmp_path)
