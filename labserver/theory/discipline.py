"""Disciplines: which waiting job is next when a server falls free, and if it is still worth it.

Pure rules over times; the queue itself is someone else's.
"""

from dataclasses import dataclass
from typing import Protocol

from labserver.theory.arguments import not_negative, positive


class Discipline(Protocol):
    """One's own discipline needs these two."""

    @property
    def newest_first(self) -> bool:
        """Whether the job that came last is taken first."""

    def sheds(self, waited_s: float, left_s: float, standing_s: float) -> bool:
        """Whether the job whose turn it is gets a refusal instead of a server.

        It has waited `waited_s`, its deadline is `left_s` away (inf without one), and the queue
        was last empty `standing_s` ago.
        """


@dataclass(frozen=True)
class Fifo:
    """First come, first served, however late."""

    newest_first = False

    def sheds(self, waited_s: float, left_s: float, standing_s: float) -> bool:
        """Never."""
        return False


FIFO = Fifo()


@dataclass(frozen=True)
class Lifo:
    """Last come, first served: under overload some are answered at once and the rest not at all."""

    newest_first = True

    def sheds(self, waited_s: float, left_s: float, standing_s: float) -> bool:
        """Never."""
        return False


@dataclass(frozen=True)
class DeadlineSkip:
    """First come, first served, but a job with less than `service_s` left is not begun.

    `service_s` is what a job is expected to take. Raises ValueError for one not above 0.
    """

    service_s: float
    newest_first = False

    def __post_init__(self) -> None:
        positive(service_s=self.service_s)

    def sheds(self, waited_s: float, left_s: float, standing_s: float) -> bool:
        """When it could not be done before its deadline."""
        return left_s < self.service_s


@dataclass(frozen=True)
class CoDel:
    """First come, first served, with a short patience while the queue does not drain.

    A job may wait `interval_s`, but only `target_s` once the queue has not been empty for
    `interval_s`. Raises ValueError for target_s below 0 or interval_s not above 0.

    Source: the controlled delay of B. Maurer, "Fail at Scale", *ACM Queue* 13(8), 2015, which
    recommends 5 ms and 100 ms for requests of a few ms; not the packet-dropping law of RFC 8289.
    """

    target_s: float
    interval_s: float
    newest_first = False

    def __post_init__(self) -> None:
        not_negative(target_s=self.target_s)
        positive(interval_s=self.interval_s)

    def sheds(self, waited_s: float, left_s: float, standing_s: float) -> bool:
        """When it has waited longer than the queue's state allows."""
        return waited_s > (self.target_s if standing_s > self.interval_s else self.interval_s)
