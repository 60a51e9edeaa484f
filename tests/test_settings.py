"""Settings: flags, variables and their errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from labserver.errors import StartupError
from labserver.settings import Settings


def test_the_defaults_are_the_documented_ones() -> None:
    settings = Settings()
    assert (settings.message_workers, settings.message_queue_size) == (1, 10)
    assert (settings.pdf_workers, settings.pdf_queue_size) == (8, 20)
    assert (settings.message_timeout, settings.pdf_timeout) == (5, 60)
    assert (settings.host, settings.port, settings.dispatch) == ("127.0.0.1", 8000, "least-busy")


def test_a_variable_sets_what_no_flag_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABSERVER_PDF_WORKERS", "3")
    assert Settings().pdf_workers == 3
    assert Settings.of(pdf_workers=5).pdf_workers == 5


def test_an_error_names_the_flag_the_variable_and_the_value() -> None:
    with pytest.raises(StartupError) as caught:
        Settings.of(pdf_workers=0, engine="magic")
    text = str(caught.value)
    assert "--pdf-workers" in text
    assert "LABSERVER_PDF_WORKERS" in text
    assert "'magic'" in text
    assert "'poppler'" in text


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_args_give_the_same_settings_again(tmp_path: Path) -> None:
    settings = Settings(
        port=0, engine="sleep", time_scale=0.5, output_dir=tmp_path, stdin_guard=True
    )
    args = settings.args()
    assert args == [
        "--port", "0", "--engine", "sleep", "--time-scale", "0.5",
        "--output-dir", str(tmp_path), "--stdin-guard",
    ]  # fmt: skip
    assert Settings().args() == []
