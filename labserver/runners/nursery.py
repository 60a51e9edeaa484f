"""Starts the process runner's children: in a session of their own, where Linux weighs sessions."""

# Where Linux shares the cores out among sessions first (autogroup), all children of a runner are
# best in one session beside the server's. A core then chooses between the two, and what wakes in
# the server's hardly ever finds it the other's turn. A process joins a session only by being
# started in it: so one that does nothing else leads the session and starts them. It is asked
# through a socket, each question and answer a pickle:
#
#   ("start", command) with the standard input and output to be   ->  its id, or an OSError
#   ("reap", id), of one that has ended                           ->  its status, as Popen has it
#
# One that has ended stays in the system's table until it is reaped, so its id is never another's.
# The end of the socket means that the server is gone, in whatever way; the children see that too.
#
# With 8 PDFs at once on 2 cores, `load --clients 8 --seconds 25`, in turn, two runs each: poppler's
# loop was late by 1.2 and 1.3 ms at p99 with one session for all, 3.5 and 3.3 with one each, and
# /livez took 3.3 and 3.2 ms in place of 4.3 and 5.1, those sessions at 19. All in the server's:
# late by 3.5 and 3.4, /livez 4.1 and 3.3.

from __future__ import annotations

import os
import pickle
import select
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any, Protocol

from labserver import priority

MOST_BYTES = 1_000_000
WITHIN_S = 10.0
# In place of the status of a process that has ended after who started it, whom alone it was told.
UNKNOWN = 256

# Whoever is started so finds its modules where this process does.
BOOT = "import sys; sys.path[:] = {path!r}; from labserver.runners.{room} import main; main()"


def python(room: str) -> list[str]:
    """The command that runs `main` of a module in this folder."""
    return [sys.executable, "-c", BOOT.format(path=sys.path, room=room)]


class _Lost(OSError):
    """Nobody leads the session any more, since it was killed; the next start finds another."""


class Started(Protocol):
    """What a Popen and a Nursling have in common."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    @property
    def returncode(self) -> int | None: ...  # noqa: D102 - as Popen's

    def poll(self) -> int | None: ...  # noqa: D102 - as Popen's

    def wait(self, timeout: float | None = None) -> int: ...  # noqa: D102 - as Popen's


class Nursery:
    """Starts processes, each the leader of a group, until it is closed.

    Where a session of their own is of no use or cannot be had, they are this process's children
    and in its session.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = priority.sessions_are_weighed()
        self._leader: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Let the leader end, once nobody is to be started or waited for any more."""
        with self._lock:
            self._wanted = False
            self._end()

    def start(self, command: list[str]) -> Started:
        """Start `command` with pipes as its standard input and output. Raises OSError."""
        with self._lock:
            with suppress(_Lost):
                return self._start(command)
            return self._start(command)

    def reap(self, pid: int) -> int:
        """The status of one that has ended, once."""
        with self._lock, suppress(OSError):
            return int(self._ask(("reap", pid)))
        return UNKNOWN

    # Below, the lock is held.

    def _begin(self) -> None:
        """Start a leader; if none can be had, all goes on in our session."""
        ours, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(WITHIN_S)
        try:
            with its_end:
                self._leader = subprocess.Popen(
                    python("nursery"), stdin=its_end.fileno(), start_new_session=True
                )
        except OSError:
            ours.close()
            raise
        self._socket = ours
        try:
            os.close(os.pidfd_open(self._leader.pid))
            self._answer()
        except OSError:
            self._end()
            self._wanted = False

    def _end(self) -> None:
        if self._socket is not None and self._leader is not None:
            self._socket.close()
            try:
                self._leader.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                self._leader.kill()
                self._leader.wait()
        self._socket = self._leader = None

    def _start(self, command: list[str]) -> Started:
        if self._wanted and self._socket is None:
            self._begin()
        if not self._wanted:
            return _popen(command, subprocess.PIPE, subprocess.PIPE)
        its_stdin, stdin = os.pipe()
        stdout, its_stdout = os.pipe()
        ours = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb")
        try:
            pid = self._ask(("start", command), its_stdin, its_stdout)
            return Nursling(self, pid, *ours)
        except BaseException:
            for pipe in ours:
                pipe.close()
            raise
        finally:
            os.close(its_stdin)
            os.close(its_stdout)

    def _ask(self, question: tuple[str, Any], *files: int) -> Any:
        """Its answer. Raises the OSError that it is, or _Lost, when the leader is gone."""
        if self._socket is None:
            raise _Lost
        try:
            socket.send_fds(self._socket, [pickle.dumps(question)], files)
            answer = self._answer()
        except OSError as error:
            self._end()
            raise _Lost from error
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _answer(self) -> Any:
        assert self._socket is not None
        if not (message := self._socket.recv(MOST_BYTES)):
            raise ConnectionResetError
        return pickle.loads(message)


class Nursling:
    """A process that the leader of a session has started for us; used as a Popen is."""

    def __init__(
        self, nursery: Nursery, pid: int, stdin: IO[bytes] | None, stdout: IO[bytes] | None
    ) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self._nursery = nursery
        self._file = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its status, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its status. Raises TimeoutExpired."""
        if self.returncode is None:
            end = select.poll()
            end.register(self._file, select.POLLIN)
            if not end.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self.returncode = self._nursery.reap(self.pid)
            os.close(self._file)
        return self.returncode


def main() -> None:
    """The leader: start and reap what is asked for, until the socket ends."""
    # Its children have the lowest priority within the session, and it the usual one.
    if not priority.lower_session():
        return
    children: dict[int, subprocess.Popen[bytes]] = {}
    with socket.socket(fileno=os.dup(0)) as asked:
        asked.send(pickle.dumps("ready"))
        while True:
            message, files, *_ = socket.recv_fds(asked, MOST_BYTES, 2)
            if not message:
                return
            asked.send(pickle.dumps(_answer_to(pickle.loads(message), files, children)))
            for file in files:
                os.close(file)


def _answer_to(
    question: tuple[str, Any], files: list[int], children: dict[int, subprocess.Popen[bytes]]
) -> int | OSError:
    what, about = question
    try:
        if what == "reap":
            if about not in children:
                raise ChildProcessError(f"{about} was started by another")
            return children.pop(about).wait()
        child = _popen(about, *files)
    except OSError as error:
        return error
    children[child.pid] = child
    return child.pid


def _popen(command: list[str], stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        return subprocess.Popen(
            command, stdin=stdin, stdout=stdout, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP
        )
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, process_group=0)
