"""Our own PNG writer: others read what it writes, with just the pixels that it was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from labserver.work.pdf import fastpng
from labserver.work.pdf.raster import Drawn


def raster_of(width: int, height: int, seed: int) -> Drawn:
    """Random pixels, with as many alike in a row as a page has."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    pixels[rng.random((height, width)) < 0.7] = 255
    return Drawn(pixels)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(width=st.integers(1, 80), height=st.integers(1, 3 * fastpng.ROWS), seed=st.integers(0, 9))
@example(width=3, height=fastpng.ROWS, seed=1)
@example(width=3, height=fastpng.ROWS + 1, seed=1)
def test_it_reads_back_as_it_was(tmp_path: Path, width: int, height: int, seed: int) -> None:
    raster = raster_of(width, height, seed)
    fastpng.write(raster, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as read:
        read.verify()
    with Image.open(tmp_path / "page.png") as read:
        assert (read.mode, read.size) == ("RGB", (width, height))
        assert np.array_equal(np.asarray(read), raster.pixels)


def test_libvips_finds_no_fault_in_it(tmp_path: Path) -> None:
    raster = raster_of(70, 200, 0)
    fastpng.write(raster, tmp_path / "page.png")
    read = pyvips.Image.new_from_file(str(tmp_path / "page.png"), fail_on="warning")
    assert (read - pyvips.Image.new_from_array(raster.pixels)).abs().max() == 0


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="No space left"):
        fastpng.write(raster_of(300, 300, 0), Path("/dev/full"))
