"""How far a run is: a bar in a terminal, a line below a notebook's cell, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from time import monotonic
from typing import Any

from tqdm import tqdm

# A notebook keeps what it was shown, and to draw takes time of the machine that is being measured:
# so only of more than the minute that a quick lesson takes, and not often.
AFTER_S = 60.0
EVERY_S = 2.0
LINE = "{desc}{n_fmt} of {total_fmt} {unit}s after {elapsed}, about {remaining} to go"
ENDLESS = "{desc}{n_fmt} {unit}s after {elapsed}"


def bar(
    points: Iterable[Any] | None = None, *, unit: str, total: int | None = None, shown: bool
) -> tqdm[Any]:
    """A tqdm over the points, or of a total that is known or not; it leaves no trace at its end."""
    if not (shown and _in_notebook()):
        return tqdm(points, total=total, unit=unit, disable=None if shown else True, leave=False)
    return tqdm(
        points,
        total=total,
        unit=unit,
        leave=False,
        file=CellLine(),
        bar_format=ENDLESS if points is None and total is None else LINE,
        mininterval=EVERY_S,
        miniters=1,
    )


class CellLine:
    """A file whose last line stands below the cell, from `AFTER_S` on; a blank one clears it."""

    def __init__(self) -> None:
        self._since = monotonic()
        self._shown: Any = None

    def write(self, text: str) -> None:
        """Show it in the place of the last one."""
        line = {"text/plain": text.strip()}
        if self._shown is not None:
            self._shown.update(line, raw=True)
        elif text.strip() and monotonic() - self._since >= AFTER_S:
            from IPython.display import display

            self._shown = display(line, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Nothing is held back."""


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
