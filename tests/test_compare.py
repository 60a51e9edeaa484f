"""Comparing two runs: the ratio, its interval, and the refusal to call a winner."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from fake_rates import fake_rates
from fake_run import House, fake_run
from matplotlib.text import Text

from labserver.bench.cells import throughputs
from labserver.bench.compare import Comparison
from labserver.bench.store import Run
from labserver.bench.versus import contender
from labserver.errors import StartupError
from labserver.plots import comparison
from labserver.settings import Settings

LEVELS = (1, 8)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_run(tmp_path_factory.mktemp("slow"), LEVELS, 4, house=House(service_s=6.0))


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_run(tmp_path_factory.mktemp("fast"), LEVELS, 4, house=House(service_s=3.0), seed=2)


def on_another_machine(run: Run) -> Run:
    machine = {**run.info.machine, "cpu": "another processor"}
    return dataclasses.replace(run, info=dataclasses.replace(run.info, machine=machine))


def test_the_ratio_is_of_the_others_throughput_to_the_bases(slow: Run, fast: Run) -> None:
    effects = Comparison(base=slow, other=fast).effects
    assert [effect.load for effect in effects] == list(LEVELS)
    for effect in effects:
        assert effect.ratio == pytest.approx(2.0, rel=0.15)
        assert effect.low < effect.ratio < effect.high
        assert effect.repeats == 4
        assert effect.verdict == "faster"
        table = throughputs(slow)
        rows = table[table["concurrency"] == effect.load]
        assert effect.base_per_s == pytest.approx(rows["pages_per_s"].mean())


def test_the_other_way_round_is_slower_and_with_itself_no_difference(slow: Run, fast: Run) -> None:
    assert {e.verdict for e in Comparison(base=fast, other=slow).effects} == {"slower"}
    for effect in Comparison(base=slow, other=slow).effects:
        assert (effect.ratio, effect.low, effect.high) == (1, 1, 1)
        assert effect.verdict == "no difference seen"


def test_one_repeat_has_no_interval_and_no_verdict(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (1,), 1)
    (effect,) = Comparison(base=run, other=run).effects
    assert math.isnan(effect.low)
    assert effect.verdict == "one repeat: no interval"


def test_no_winner_between_unlike_machines_or_with_an_invalid_run(
    slow: Run, fast: Run, tmp_path: Path
) -> None:
    pair = Comparison(base=slow, other=on_another_machine(fast))
    assert any("another processor" in reason for reason in pair.reasons)
    assert set(pair.table["verdict"]) == {"not comparable"}
    assert "NO WINNER" in str(pair)
    assert "NO WINNER" in pair._repr_html_()
    invalid = fake_run(tmp_path, LEVELS, 2, verdict="INVALID", warnings=["the client was late"])
    pair = Comparison(base=slow, other=invalid)
    assert any("the client was late" in reason for reason in pair.reasons)


def test_it_is_drawn_also_when_nothing_is_in_common(slow: Run, tmp_path: Path) -> None:
    other = fake_run(tmp_path, (3,), 1)
    for pair in (Comparison(slow, slow), Comparison(slow, other)):
        assert comparison(pair)._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert "no point in common" in str(Comparison(slow, other))


def test_open_loops_are_paired_by_their_share_of_the_capacity(tmp_path: Path) -> None:
    base = fake_rates(tmp_path / "base", (0.5, 0.7), jobs=400, service_s=0.04)
    twice = fake_rates(tmp_path / "other", (0.5, 0.9), jobs=400, service_s=0.02)
    pair = Comparison(base, twice)
    (effect,) = pair.effects
    assert (effect.load, effect.repeats, pair.axis) == (0.5, 3, "of cap.")
    assert effect.ratio == pytest.approx(2, rel=0.1)
    assert "of cap." in str(pair)
    assert "At 0.5 of the capacity" in titles(pair)


def test_open_loops_without_a_capacity_are_paired_by_their_rate(tmp_path: Path) -> None:
    run = fake_rates(tmp_path, (0.5,), jobs=100)
    client = {"load": "open loop"}
    plain = dataclasses.replace(run, info=dataclasses.replace(run.info, client=client))
    pair = Comparison(plain, run)
    assert [(effect.load, effect.ratio) for effect in pair.effects] == [
        (pytest.approx(33.333333), 1)
    ]
    assert "At 33.33 requests/s" in titles(pair)


def test_an_open_loop_has_no_point_in_common_with_a_closed_one(slow: Run, tmp_path: Path) -> None:
    assert Comparison(slow, fake_rates(tmp_path, (0.5,), jobs=100)).effects == []


def titles(pair: Comparison) -> str:
    return " ".join(text.get_text() for text in comparison(pair).findobj(Text)).replace("\n", " ")


def test_a_contender_is_a_piece_of_the_gallery_or_flags() -> None:
    settings = Settings(pdf_workers=3)
    original = contender("original", settings)
    assert original.path == "/gallery/original/put"
    assert original.settings.gallery
    assert original.settings.pdf_workers == 3
    pdfium = Settings(engine="pdfium", pdf_workers=3)
    assert contender("original", pdfium).settings.engine == "poppler"
    assert contender("original", pdfium).settings.pdf_workers == 3
    assert contender("--engine pdfium", settings).settings.engine == "pdfium"
    shared = contender("--dispatch shared --pdf-queue-size=5", settings)
    assert shared.path == "/put"
    assert shared.settings.dispatch == "shared"
    assert (shared.settings.pdf_workers, shared.settings.pdf_queue_size) == (3, 5)
    assert shared.name == "shared-5"


@pytest.mark.parametrize(
    "text", ["oldest", "--no-such-flag", "--pdf-workers 0", "--pdf-workers", "--dispatch random"]
)
def test_a_contender_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(StartupError):
        contender(text, Settings())
