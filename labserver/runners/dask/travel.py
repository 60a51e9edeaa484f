"""What goes over the wire to a cluster's worker and comes back, and work that has luggage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from labserver.jobs.job import Result, Task


@dataclass(frozen=True, slots=True)
class Errand:
    """A job for a worker: `key` names it, and the deadline is on the worker's monotonic clock.

    `document` is what the work needs a file for: its bytes, or the name under which the worker
    keeps it.
    """

    key: str
    topic: str
    work: Any
    prepare: bytes
    deadline_ns: int
    document: bytes | str = b""


@dataclass(frozen=True, slots=True)
class Report:
    """How an errand ended, and when it began and ended, on the worker's monotonic clock."""

    kind: Literal["result", "error"]
    value: Any
    began_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a worker says of itself."""

    labserver: str
    python: str
    threads: int


@runtime_checkable
class Travelling(Protocol):
    """Work that takes a document of the server's along and may bring files back."""

    @property
    def document(self) -> Path:
        """The document's file, at the server."""

    @property
    def lasting(self) -> bool:
        """Whether other jobs will want the same document: a worker then keeps it."""

    def abroad(self, document: Path, run: Callable[[Task], Result]) -> Any:
        """At the worker: do it there, the task itself by `run`; returns what is to go back."""

    def come_home(self, brought: Any) -> Result:
        """At the server: make a result of what `abroad` has given."""
