"""The sample documents: made again byte for byte, and each what it is said to be."""

import importlib
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

DATA = Path(__file__).resolve().parent.parent / "data"
SCAN = DATA / "scan-17pages.pdf"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DATA))
        return importlib.import_module("make_samples")


@pytest.fixture(scope="module")
def samples(maker: ModuleType) -> dict[str, bytes]:
    built: dict[str, bytes] = maker.build()
    return built


@pytest.fixture
def made(maker: ModuleType, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command take the samples as built, which takes seconds once."""
    monkeypatch.setattr(maker, "build", lambda: samples)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def info(name: str, *options: str) -> str:
    """Return what pdfinfo says of a sample, which it must accept."""
    done = run("pdfinfo", *options, DATA / name)
    assert done.returncode == 0, done.stderr
    return done.stdout


def images() -> list[list[str]]:
    """Return pdfimages' table of the scan: page, number, type, width, height, … a row."""
    rows = run("pdfimages", "-list", SCAN).stdout.splitlines()[2:]
    return [row.split() for row in rows]


def test_the_committed_samples_are_what_the_script_makes(
    maker: ModuleType, samples: dict[str, bytes]
) -> None:
    assert maker.differing(samples, DATA) == []
    assert {path.name for path in DATA.glob("*.pdf")} == set(samples)


@pytest.mark.usefixtures("made")
def test_the_command_writes_every_sample_into_the_folder(
    maker: ModuleType, samples: dict[str, bytes], tmp_path: Path
) -> None:
    assert maker.main(["--out", str(tmp_path / "new")]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == samples


@pytest.mark.usefixtures("made")
def test_a_check_names_what_is_missing_or_altered_and_repairs_nothing(
    maker: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for sample in DATA.glob("*.pdf"):
        shutil.copy(sample, tmp_path)
    assert maker.main(["--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "page.pdf").unlink()
    (tmp_path / "truncated.pdf").write_bytes(b"%PDF-1.4\n")
    assert maker.main(["--out", str(tmp_path), "--check"]) == 1
    named = re.findall(r"^(\S+): missing or different$", capsys.readouterr().err, re.MULTILINE)
    assert named == ["page.pdf", "truncated.pdf"]
    assert not (tmp_path / "page.pdf").exists()


def test_nothing_in_a_sample_depends_on_a_date_or_on_zlib(samples: dict[str, bytes]) -> None:
    for name, content in samples.items():
        assert b"Date" not in content, name
        assert b"FlateDecode" not in content, name


def test_the_scan_is_seventeen_a4_pages_that_lay_sideways() -> None:
    described = info("scan-17pages.pdf")
    assert re.search(r"Pages: +17\b", described)
    assert re.search(r"Page size: +841\.68 x 595\.2 pts", described)
    assert re.search(r"Page rot: +270\b", described)
    assert 1.1e6 < SCAN.stat().st_size < 1.3e6


def test_a_page_of_the_scan_is_a_jpeg_under_four_to_eight_masks() -> None:
    papers = [row for row in images() if row[2] == "image"]
    masks = [row for row in images() if row[2] == "stencil"]
    assert [int(row[0]) for row in papers] == list(range(1, 18))
    assert {(row[3], row[4], row[8]) for row in papers} == {("1756", "1240", "jpeg")}
    assert all(4 <= n <= 8 for n in Counter(row[0] for row in masks).values())
    assert {(row[8], row[12]) for row in masks} == {("ccitt", "300")}
    assert max(int(row[3]) for row in masks) <= 2400
    assert max(int(row[4]) for row in masks) <= 2000


def test_the_scan_renders_upright_at_its_size(tmp_path: Path) -> None:
    run("pdftoppm", "-r", "200", "-f", "3", "-l", "3", SCAN, tmp_path / "page")
    with Image.open(tmp_path / "page-03.ppm") as page:
        assert page.size == (1654, 2338)
        pixels = np.asarray(page, dtype=np.int16)
    # The title is most of the page's red, and belongs at the top left.
    y, x = np.nonzero(pixels[..., 0] - pixels[..., 1:].max(axis=2) > 80)
    assert np.quantile(y, 0.75) < page.height / 4
    assert np.median(x) < page.width / 2


@pytest.mark.parametrize(
    "name",
    ["encrypted.pdf", "truncated.pdf", "not-a-pdf.pdf", "zero-pages.pdf", "many-pages.pdf"],
)
def test_poppler_refuses(name: str) -> None:
    assert run("pdfinfo", DATA / name).returncode != 0


def test_the_password_opens_the_encrypted_page() -> None:
    assert "Incorrect password" in run("pdfinfo", DATA / "encrypted.pdf").stderr
    assert "Incorrect password" in run("pdfinfo", "-upw", "guess", DATA / "encrypted.pdf").stderr
    assert re.search(r"Encrypted: +yes", info("encrypted.pdf", "-upw", "next please"))


def test_its_content_can_be_read_with_the_password_only(tmp_path: Path) -> None:
    """A wrong key would leave the page blank, since noise is no drawing."""
    page = DATA / "encrypted.pdf"
    assert b"re f" not in page.read_bytes()
    run("pdftoppm", "-r", "36", "-gray", "-upw", "next please", page, tmp_path / "page")
    with Image.open(tmp_path / "page-1.pgm") as image:
        assert image.getextrema() == (0, 255)


@pytest.mark.parametrize(
    ("name", "bytes_at_most", "size"),
    [
        ("page.pdf", 3000, "298 x 420 pts"),
        ("page-bomb.pdf", 1400, "9000 x 9000 pts"),
        ("image-bomb.pdf", 5000, "420 x 595 pts"),
        # Poppler makes a size up, US letter, where there is none.
        ("empty-page.pdf", 500, "612 x 792 pts"),
    ],
)
def test_poppler_accepts(name: str, bytes_at_most: int, size: str) -> None:
    described = info(name)
    assert re.search(r"Pages: +1\b", described)
    assert re.search(rf"Page size: +{size}", described)
    assert (DATA / name).stat().st_size <= bytes_at_most
