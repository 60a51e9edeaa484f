"""The process runner: each job runs in a warm process, which is killed when it must stop."""

# Why not a library: pebble's pool and the standard library's call a job ended as soon as it is
# cancelled, and look after its process at the next turn of a thread that polls. Here a slot is free
# when the process that had it is dead, and not before.

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Protocol, Self, TypeVar, cast, runtime_checkable

import psutil

from labserver.errors import ProcessDied, Stopped
from labserver.jobs.job import OnPage
from labserver.jobs.stop import StopToken
from labserver.runners.child import Message
from labserver.runners.nursery import UNKNOWN, Nursery, Started, python

T = TypeVar("T")
Work = Callable[[StopToken, OnPage], T]

DYING_S = 1.0


@runtime_checkable
class Leaving(Protocol):
    """Work that leaves something behind when its process dies in the middle."""

    def clean_up(self) -> None:
        """Remove what a run that never came to its end has left."""


def nothing() -> None:
    """Prepare nothing."""


class ProcessRunner:
    """Runs work in `processes` children, which are up before the first job comes.

    Each calls `prepare` first, to load what the jobs need. It, the work and the results are
    pickled. A child that has died, by our hand or by another's, is replaced at once.
    """

    def __init__(self, processes: int, prepare: Callable[[], None] = nothing) -> None:
        self._processes = processes
        self._prepare = prepare
        self._nursery = Nursery()
        self._idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
        self._closed = False

    def __enter__(self) -> Self:
        """Start the children, all at the same time. Raises what `prepare` raised in one."""
        children: list[Child] = []
        try:
            for _ in range(self._processes):
                children.append(Child(self._nursery, self._prepare))  # noqa: PERF401 - those before one that fails are closed
            for child in children:
                child.wait_ready()
        except BaseException:
            for child in children:
                child.close()
            self._nursery.close()
            raise
        for child in children:
            self._idle.put(child)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        self._close_idle()
        self._nursery.close()

    def prepare_thread(self) -> None:
        """Nothing: the thread only waits, and answers sooner at its usual priority."""

    def run(self, task: Work[T], stop: StopToken, on_page: OnPage) -> T:
        """Do the work in a child; when this returns it has ended, or its process is dead.

        Raises Stopped when the stop killed it, ProcessDied when something else did.
        """
        stop.check()
        child = self._idle.get()
        try:
            child = self._living(child)
            return child.run(task, stop, on_page)
        finally:
            if child.dead:
                _clean_up(task)
            with suppress(OSError):  # no process can be started now: the next job tries again
                child = self._living(child)
            self._idle.put(child)
            if self._closed:
                self._close_idle()

    def _living(self, child: Child) -> Child:
        if not child.dead or self._closed:
            return child
        child.close()
        return Child(self._nursery, self._prepare)

    def _close_idle(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


class Child:
    """A process that does one piece of work at a time, for one thread at a time.

    It leads a process group, so an interrupt in the server's terminal passes it by, and what it
    has started (pdftoppm) is killed with it. It ends by itself when its standard input does.
    """

    def __init__(self, nursery: Nursery, prepare: Callable[[], None]) -> None:
        self._process: Started = nursery.start(python("child"))
        self._ready = False
        self._stopped = False
        self._lock = threading.Lock()
        with suppress(ProcessDied):  # the first answer, which will not come, says it better
            self._send(pickle.dumps(prepare))

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether it cannot do any more work."""
        return self._stopped or self._process.poll() is not None

    def wait_ready(self) -> None:
        """Wait until it is prepared. Raises what `prepare` raised, or ProcessDied."""
        if not self._ready:
            try:
                kind, value = self._receive()
            except ProcessDied as died:
                raise self._died() from died
            if kind == "error":
                raise value
            self._ready = True

    def run(self, work: Work[T], stop: StopToken, on_page: OnPage) -> T:
        """Do the work there and wait for it; `on_page` is called here.

        Raises what the work raised, Stopped when `stop` killed the process, ProcessDied when
        something else did.
        """
        message = pickle.dumps((work, stop.deadline_ns))
        try:
            with self._killed_by(stop):
                kind, value = self._converse(message, on_page)
        except ProcessDied as died:
            if self._stopped:
                self.close()
                raise Stopped("nobody waits for this job any more: its process is dead") from died
            raise self._died() from died
        except BaseException:
            self.close()
            raise
        if self._stopped:  # after the answer: that is good, but the process is not any more
            self.close()
        if kind == "error":
            raise value
        return cast(T, value)

    def close(self) -> None:
        """Kill it and what it has started; when this returns it is dead."""
        if self._process.returncode is None:  # else its id may be another's by now
            self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent stays unsent
                cast(IO[bytes], pipe).close()

    @contextmanager
    def _killed_by(self, stop: StopToken) -> Iterator[None]:
        """Let `stop` kill the process while this is entered.

        The stop may call at any moment, even when this has just been left and the process has the
        next job's work already: `mine`, under the lock, keeps it from killing that.
        """
        mine = True

        def kill() -> None:
            with self._lock:
                if mine:
                    self._stopped = True
                    self._kill()

        try:
            with stop.calling(kill):
                yield
        finally:
            with self._lock:
                mine = False

    def _converse(self, message: bytes, on_page: OnPage) -> Message:
        self.wait_ready()
        self._send(message)
        while (answer := self._receive())[0] == "page":
            on_page(answer[1])
        return answer

    def _send(self, message: bytes) -> None:
        stream = cast(IO[bytes], self._process.stdin)
        try:
            pickle.dump(message, stream)
            stream.flush()
        except OSError as error:
            raise ProcessDied from error

    def _receive(self) -> Message:
        try:
            return cast(Message, pickle.load(cast(IO[bytes], self._process.stdout)))
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise ProcessDied from error

    def _kill(self) -> None:
        """Kill it and what it has started, now; from any thread."""
        if sys.platform == "win32":
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self.pid).children(recursive=True):
                    child.kill()
            self._process.kill()
        else:
            with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a zombie
                os.killpg(self.pid, signal.SIGKILL)

    def _died(self) -> ProcessDied:
        """Wait for its end, which its pipe announces, clear up after it, and say how it was."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING_S)
        self._kill()  # what it had started
        self.close()
        how = _how(self._process.wait())
        return ProcessDied(f"the process that was to do the work ended {how}")


def _how(status: int) -> str:
    """How a process ended, in words."""
    if status == UNKNOWN:
        return "and nobody knows how, since the one that had started it was gone before"
    return f"with {f'status {status}' if status >= 0 else signal.Signals(-status).name}"


def _clean_up(work: object) -> None:
    if isinstance(work, Leaving):
        work.clean_up()
