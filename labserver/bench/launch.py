"""Start a server as a subprocess and leave nothing behind, however this process ends."""

# The server is given a pipe as its standard input and ends itself when that pipe is closed. The
# system closes it when this process ends in any way, kill -9 included. A process group of its own
# keeps an interrupt meant for a notebook's kernel from reaching the server.

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import psutil

from labserver.errors import LaunchError
from labserver.settings import ENV_PREFIX, Settings

READY_WITHIN_S = 30.0
LOG_TAIL_LINES = 8
FAILED_START_S = 2.0


class ServerProcess:
    """A running server; a context manager, and in a notebook also just an object with `stop()`."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        log: Path,
        ready: dict[str, Any],
        keeping: ExitStack | None = None,
    ) -> None:
        self._process = process
        self._keeping = keeping or ExitStack()
        self.log = log
        self.url: str = ready["url"]
        self.pid: int = ready["pid"]
        self.scratch = Path(ready["scratch"])

    def __repr__(self) -> str:
        state = "running" if self.running else f"ended with status {self._process.returncode}"
        return f"<labserver at {self.url}, pid {self.pid}, {state}, log {self.log.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ask(self, line: str) -> None:
        """Write a line to its standard input, which a bare loop takes as a request."""
        _stdin(self._process).write(line.encode() + b"\n")
        _stdin(self._process).flush()

    def ask_no_more(self) -> None:
        """Close its standard input, at which it ends; `stop` waits for that."""
        _stdin(self._process).close()

    def answer(self) -> bytes:
        """Wait for the next line of its standard output; empty when it has ended."""
        return _stdout(self._process).readline()

    async def pause(self, for_s: float) -> None:
        """Hold the server still for `for_s` seconds, as a machine that stalls does.

        Its child processes go on. It is resumed even if this process ends meanwhile, since another
        one does it.
        """
        hold = [sys.executable, "-m", "labserver.bench.pause", str(self.pid), str(for_s)]
        await asyncio.to_thread(lambda: subprocess.run(hold, check=True, **_own_group()))

    def stop(self, timeout_s: float = 10.0) -> int:
        """End the server without a grace and wait for it; returns its exit status.

        A log that was not asked for goes with it.
        """
        _end(self._process, timeout_s)
        self._keeping.close()
        return self._process.returncode


def launch(
    settings: Settings | None = None,
    *,
    log: Path | None = None,
    command: Literal["serve", "loop"] = "serve",
) -> ServerProcess:
    """Start `python -m labserver` on a free port, or a bare loop, and wait until it is ready.

    `settings` decide all but the port; the log goes to `log`, or to a file that is removed when the
    server is stopped. Raises LaunchError, with the end of the log, when the server does not get
    ready in 30 s.
    """
    settings = (settings or Settings()).model_copy(update={"port": 0, "stdin_guard": True})
    with ExitStack() as started:
        if log is None:
            # With our id in its name: if we are killed, the next server removes it.
            folder = tempfile.TemporaryDirectory(prefix=f"labserver-{os.getpid()}-")
            log = Path(started.enter_context(folder)) / "server.log"
        process = _start(settings, log, command)
        # Interrupted while it starts, it ends as well.
        starting = started.enter_context(ExitStack())
        starting.callback(_end, process, FAILED_START_S)
        line = _ready_line(process)
        if not line:
            starting.close()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
            raise LaunchError(f"the server did not start; its log ends with:\n{tail}")
        starting.pop_all()
        return ServerProcess(process, log, json.loads(line), started.pop_all())


def _start(settings: Settings, log: Path, command: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as log_file:
        return subprocess.Popen(
            [sys.executable, "-m", "labserver", command, *settings.args()],
            env=_environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            **_own_group(),
        )


def _environment(settings: Settings) -> dict[str, str]:
    """Ours, but of our variables only the token, which must not stand on a command line.

    `settings` have read the others already; left to the server they would count twice.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    if settings.token is not None:
        ours[f"{ENV_PREFIX}TOKEN"] = settings.token.get_secret_value()
    return ours


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    # Not a session: Linux may share the cores out among sessions first (autogroup), and whoever
    # measures the server would wait behind all that it does. With 8 PDFs at once on 2 cores, by
    # PDFium in processes, /livez took 5.4 to 5.8 ms at p99 from another session and 3.6 to 3.8 from
    # the same one.
    return {"process_group": 0}


def _ready_line(process: subprocess.Popen[bytes]) -> bytes:
    """The first line of standard output; empty when the server ended or took too long."""
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.append(_stdout(process).readline()), daemon=True)
    reader.start()
    reader.join(READY_WITHIN_S)
    return lines[0] if lines else b""


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def _end(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Close the server's standard input, which ends it; kill it and its children when it stays."""
    children = _children(process.pid)
    _stdin(process).close()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        children += _children(process.pid)
        process.kill()
        process.wait()
    _stdout(process).close()
    for child in children:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
