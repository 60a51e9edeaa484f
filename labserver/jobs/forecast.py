"""A guess at how long a job will take, from those that have ended. Its pool's lock guards it."""

from __future__ import annotations

WEIGHT = 0.2  # of the newest job: about the last ten decide


class Forecast:
    """An exponentially weighted mean of the pool's recent service times; 0 until there is one.

    It is taken under the load as it is, so it rises with it where workers share cores.
    """

    def __init__(self) -> None:
        self.service_ns = 0

    def observe(self, service_ns: int) -> None:
        """Learn from a job that has ended by itself; a stopped one does not tell its length."""
        if self.service_ns == 0:
            self.service_ns = service_ns
        self.service_ns += round(WEIGHT * (service_ns - self.service_ns))

    def wait_ns(self, ahead: int, workers: int, running_ns: int) -> int:
        """How long until a worker is free for a job with `ahead` others before it in its line.

        `workers` take from that line, each busy, and the longest at its job has been so for
        `running_ns`. Work in progress is taken to need the rest of a service time, if any.
        """
        rest_ns = max(0, self.service_ns - running_ns)
        return rest_ns + ahead * self.service_ns // workers
