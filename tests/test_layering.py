"""Imports go one way: cli -> commands -> pipeline -> stages -> schemas; only commands/world.py sees world."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .conftest import ROOT

ROOMS = ("cli", "commands", "pipeline", "stages", "schemas", "world")
MAY_IMPORT = {
    "cli": {"commands", "schemas"},
    "commands": {"commands", "pipeline", "stages", "schemas"},
    "pipeline": {"pipeline", "stages", "schemas"},
    "stages": {"stages", "schemas"},
    "schemas": {"schemas"},
    "world": {"world", "pipeline", "stages", "schemas"},
}
DOOR_TO_THE_WORLD = ROOT / "commands" / "world.py"
SOURCES = [ROOT / "cli.py", *(path for room in ROOMS[1:] for path in sorted((ROOT / room).rglob("*.py")))]


def rooms_imported(path: Path) -> set[str]:
    """The rooms that a module imports from, wherever in it the import stands."""
    package = ["myvlm_tag", *path.relative_to(ROOT).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = [*base, *(node.module or "").split(".")]
            names = [".".join([*filter(None, start), alias.name]) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("myvlm_tag.")}
    return found & set(ROOMS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_inward(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = MAY_IMPORT[room] | ({"world"} if path == DOOR_TO_THE_WORLD else set())
    assert rooms_imported(path) <= allowed


def test_the_check_sees_relative_and_absolute_imports(tmp_path: Path) -> None:
    assert rooms_imported(ROOT / "pipeline" / "models.py") >= {"stages", "schemas", "pipeline"}
    assert "world" in rooms_imported(DOOR_TO_THE_WORLD)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_by_saying_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
