"""The runs that were kept: which count, and that a strange folder does no harm."""

from __future__ import annotations

from pathlib import Path

from fake_run import fake_run

from labserver.bench.store import kept_runs


def test_valid_runs_with_a_name_are_found_at_any_depth(tmp_path: Path) -> None:
    fake_run(tmp_path / "b", (1,), 1)
    fake_run(tmp_path / "a" / "inner", (1,), 1)
    fake_run(tmp_path / "c", (1,), 1, verdict="INVALID")
    fake_run(tmp_path / "20260102-030405-sweep" / "many", (1,), 1)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{}", encoding="utf-8")
    kept = kept_runs(tmp_path)
    assert [run.path for run in kept] == [tmp_path / "a" / "inner", tmp_path / "b"]


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert kept_runs(tmp_path / "nowhere") == []
