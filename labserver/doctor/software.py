"""What is installed, and whether it is known to work."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import sys
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from labserver.bench.machine import poppler_version
from labserver.doctor.finding import Finding, judged
from labserver.errors import StartupError
from labserver.work.pdf.ulimit import find_program

# The versions with which the tests were run. Others may well do.
TESTED = {"poppler": "22.12", "PDFium": "8149", "libvips": "8.18"}
INSTALL = "python3 run.py test --version installs what requirements.txt names into .venv"


def python() -> Finding:
    """The interpreter, against what the package asks for."""
    asked = importlib.metadata.metadata("labserver")["Requires-Python"]
    version = platform.python_version()
    free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()
    said = f"{version}, {platform.machine()}" + (", without a GIL" if free_threaded else "")
    fits = Version(version) in SpecifierSet(asked, prereleases=True)
    return judged("Python", said, fail="" if fits else f"take one of {asked}: python.org has them")


def packages() -> Finding:
    """The dependencies, against what the package asks for."""
    wrong = missing(importlib.metadata.requires("labserver") or [])
    said = "all there, as pyproject.toml asks" if not wrong else "not as asked: " + ", ".join(wrong)
    return judged("packages", said, fail=INSTALL if wrong else "")


def missing(requirements: Iterable[str]) -> list[str]:
    """Which of them are not met, extras aside, and what is there instead."""
    wrong = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = "nothing"
        if found == "nothing" or not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name}{requirement.specifier} (found {found})")
    return wrong


def poppler() -> Finding:
    """The programs of poppler, which the default engine calls."""
    try:
        find_program("pdftoppm")
        find_program("pdfinfo")
    except StartupError as error:
        return Finding("fail", "poppler", "pdftoppm and pdfinfo are not on the PATH", str(error))
    return _compared("poppler", poppler_version())


def pdfium() -> Finding:
    """PDFium, which --engine pdfium calls."""
    try:
        from pypdfium2 import PDFIUM_INFO
    except (ImportError, OSError) as error:
        return Finding("warn", "PDFium", f"cannot be loaded: {error}", INSTALL)
    return _compared("PDFium", str(PDFIUM_INFO.build))


def libvips() -> Finding:
    """libvips, which only --png small needs."""
    try:
        import pyvips

        version = ".".join(str(pyvips.version(part)) for part in range(3))
    except (ImportError, OSError) as error:
        return Finding("warn", "libvips", f"cannot be loaded: {error}", INSTALL)
    return _compared("libvips", version)


def notebooks() -> Finding:
    """JupyterLab, which only the lessons need."""
    there = all(importlib.util.find_spec(name) for name in ("jupyterlab", "ipykernel"))
    said = f"JupyterLab {importlib.metadata.version('jupyterlab')}" if there else "no JupyterLab"
    return judged(
        "notebooks", said, warn="" if there else "the lessons want it: python3 run.py lab"
    )


def _compared(name: str, version: str) -> Finding:
    tested = TESTED[name]
    said = f"{version}, the tests were run with {tested}"
    old = _numbers(version) < _numbers(tested)
    remedy = "older than what is known to work: update it, or run the tests (python3 run.py test)"
    return judged(name, said, warn=remedy if old else "")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
