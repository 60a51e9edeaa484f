"""The lessons as web pages in one folder: no script, no other host, formulas as MathML."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from labserver.course.lessons import FOLDER, Lesson

FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$]+?)\$(?!\w)", re.S)
NO_FORMULA = re.compile(r"(<code.*?</code>|<[^>]+>)", re.S)
TO_LESSON = re.compile(r'href="(?P<path>(?:\.\./|solutions/)?\d\d_\w+)\.ipynb(?P<rest>#[^"]*)?"')
STYLE = Path(__file__).with_name("pages.css")


class Exporter(HTMLExporter):
    """nbconvert's, with the formulas made MathML, which a browser draws without MathJax."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """A markdown cell as HTML."""
        rendered: str = super().markdown2html(context, source)
        parts = NO_FORMULA.split(rendered)  # every other one is code or a tag: a dollar is a dollar
        parts[::2] = [FORMULA.sub(_mathml, part) for part in parts[::2]]
        return "".join(parts)


def write_pages(lessons: list[Lesson], folder: Path) -> list[Path]:
    """Write a page for each lesson as it is saved, and index.html; returns their files."""
    names = [lesson.name for lesson in lessons]
    pages = {lesson.name: _body(lesson.read()) for lesson in lessons}
    pages["index"] = _body(_index())
    files = []
    for name, body in pages.items():
        file = folder / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_page(name, body, names), encoding="utf-8")
        files.append(file)
    return files


def _index() -> NotebookNode:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def _body(notebook: NotebookNode) -> str:
    exporter = Exporter(template_name="basic", anchor_link_text="", embed_images=True)
    body, _ = exporter.from_notebook_node(notebook)
    return TO_LESSON.sub(r'href="\g<path>.html\g<rest>"', body)


def _page(name: str, body: str, names: list[str]) -> str:
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.S)
    title = re.sub(r"<[^>]+>", "", heading[1]).strip() if heading else name
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{STYLE.read_text(encoding="utf-8")}
{HtmlFormatter(style="friendly").get_style_defs(".highlight")}
</style>
<nav>{_nav(name, names)}</nav>
<main>
{body}
</main>
<nav>{_nav(name, names)}</nav>
</html>
"""


def _nav(name: str, names: list[str]) -> str:
    """Links to the lesson before, to all, and to the next; of solutions, to their lesson."""
    if name.startswith("solutions/"):
        lesson = name.removeprefix("solutions/")
        return _link(f"../{lesson}", f"Back to {lesson}") + _link("../index", "All lessons")
    lessons = [each for each in names if not each.startswith("solutions/")]
    if name == "index":
        return _link(lessons[0], "Begin")
    at = lessons.index(name)
    before = [_link(one, f"← {one}") for one in lessons[:at][-1:]]
    after = [_link(one, f"{one} →") for one in lessons[at + 1 :][:1]]
    return "".join([*before, _link("index", "All lessons"), *after])


def _link(name: str, text: str) -> str:
    return f'<a href="{name}.html">{html.escape(text)}</a>'


def _mathml(formula: re.Match[str]) -> str:
    block = formula["block"] is not None
    latex = html.unescape(formula["block"] or formula["inline"])
    return convert(latex, display="block" if block else "inline")
