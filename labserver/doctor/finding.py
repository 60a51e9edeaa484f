"""A finding: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]
INDENT = " " * 21


@dataclass(frozen=True, slots=True)
class Finding:
    """`warn`: a measurement may mislead. `fail`: it does not work. Either comes with a remedy."""

    level: Level
    subject: str
    said: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if (self.level == "ok") == bool(self.remedy):
            raise ValueError(f"{self.subject}: what is not ok has a remedy, and what is has none")

    def __str__(self) -> str:
        head = f"{self.level:<6}{self.subject:<14} "
        lines = textwrap.wrap(self.said, 100, initial_indent=head, subsequent_indent=INDENT)
        if self.remedy:
            lines += textwrap.wrap(
                f"→ {self.remedy}", 100, initial_indent=INDENT, subsequent_indent=INDENT + "  "
            )
        return "\n".join(lines)


def judged(subject: str, said: str, *, warn: str = "", fail: str = "") -> Finding:
    """The finding with the worst of the remedies that are given: "" is no reason to complain."""
    if fail:
        return Finding("fail", subject, said, fail)
    return Finding("warn", subject, said, warn) if warn else Finding("ok", subject, said)
