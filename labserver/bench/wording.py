"""Numbers and sentences as a terminal shows them: with even decimals, in lines of one width."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd

WIDTH = 100


def numbers(values: pd.Series[float], decimals: int | None = None) -> list[str]:
    """The values with the same number of decimals, by default three digits of the smallest."""
    places = decimals_of(values) if decimals is None else decimals
    return ["–" if np.isnan(value) else f"{value:.{places}f}" for value in values]


def decimals_of(values: pd.Series[float]) -> int:
    """Return how many decimals give three digits of the smallest positive value, 2 for none."""
    smallest = values[values > 0].min()
    return 2 if np.isnan(smallest) else max(0, 2 - math.floor(math.log10(smallest)))


def joined(phrases: list[str], width: int = WIDTH) -> list[str]:
    """The phrases with dots between, in lines of at most `width` that break between phrases."""
    lines = [phrases[0]]
    for phrase in phrases[1:]:
        longer = f"{lines[-1]} · {phrase}"
        lines[-1:] = [longer] if len(longer) <= width else [lines[-1], phrase]
    return [short for line in lines for short in textwrap.wrap(line, width)]


def wrapped(sentence: str) -> list[str]:
    """The sentence in lines of a report's width."""
    return textwrap.wrap(sentence, WIDTH, subsequent_indent="  ")
