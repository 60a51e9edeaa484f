"""The lessons as a whole: all are run and told of, and their pages need nothing but themselves."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from labserver.course import lessons as course
from labserver.course.execution import execute
from labserver.course.lessons import lessons
from labserver.course.pages import write_pages
from labserver.errors import StartupError

REMOTE = re.compile(r"""<(?:script|link|iframe)\b|\bsrc=["'](?!data:)|url\(|@import""")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of its own: a lesson that runs, one that fails, and solutions."""
    monkeypatch.setattr(course, "FOLDER", tmp_path)
    (tmp_path / "solutions").mkdir()
    save(tmp_path / "00_good.ipynb", "QUICK = True", "print('quick' if QUICK else 'full')")
    save(tmp_path / "01_bad.ipynb", "QUICK = True", "1 + 1", "nothing / 0", "print('never')")
    save(tmp_path / "solutions" / "00_good.ipynb", "QUICK = True")
    return tmp_path


def save(path: Path, parameters: str, *cells: str) -> None:
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
    nbformat.write(notebook, path)


def printed(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [output["text"] for cell in cells for output in cell.outputs]


def test_they_come_in_order_and_by_a_part_of_their_name(folder: Path) -> None:
    assert [one.name for one in lessons()] == ["00_good", "solutions/00_good", "01_bad"]
    assert [one.name for one in lessons(["bad"])] == ["01_bad"]
    with pytest.raises(StartupError, match="there are 00_good, 01_bad, solutions/00_good"):
        lessons(["02"])


def test_what_fails_says_where_and_does_not_keep_the_rest_from_running(folder: Path) -> None:
    bad, good = execute([*lessons(["bad"]), *lessons(["00_good"])[:1]], save=True)
    assert not good.failure
    assert printed(folder / "00_good.ipynb") == ["quick\n"]
    assert "nothing / 0" in bad.failure
    assert "NameError: name 'nothing' is not defined" in str(bad)
    assert printed(folder / "01_bad.ipynb") == []


def test_full_is_one_switch_and_nothing_is_saved_unasked(folder: Path) -> None:
    (quick,) = execute(lessons(["00_good"])[:1])
    assert not quick.failure
    assert printed(folder / "00_good.ipynb") == []
    (full,) = execute(lessons(["00_good"])[:1], full=True, save=True)
    assert not full.failure
    assert printed(folder / "00_good.ipynb") == ["full\n"]


def test_the_pages_open_without_a_network(tmp_path: Path) -> None:
    files = write_pages(lessons(), tmp_path)
    assert len(files) == len(lessons()) + 1
    for file in files:
        page = file.read_text(encoding="utf-8")
        assert not REMOTE.findall(page), file.name
        for link in re.findall(r'href="([^"#]+)', page):
            assert link.startswith("https://") or (file.parent / link).exists(), (file.name, link)


def test_formulas_are_drawn_by_the_browser_and_dollars_in_code_stay(folder: Path) -> None:
    cell = nbformat.v4.new_markdown_cell(
        "# The knee $N^*$\n\n| $\\lambda S$ | `$HOME` |\n| - | - |\n\n"
        "$$R \\ge \\max(S, N)$$\n\n$5 and $6"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "00_good.ipynb")
    (folder / "README.md").write_text("# All\n\n[one](00_good.ipynb)\n")
    write_pages(lessons(["00_good"]), folder / "pages")
    page = (folder / "pages" / "00_good.html").read_text(encoding="utf-8")
    body = page[page.index("<main>") :]
    assert body.count("<math") == 3
    assert body.count('display="block"') == 1
    assert "$HOME" in body
    assert "$5 and $6" in body
    assert 'href="00_good.html"' in (folder / "pages" / "index.html").read_text(encoding="utf-8")
