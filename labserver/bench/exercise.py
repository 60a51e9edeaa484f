"""The check of an exercise: right or wrong, and why. It never shows the answer itself."""

from __future__ import annotations

from types import EllipsisType
from typing import SupportsFloat

TOLERANCE = 0.005


def check(answer: SupportsFloat | EllipsisType, expected: SupportsFloat, why: str) -> None:
    """Print whether `answer` is within 0.5 % of `expected`, and `why`; `...` is no answer yet."""
    print(judge(answer, expected, why))


def judge(answer: SupportsFloat | EllipsisType, expected: SupportsFloat, why: str) -> str:
    """What `check` prints."""
    if isinstance(answer, EllipsisType):
        return "no answer yet: put yours in place of the ..."
    given, right = float(answer), float(expected)
    if abs(given - right) <= TOLERANCE * abs(right):
        return f"{given:g} is right. {why}"
    return f"{given:g} is too {'low' if given < right else 'high'}. {why}"
