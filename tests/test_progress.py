"""How far a run is: said in a notebook too, but only of a long one, and gone at its end."""

from __future__ import annotations

from typing import Any

import pytest

from labserver.bench import progress
from labserver.bench.progress import bar


class Cell:
    """What stands below a notebook's cell: each line that did, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, data: dict[str, str], **_: Any) -> Cell:
        assert not self.lines, "a second line in place of another first one"
        self.update(data)
        return self

    def update(self, data: dict[str, str], **_: Any) -> None:
        self.lines.append(data["text/plain"])


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    cell = Cell()
    monkeypatch.setattr("IPython.display.display", cell.display)
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    return cell


def test_a_short_run_leaves_a_notebook_as_it_was(cell: Cell) -> None:
    with bar(range(3), unit="point", shown=True) as done:
        assert list(done) == [0, 1, 2]
    assert cell.lines == []


def test_a_long_run_says_how_far_it_is_until_its_end(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "AFTER_S", 0.0)
    with bar(total=4, unit="PDF", shown=True) as done:
        done.set_description("2 at once")
        done.update(2)
        assert cell.lines[-1].startswith("2 at once: 2 of 4 PDFs after 00:00, about ")
    assert cell.lines[-1] == ""


def test_of_an_unknown_total_it_says_how_many(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER_S", 0.0)
    with bar(unit="answer", shown=True) as done:
        done.update(7)
        assert cell.lines[-1] == "7 answers after 00:00"


def test_where_there_is_no_notebook_it_is_a_terminals_bar_or_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for shown in (True, False):
        with bar(total=1, unit="PDF", shown=shown) as done:
            done.update()
    assert capsys.readouterr().err == ""
