"""Imports run one way: a room may use those before it, never those after it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "labserver"

# What each room may import; __init__ (the version) is open to all.
MAY_IMPORT = {
    "errors": set(),
    "settings": {"errors"},
    "priority": set(),
    "jobs": {"errors", "settings"},
    "work": {"errors", "settings", "priority", "jobs"},
    "runners": {"errors", "settings", "priority", "jobs"},
    "gallery": {"errors", "settings", "jobs", "work", "runners"},
    "server": {"errors", "settings", "priority", "jobs", "work", "runners", "gallery"},
    "theory": {"errors"},
    "bench": {"errors", "settings", "priority", "theory"},
    "plots": {"errors", "settings", "bench", "theory"},
    "course": {"errors"},
    "flags": {"errors", "settings"},
    "doctor": {"errors", "settings", "work", "bench"},
    "cli": {"errors", "settings", "flags", "gallery", "server", "bench", "plots"}
    | {"course", "doctor"},
    "__main__": {"cli"},
    "__init__": set(),
}  # fmt: skip


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import hides where it goes"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names if name.startswith("labserver.")]
    return {part[1] for part in parts} & set(MAY_IMPORT)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    assert imported_rooms(path) - {room(path)} <= MAY_IMPORT[room(path)]


def test_every_room_is_in_the_table() -> None:
    assert {room(path) for path in ROOT.rglob("*.py")} == set(MAY_IMPORT)
