"""What keeps a converting process within its memory and CPU time. On Windows nothing does."""

# pdf2image starts poppler itself and offers no place for a limit, but it can be told the folder
# where poppler is. It is told a folder of scripts, each of which sets its limits and becomes the
# real program. A limit on the server's process would bind the server, and one that is set from
# outside on a process which runs already may come too late.

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from labserver.errors import StartupError
from labserver.priority import LOWEST
from labserver.work.pdf import lying
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.scratch import program_folder

KIB_PER_MB = 1024
INSTALL = {
    "linux": "apt-get install poppler-utils (Debian, Ubuntu) or dnf install poppler-utils (Fedora)",
    "darwin": "brew install poppler",
    "win32": "winget install oschwartz10612.Poppler, then open a new terminal",
}
# pdf2image has the folder of the programs searched for libraries before all others.
UNDO = (
    'export LD_LIBRARY_PATH="${LD_LIBRARY_PATH#*:}"\n'
    'test "$LD_LIBRARY_PATH" || unset LD_LIBRARY_PATH\n'
)


def bounded(command: Sequence[str], limits: Limits) -> list[str]:
    """The command that runs one of poppler's programs within `limits`.

    Raises StartupError when the program is not installed.
    """
    program = find_program(command[0])
    if sys.platform == "win32":
        return [program, *command[1:]]
    return ["/bin/sh", "-c", f'{_ulimits(limits)}exec "$@"', "sh", program, *command[1:]]


def bounded_poppler(limits: Limits) -> Path | None:
    """A new folder to give pdf2image as `poppler_path`; `scratch.remove_own` removes it.

    None, which is pdf2image's default, on Windows. Raises StartupError when poppler is not
    installed or nothing may be run from the system's folder for temporary files.
    """
    if sys.platform == "win32":
        return None
    folder = program_folder()
    try:
        for name in ("pdfinfo", "pdftoppm"):
            _write_script(folder / name, _ulimits(limits) + UNDO, [find_program(name)])
        _write_script(folder / lying.PROGRAM, _ulimits(limits), lying.COMMAND)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def bound_own_memory(limits: Limits) -> None:
    """Let this process, a child that converts, allocate so much beyond what it has; Linux only."""
    if sys.platform == "linux":
        import resource

        most = psutil.Process().memory_info().vms + limits.max_memory_mb * KIB_PER_MB * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def find_program(name: str) -> str:
    """Where one of poppler's programs is. Raises StartupError, with the remedy, when nowhere."""
    found = shutil.which(name)
    if found is None:
        raise StartupError(
            f"poppler is not installed: {INSTALL.get(sys.platform, INSTALL['linux'])}; "
            "or do without: --engine pdfium"
        )
    return found


def _ulimits(limits: Limits) -> str:
    # No core dumps: they would land in whatever folder the server was started from. macOS knows
    # no limit on the address space and says so; the conversion goes on without.
    return (
        "ulimit -c 0\n"
        f"ulimit -t {limits.max_cpu_s}\n"
        f"ulimit -v {limits.max_memory_mb * KIB_PER_MB} 2>/dev/null\n"
    )


def _write_script(script: Path, first: str, command: Sequence[str]) -> None:
    # What the program complains of is dropped: pdf2image would keep all of it in memory, megabytes
    # of it for some documents, and not look at it.
    script.write_text(
        f'#!/bin/sh\n{first}exec nice -n {LOWEST} {shlex.join(command)} "$@" 2>/dev/null\n',
        encoding="utf-8",
    )
    script.chmod(0o700)
    if not os.access(script, os.X_OK):
        raise StartupError(
            f"no program may be run from {script.parent.parent}: "
            "name another folder for temporary files with the variable TMPDIR"
        )
