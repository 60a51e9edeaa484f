"""Runs lessons from top to bottom, each in a kernel of its own, and says which failed where."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from labserver.course.lessons import Lesson

QUICK_CELL_S, FULL_CELL_S = 300, 4 * 3600  # the most that a cell may take
FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Execution:
    """How a lesson went: `failure` says where and why, "" when it ran to its end."""

    lesson: Lesson
    seconds: float
    failure: str

    def __str__(self) -> str:
        took = f"{self.lesson.name:36} {self.seconds:6.1f} s"
        return f"{took}  FAILED in {self.failure}" if self.failure else took


def execute(
    lessons: Sequence[Lesson], *, full: bool = False, save: bool = False
) -> Iterator[Execution]:
    """Run each lesson where it lies and yield how it went; with `save`, save it as it ran.

    A lesson that failed is not saved, and the next one is run all the same.
    """
    for lesson in lessons:
        notebook = lesson.read()
        if full:
            _make_full(notebook)
        began_s = time.monotonic()
        failure = _run(notebook, lesson, FULL_CELL_S if full else QUICK_CELL_S)
        if save and not failure:
            nbformat.write(notebook, lesson.path)
        yield Execution(lesson, time.monotonic() - began_s, failure)


def _run(notebook: NotebookNode, lesson: Lesson, cell_s: int) -> str:
    client = NotebookClient(
        notebook,
        timeout=cell_s,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(lesson.path.parent)}},
    )
    try:
        client.execute()
    except FAILURES as error:
        last = COLOUR.sub("", str(error)).strip().splitlines()[-1]
        return f"cell {_reached(notebook)}: {last}"
    return ""


def _reached(notebook: NotebookNode) -> str:
    """The number that the last cell to begin has in brackets, and its first line."""
    begun = [cell for cell in notebook.cells if cell.get("execution_count") or cell.get("outputs")]
    if not begun:
        return "1"
    return f"[{begun[-1].execution_count}] {begun[-1].source.splitlines()[0]!r}"


def _make_full(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = re.sub(r"^QUICK = True", "QUICK = False", cell.source, flags=re.M)
