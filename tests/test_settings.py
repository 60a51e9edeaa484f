"""Settings: flags, variables and their errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from labserver.bench.host import own_host
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


@pytest.mark.parametrize("rate", ["60", "60/min", "0/minute", "-1/minute", "1.5/second", "", "on"])
def test_a_rate_that_is_none_is_an_error_that_shows_one(rate: str) -> None:
    with pytest.raises(StartupError, match=r"--rate-limit .*like 60/minute.*or off"):
        Settings.of(rate_limit=rate)


def test_a_token_comes_by_variable_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABSERVER_TOKEN", "open-sesame")
    settings = Settings()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "open-sesame"
    assert "open-sesame" not in repr(settings) + " ".join(settings.args())


def test_an_empty_token_is_an_error() -> None:
    with pytest.raises(StartupError, match="--token"):
        Settings.of(token="")


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


def test_pdfs_are_converted_in_processes_and_the_rest_is_in_threads() -> None:
    assert Settings().runs_in == "process"
    assert Settings(engine="pdfium").runs_in == "process"
    assert Settings(gallery=True).runs_in == "thread"
    assert Settings(engine="sleep").runs_in == "thread"
    assert Settings(engine="sleep", runner="process").runs_in == "process"
    assert Settings().message_runs_in == "thread"
    assert Settings(runner="process").message_runs_in == "process"


@pytest.mark.parametrize(("engine", "runner"), [("pdfium", "process"), ("sleep", "thread")])
def test_a_run_records_the_runner_that_ran(engine: str, runner: str) -> None:
    assert own_host(Settings(engine=engine)).server["runner"] == runner


@pytest.mark.parametrize(("asked", "runner"), [("auto", "thread"), ("inline", "inline")])
def test_of_messages_it_is_theirs(asked: str, runner: str) -> None:
    assert own_host(Settings(runner=asked), "message").server["runner"] == runner


def test_pdfium_in_threads_is_refused_with_the_remedy() -> None:
    with pytest.raises(StartupError, match=r"--runner .* it is process.* but it is 'thread'"):
        Settings.of(engine="pdfium", runner="thread")
    with pytest.raises(StartupError, match=r"--gallery .* another --engine"):
        Settings.of(engine="pdfium", gallery=True)
