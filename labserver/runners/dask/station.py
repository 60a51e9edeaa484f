"""A worker of the cluster, as the server sees it: what it was sent, and what its clock says."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

from distributed import Client

from labserver.runners.dask import remote
from labserver.runners.dask.travel import Report


class Station:
    """A Dask worker. Its monotonic clock is ours plus `ahead_ns`, which is learnt from answers."""

    def __init__(self, client: Client, address: str) -> None:
        self.client = client
        self.address = address
        asked_ns = time.monotonic_ns()
        clock_ns: int = client.run(time.monotonic_ns, workers=[address])[address]
        self._ahead_ns = clock_ns - (asked_ns + time.monotonic_ns()) // 2
        self._sent: dict[Path, str] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Its host and port with a slash after them; nothing for the one in this process."""
        protocol, _, place = self.address.partition("://")
        return "" if protocol == "inproc" else f"{place}/"

    def at(self, t_ns: int) -> int:
        """A moment of our clock on the worker's."""
        return t_ns + self._ahead_ns

    def learn(self, report: Report, sent_ns: int) -> None:
        """Set the clock by an errand: it began there after it was sent and ended before now.

        The error is at most half of the time that it spent on its way.
        """
        self._ahead_ns = (report.began_ns - sent_ns + report.ended_ns - time.monotonic_ns()) // 2

    def keep(self, document: Path) -> str:
        """Send a document unless it is there; returns the name under which it is kept."""
        with self._lock:  # who wants the same document waits until it is there
            if document not in self._sent:
                content = document.read_bytes()
                name = hashlib.sha256(content).hexdigest()
                self.client.run(remote.keep, name, content, workers=[self.address])
                self._sent[document] = name
            return self._sent[document]

    def stop(self, key: str) -> bool:
        """End an errand there; False when it has not begun, and then it never will."""
        return bool(self.client.run(remote.stop, key, workers=[self.address])[self.address])
