"""What the arguments of every formula go through: arrays of floats, or a ValueError that says why.

Holds no formula.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def floats(value: ArrayLike) -> Floats:
    """The value as an array of floats, of the value's own shape."""
    return np.asarray(value, dtype=np.float64)


def plain(result: Floats) -> Floats:
    """A number where the result is an array of no dimensions: a number in, a number out."""
    number: Floats = result[()]
    return number


def positive(**named: ArrayLike) -> None:
    """Raises ValueError unless every value, and every element of it, is above 0 (NaN is not)."""
    for name, value in named.items():
        if not np.all(floats(value) > 0):
            raise ValueError(f"{name} must be above 0, got {value!r}")


def not_negative(**named: ArrayLike) -> None:
    """Raises ValueError unless every value, and every element of it, is 0 or more."""
    for name, value in named.items():
        if not np.all(floats(value) >= 0):
            raise ValueError(f"{name} must be 0 or more, got {value!r}")


def counts(least: int, **named: ArrayLike) -> None:
    """Raises ValueError unless every value is a whole number, `least` or more."""
    for name, value in named.items():
        number = floats(value)
        if not np.all((number >= least) & np.isfinite(number) & (number == np.floor(number))):
            raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")
