"""run.py: what it installs and when, what it prints where it cannot, what reaches the command."""

import ast
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).parent.parent


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_py", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path) -> ModuleType:
    """run.py in a project of its own, which has its lock and no .venv yet."""
    shutil.copy(PROJECT / "run.py", tmp_path)
    (tmp_path / "requirements.txt").write_text("fastapi==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return load(tmp_path / "run.py")


class Machine:
    """A machine of another kind: its system, its programs, and what was started on it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.commands: list[list[str]] = []
        self.ignored: list[int] = []
        self.fails_at = ""
        patch.setattr(subprocess, "call", self.call)
        patch.setattr(signal, "signal", lambda number, handler: self.ignored.append(number))
        self.is_like("linux", ["pdftoppm", "uv"])

    def is_like(self, platform: str, on_path: Sequence[str], root: bool = True) -> None:
        self.patch.setattr(sys, "platform", platform)
        self.patch.setattr(os, "geteuid", lambda: 0 if root else 1000, raising=False)
        self.patch.setattr(shutil, "which", lambda name: name if name in on_path else None)

    def call(self, command: Sequence[str], **streams: object) -> int:
        self.commands.append(list(command))
        if "venv" in command:
            python = Path(command[-1], "Scripts/python.exe" if os.name == "nt" else "bin/python")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        return int(self.fails_at in command)

    def steps(self) -> list[str]:
        """Which steps of the set-up were started since the last look."""
        steps = ["venv" if "venv" in command else "install" for command in self.commands]
        self.commands.clear()
        return steps

    def ends_with(self, start: Callable[[], object]) -> list[str]:
        """Return the lines that run.py ends with."""
        with pytest.raises(SystemExit) as end:
            start()
        return str(end.value.code).splitlines()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_takes_the_pythons_that_the_project_takes(run: ModuleType) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    takes = SpecifierSet(project["requires-python"])
    minors = [minor for minor in range(30) if f"3.{minor}.1" in takes]
    assert [(3, minors[0]), (3, minors[-1])] == [run.OLDEST, run.NEWEST]


@pytest.mark.parametrize("version", [(3, 7, 3), (3, 10, 9), (3, 14, 0)])
@pytest.mark.parametrize(
    ("on_path", "remedy"),
    [([], "get one at https://www.python.org"), (["python3.12"], "start it with python3.12")],
)
def test_turns_another_python_away_in_one_line(
    machine: Machine, version: tuple[int, int, int], on_path: list[str], remedy: str
) -> None:
    machine.is_like("linux", on_path)
    text = ".".join(map(str, version))
    with machine.patch.context() as patch:
        patch.setattr(sys, "version_info", version)
        patch.setattr(sys, "version", f"{text} (main)")
        lines = machine.ends_with(lambda: load(PROJECT / "run.py"))
    wanted = "python3.13 or python3.12 or python3.11"
    assert lines == [f"run.py: needs {wanted}, and this is Python {text}: {remedy}"]


def test_an_older_python_can_read_it_as_far_as_that_line() -> None:
    ast.parse((PROJECT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 7))


APT = "apt-get update; apt-get install -y poppler-utils"


@pytest.mark.parametrize(
    ("platform", "on_path", "line"),
    [
        ("linux", ["apt-get"], f"{APT}   (as root)"),
        ("linux", ["apk"], "apk add poppler-utils   (as root)"),
        ("linux", ["dnf", "sudo"], "sudo dnf install -y poppler-utils"),
        ("linux", ["zypper", "sudo"], "sudo zypper install -y poppler-tools"),
        ("linux", ["pacman", "sudo"], "sudo pacman -S --noconfirm poppler"),
        ("linux", ["sudo"], "install poppler, which brings pdftoppm"),
        ("darwin", [], "brew install poppler   (brew itself: https://brew.sh)"),
        ("win32", ["choco", "winget"], "winget install oschwartz10612.Poppler"),
        ("win32", ["choco"], "choco install -y poppler"),
        ("win32", ["conda"], "conda install -y -c conda-forge poppler"),
        ("win32", [], "unpack https://github.com/oschwartz10612/poppler-windows, its bin on PATH"),
    ],
)
def test_prints_the_line_for_this_system(
    run: ModuleType, machine: Machine, platform: str, on_path: list[str], line: str
) -> None:
    machine.is_like(platform, on_path, root=False)
    assert machine.ends_with(run.prepare)[1:] == [f"  {line}"]
    assert machine.commands == []
    assert not run.VENV.exists()


@pytest.mark.parametrize(
    ("platform", "on_path", "root", "before", "line"),
    [
        ("linux", ["apt-get"], True, [], APT),
        ("linux", ["apt-get", "sudo"], False, ["sudo", "-n"], APT),
        ("darwin", ["brew"], False, [], "brew install poppler"),
    ],
)
def test_installs_poppler_where_nobody_has_to_be_asked(
    run: ModuleType,
    machine: Machine,
    platform: str,
    on_path: list[str],
    root: bool,
    before: list[str],
    line: str,
) -> None:
    machine.is_like(platform, on_path, root)
    run.install_packages(need_pip=False)
    frontend = "DEBIAN_FRONTEND=noninteractive"
    assert machine.commands == [[*before, "env", frontend, "sh", "-c", line]]


def test_prints_the_line_where_sudo_wants_a_password(run: ModuleType, machine: Machine) -> None:
    machine.is_like("linux", ["apt-get", "sudo"], root=False)
    machine.fails_at = "sudo"
    line = "  sudo apt-get update; sudo apt-get install -y poppler-utils"
    assert machine.ends_with(run.prepare)[1:] == [line]


@pytest.mark.parametrize(
    ("on_path", "need_pip", "packages"),
    [
        (["apt-get"], True, "poppler-utils python3.{}-venv"),
        (["apt-get", "pdftoppm"], True, "python3.{}-venv"),
        (["apt-get", "uv"], True, "poppler-utils"),
        (["apt-get"], False, "poppler-utils"),
    ],
)
def test_a_debian_without_the_venv_module_gets_it(
    run: ModuleType, machine: Machine, on_path: list[str], need_pip: bool, packages: str
) -> None:
    machine.is_like("linux", on_path)
    machine.patch.setattr(run, "find_spec", lambda name: None)
    _, line = run.missing_packages(need_pip)
    assert line.endswith(" -y " + packages.format(sys.version_info[1]))


@pytest.mark.parametrize("uv", [True, False])
def test_a_fresh_tree_is_set_up_once(run: ModuleType, machine: Machine, uv: bool) -> None:
    machine.is_like("linux", ["pdftoppm", "uv"] if uv else ["pdftoppm"])
    run.prepare()
    venv, install = machine.commands
    assert ("--without-pip" in venv) == uv
    assert install[0] == ("uv" if uv else str(run.PYTHON))
    assert machine.steps() == ["venv", "install"]
    run.prepare()
    assert machine.steps() == []


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_lock_goes_into_the_same_venv(
    run: ModuleType, machine: Machine, name: str
) -> None:
    run.prepare()
    machine.steps()
    (run.ROOT / name).write_text("changed\n")
    run.prepare()
    assert machine.steps() == ["install"]
    run.prepare()
    assert machine.steps() == []


SPOILT: dict[str, Callable[[ModuleType], object]] = {
    "another Python's": lambda run: edit_stamp(run, "cpython-", "cpython-9"),
    "moved": lambda run: edit_stamp(run, run.ROOT.name, "elsewhere"),
    "its Python gone": lambda run: run.PYTHON.unlink(),
    "half made": lambda run: run.STAMP.unlink(),
}


def edit_stamp(run: ModuleType, old: str, new: str) -> None:
    stamp = run.STAMP.read_text()
    assert old in stamp
    run.STAMP.write_text(stamp.replace(old, new))


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_a_venv_that_cannot_be_trusted_is_remade(
    run: ModuleType, machine: Machine, spoil: Callable[[ModuleType], None]
) -> None:
    run.prepare()
    machine.steps()
    spoil(run)
    run.prepare()
    assert "--clear" in machine.commands[0]
    assert machine.steps() == ["venv", "install"]


def test_an_install_that_failed_is_begun_anew(run: ModuleType, machine: Machine) -> None:
    run.prepare()
    (run.ROOT / "requirements.txt").write_text("changed\n")
    machine.fails_at = "install"
    assert "this failed" in machine.ends_with(run.prepare)[0]
    machine.steps()
    machine.fails_at = ""
    run.prepare()
    assert machine.steps() == ["venv", "install"]


@pytest.mark.parametrize(
    ("arguments", "becomes"),
    [
        ("sweep", "labserver sweep --quick"),
        ("sweep --full --repeats 3", "labserver sweep --full --repeats 3"),
        ("test", "pytest"),
        ("test -k pool", "pytest -k pool"),
        ("serve --help", "labserver serve --help"),
        ("lab --no-browser", "jupyterlab {root}/notebooks --no-browser"),
    ],
)
def test_arguments_go_through_as_they_are(
    run: ModuleType, machine: Machine, arguments: str, becomes: str
) -> None:
    machine.patch.chdir(run.ROOT.parent)
    machine.patch.setattr(run, "hand_over", machine.commands.append)
    run.prepare()
    machine.steps()
    run.main(arguments.split())
    root = run.ROOT.as_posix()
    ((python, *words),) = machine.commands
    assert python == str(run.PYTHON)
    assert [Path(word).as_posix() for word in words] == ["-m", *becomes.format(root=root).split()]
    # pytest has to start at its root; the other commands take paths from where the user stands
    assert Path.cwd() == (run.ROOT if "pytest" in words else run.ROOT.parent)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["bench"]])
def test_says_what_it_can_do_and_touches_nothing(
    run: ModuleType, machine: Machine, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    wrong = arguments == ["bench"]
    assert machine.ends_with(lambda: run.main(arguments)) == ["2" if wrong else "0"]
    assert capsys.readouterr() == (("", run.USAGE) if wrong else (run.USAGE, ""))
    assert all(f"\n  {command} " in run.USAGE for command in run.COMMANDS)
    assert machine.commands == []


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
@pytest.mark.parametrize(("last", "status"), [("exit 7", 7), ("kill -TERM $$", -signal.SIGTERM)])
def test_the_status_is_the_commands_own(run: ModuleType, last: str, status: int) -> None:
    for program in run.PYTHON, run.ROOT / "bin/pdftoppm":
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\necho "$@"\n{last}\n')
        program.chmod(0o755)
    run.STAMP.write_text("\n".join(run.wanted_stamp()))
    ended = subprocess.run(
        [sys.executable, str(run.ROOT / "run.py"), "serve", "--port", "0"],
        env={**os.environ, "PATH": f"{run.ROOT / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("-m labserver serve --port 0\n", "")
    assert ended.returncode == status


def test_windows_leaves_ctrl_c_to_the_command(run: ModuleType, machine: Machine) -> None:
    machine.fails_at = "serve"
    with machine.patch.context() as patch:
        patch.setattr(os, "name", "nt")
        assert machine.ends_with(lambda: run.hand_over(["python", "serve"])) == ["1"]
    assert machine.commands == [["python", "serve"]]
    assert machine.ignored == [signal.SIGINT]
