"""The times of simulated work: fixed, exponential, or drawn from a file's."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from labserver.errors import StartupError
from labserver.work.service import DOCUMENT_S, service_time


def drawn_s(kind: str, time_scale: float, n: int) -> list[float]:
    draw = service_time(kind, time_scale, random.Random(1))
    return [draw() for _ in range(n)]


def test_fixed_is_always_the_same() -> None:
    assert set(drawn_s("fixed", 0.5, 9)) == {0.5 * DOCUMENT_S}


def test_exponential_has_the_mean_of_the_fixed_and_its_shape() -> None:
    times_s = drawn_s("exponential", 0.01, 2000)
    assert stats.kstest(times_s, stats.expon(scale=0.01 * DOCUMENT_S).cdf).pvalue > 0.001


def test_a_file_is_drawn_from_with_replacement_and_scaled(tmp_path: Path) -> None:
    measured = tmp_path / "measured.txt"
    measured.write_text("1.0\n3.0\n8.0\n")
    times_s, counts = np.unique(drawn_s(str(measured), 2, 3000), return_counts=True)
    assert times_s.tolist() == [2, 6, 16]
    assert min(counts) > 850


@pytest.mark.parametrize("content", [None, "", "1.0\nfast\n", "1.0\n-2\n", "inf\n", "nan"])
def test_a_file_that_holds_no_times_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "measured.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StartupError, match="--service"):
        service_time(str(path), 1, random.Random(1))
