"""What is installed: one import package with every subpackage and its data, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile

import pytest

from .conftest import ROOT

ROOMS = ("commands", "pipeline", "stages", "schemas", "world")
SOURCE = {*ROOMS, "cli.py", "__init__.py", "py.typed", "pyproject.toml", "README.md"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def folders_with_code() -> set[str]:
    inner = {path.parent.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("__init__.py")}
    return {"myvlm_tag", *(".".join(["myvlm_tag", *folder.parts]) for folder in inner)}


def test_every_subpackage_is_listed() -> None:
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders_with_code()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCE:  # setuptools writes build/ and egg-info beside what it packs
        if (ROOT / name).exists():
            (source / name).symlink_to(ROOT / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", folder, source], check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as packed:
        return set(packed.namelist())


def test_the_wheel_holds_every_module_and_the_data_they_read(wheel: set[str]) -> None:
    modules = {path for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    weights = {path for path in (ROOT / "world" / "weights").rglob("*") if path.is_file()}
    asked = {path for kind in ("sql", "lark", "toml") for path in (ROOT / "pipeline").rglob(f"*.{kind}")}
    data = {*asked, ROOT / "py.typed", ROOT / "cli.py"}
    wanted = {f"myvlm_tag/{path.relative_to(ROOT).as_posix()}" for path in modules | weights | data}
    assert wanted - wheel == set()


def test_the_wheel_puts_nothing_else_into_site_packages(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"myvlm_tag"}
    assert not [name for name in wheel if "/tests/" in name or "/benchmarks/" in name]


def test_the_console_script_is_the_cli() -> None:
    assert PROJECT["project"]["scripts"] == {"myvlm-tag": "myvlm_tag.cli:main"}
