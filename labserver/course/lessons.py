"""Where the lessons are, and what each is called. It runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labserver.errors import StartupError

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A notebook, by its path below `FOLDER`."""

    path: Path

    @property
    def name(self) -> str:
        """Such as `03_pdf_sweep`, or `solutions/03_pdf_sweep`."""
        return self.path.relative_to(FOLDER).with_suffix("").as_posix()

    def read(self) -> NotebookNode:
        """The notebook as it is saved."""
        return nbformat.read(self.path, as_version=4)


def lessons(wanted: Sequence[str] = ()) -> list[Lesson]:
    """The lessons in order, each followed by its solutions; all, or those whose name has a wanted.

    Raises StartupError when there is none.
    """
    found = [Lesson(path) for path in FOLDER.glob("*.ipynb")]
    found += [Lesson(path) for path in (FOLDER / "solutions").glob("*.ipynb")]
    chosen = [one for one in found if not wanted or any(part in one.name for part in wanted)]
    if not chosen:
        raise StartupError(
            f"no lesson is called {' or '.join(wanted)}: there are "
            + (", ".join(sorted(one.name for one in found)) or "none beside this package")
        )
    return sorted(chosen, key=lambda one: (one.path.name, one.name.startswith("solutions")))
