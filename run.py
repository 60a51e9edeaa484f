"""The way in: makes a fresh machine ready, then starts the command. Standard library only.

It runs before anything is installed, so it must not import labserver or a dependency, and its
syntax must stay readable to the older Pythons that it turns away.
"""

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

USAGE = """\
usage: python3 run.py COMMAND [ARGUMENT ...]      (on Windows: py run.py COMMAND)

  sweep       1 to 16 PDFs at once: a table, plots  (--quick unless told otherwise: --full, ...)
  test        the tests                             (pytest's own: -k pool, ...)
  lab         the notebooks in JupyterLab           (jupyter lab's own)
  notebooks   run them all, say which failed        (03, --full, --save)
  pages       the notebooks as web pages, offline   (a folder's name)
  serve       the server                            (--port 8080, ...)

Each first installs what is missing: poppler, and requirements.txt into .venv.
ARGUMENTs go through as they are; COMMAND --help lists them.
"""

OLDEST, NEWEST = (3, 11), (3, 13)

if not OLDEST <= sys.version_info[:2] <= NEWEST:
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = [name for name in names if shutil.which(name)]
    sys.exit(
        f"run.py: needs {' or '.join(names)}, and this is Python {sys.version.split()[0]}: "
        + (f"start it with {found[0]}" if found else "get one at https://www.python.org")
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "complete.txt"  # removed first and written last: a .venv without it is half made

COMMANDS = {
    "sweep": ["-m", "labserver", "sweep"],
    "test": ["-m", "pytest"],
    "lab": ["-m", "jupyterlab", str(ROOT / "notebooks")],
    "notebooks": ["-m", "labserver", "notebooks"],
    "pages": ["-m", "labserver", "pages"],
    "serve": ["-m", "labserver", "serve"],
}

# The first that is on PATH: how it installs, and what it calls poppler.
INSTALLERS = {
    "apt-get": ("apt-get update; apt-get install -y", "poppler-utils"),
    "dnf": ("dnf install -y", "poppler-utils"),
    "zypper": ("zypper install -y", "poppler-tools"),
    "pacman": ("pacman -S --noconfirm", "poppler"),
    "apk": ("apk add", "poppler-utils"),
    "brew": ("brew install", "poppler"),
    "winget": ("winget install", "oschwartz10612.Poppler"),
    "choco": ("choco install -y", "poppler"),
    "conda": ("conda install -y -c conda-forge", "poppler"),
}
BY_HAND = {
    "darwin": ("brew install", "poppler   (brew itself: https://brew.sh)"),
    "win32": ("unpack", "https://github.com/oschwartz10612/poppler-windows, its bin on PATH"),
}


def tell(line: str) -> None:
    """Say on stderr what happens next; stdout belongs to the command."""
    print(f"run.py: {line}", file=sys.stderr, flush=True)


def missing_packages(need_pip: bool) -> tuple[str, str]:
    """Return the package manager and the line that installs what is missing, "" for nothing."""
    manager = next((name for name in INSTALLERS if shutil.which(name)), "")
    by_hand = BY_HAND.get(sys.platform, ("install", "poppler, which brings pdftoppm"))
    install, poppler = INSTALLERS.get(manager, by_hand)
    packages = [] if shutil.which("pdftoppm") else [poppler]
    # Debian and Ubuntu keep ensurepip, which puts pip into a new .venv, in a package of its own.
    if manager == "apt-get" and need_pip and not shutil.which("uv") and not find_spec("ensurepip"):
        packages.append(f"python3.{sys.version_info[1]}-venv")
    return manager, f"{install} {' '.join(packages)}" if packages else ""


def install_packages(need_pip: bool) -> None:
    """Install what the system lacks; where that takes a person, say how and end with status 1."""
    manager, line = missing_packages(need_pip)
    if not line:
        return
    shared = manager not in ("", "brew", "conda")
    needs_sudo = sys.platform != "win32" and shared and os.geteuid() != 0
    sudo = shutil.which("sudo") if needs_sudo else None
    if manager in ("apt-get", "brew") and (sudo or not needs_sudo):
        tell(f"{line} ...")
        as_root = [sudo, "-n"] if sudo else []
        command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", line]
        if not subprocess.call(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
            return
    if needs_sudo:
        line = "sudo " + line.replace("; ", "; sudo ") if sudo else f"{line}   (as root)"
    sys.exit(f"run.py: install what is missing, then start again in a new terminal:\n  {line}")


def wanted_stamp() -> list[str]:
    """Return what a complete .venv says of itself: its Python and place, then what it holds."""
    lock = b"".join((ROOT / name).read_bytes() for name in ("requirements.txt", "pyproject.toml"))
    return [f"{sys.implementation.cache_tag} {str(VENV)!a}", hashlib.sha256(lock).hexdigest()]


def step(*command: str) -> None:
    """Run one step of the set-up; if it fails, end with status 1."""
    if subprocess.call(command):
        sys.exit(f"run.py: this failed: {shlex.join(command)}")


def prepare() -> None:
    """Make sure of poppler, and of a .venv that holds the lock and the project."""
    wanted = wanted_stamp()
    stamp = STAMP.read_text(encoding="ascii").splitlines() if STAMP.is_file() else []
    ours = stamp[:1] == wanted[:1] and PYTHON.exists()
    install_packages(need_pip=not ours)
    if ours and stamp == wanted:
        return
    STAMP.unlink(missing_ok=True)
    uv = shutil.which("uv")
    if not ours:
        tell(f"making .venv with Python {sys.version.split()[0]} ...")
        without_pip = ["--without-pip"] if uv else []
        step(sys.executable, "-m", "venv", "--clear", *without_pip, str(VENV))
    tell(f"installing requirements.txt with {'uv' if uv else 'pip'} ...")
    python, lock = str(PYTHON), str(ROOT / "requirements.txt")
    pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    step(*pip, "--quiet", "--no-deps", "-r", lock, "-e", str(ROOT))
    STAMP.write_text("\n".join(wanted), encoding="ascii")


def hand_over(command: list[str]) -> None:
    """Become the command, so that its signals and its exit status are its own."""
    if os.name == "posix":
        os.execv(command[0], command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows has no exec; Ctrl-C is for the command
    sys.exit(subprocess.call(command))


def main(arguments: list[str]) -> None:
    """Do what the first argument names, with the others as its own."""
    name, *rest = arguments or ["--help"]
    if name not in COMMANDS:
        asked = name in ("-h", "--help", "help")
        print(USAGE, end="", file=sys.stdout if asked else sys.stderr)
        sys.exit(0 if asked else 2)
    # As Ctrl-C does, a SIGTERM during the set-up ends the step that runs, not run.py alone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prepare()
    if name == "sweep" and not rest:
        rest = ["--quick"]
    if name == "test":
        os.chdir(ROOT)  # pytest reads testpaths only where it starts at its root
    hand_over([str(PYTHON), *COMMANDS[name], *rest])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
